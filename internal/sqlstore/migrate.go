package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// ErrNewer says that a later version of doorward has changed the schema.
var ErrNewer = errors.New("this data was written by a newer doorward")

//go:embed migrations
var migrations embed.FS

// A Dialect is the SQL that a schema is written in.
type Dialect struct {
	goose  goose.Dialect
	folder string
}

// SQLite is the dialect of the package sqlite.
var SQLite = Dialect{goose: goose.DialectSQLite3, folder: "migrations/sqlite"}

// VersionTable is the table that names the migrations applied.
const VersionTable = "schema_migrations"

// Migrate brings the schema up to date, each migration in a transaction of its own.
// Several processes may do so at once: who comes second to a migration fails
// without a trace and looks again. It returns ErrNewer, and writes nothing, if the
// schema is later than this program.
func Migrate(ctx context.Context, db *sql.DB, dialect Dialect) error {
	folder, err := fs.Sub(migrations, dialect.folder)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect.goose, db, folder, goose.WithTableName(VersionTable))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	const rounds = 20
	for range rounds {
		var pending bool
		if pending, err = migrate(ctx, provider); !pending {
			return err
		}
	}
	return fmt.Errorf("migrate: %w", err)
}

// migrate reports whether there is still something to do, and what went wrong.
func migrate(ctx context.Context, provider *goose.Provider) (pending bool, err error) {
	current, target, err := provider.GetVersions(ctx)
	switch {
	case err != nil:
		return true, err
	case current > target:
		return false, fmt.Errorf("%w: schema %d, known here up to %d", ErrNewer, current, target)
	case current == target:
		return false, nil
	}
	_, err = provider.Up(ctx)
	return true, err
}
