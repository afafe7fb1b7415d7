package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
)

// ErrNewer says that a later version of doorward has changed the schema.
var ErrNewer = errors.New("this data was written by a newer doorward")

// Each file is one statement to goose, which would look for the ends of statements in 4 MiB of memory
// for each line; the databases find them by themselves.
//
//go:embed migrations
var migrations embed.FS

// A Dialect is the SQL that a schema is written in.
type Dialect struct {
	goose  goose.Dialect
	folder string
}

// The dialects of the packages sqlite and postgres.
var (
	SQLite   = Dialect{goose: goose.DialectSQLite3, folder: "migrations/sqlite"}
	Postgres = Dialect{goose: goose.DialectPostgres, folder: "migrations/postgres"}
)

// VersionTable is the table that names the migrations applied.
const VersionTable = "schema_migrations"

// Migrate brings the schema up to date, each migration in a transaction of its own.
// Several processes may do so at once: who comes second to a migration fails
// without a trace and looks again.
//
// log is told before and after, unless there was no schema yet: with many rows it takes its time.
//
// A schema that is later than this program stays as it is. The row usable_from of meta
// names the oldest schema that a program must know to use it; for a program that knows
// less, and where there is no such row, Migrate returns ErrNewer.
func Migrate(ctx context.Context, db *sql.DB, dialect Dialect, log *slog.Logger) error {
	provider, err := readMigrations(db, dialect)
	if err != nil {
		return err
	}
	const rounds = 20
	var first error // goose tells only once why it cannot make its table
	for range rounds {
		pending, err := migrate(ctx, db, provider, log)
		if !pending {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return fmt.Errorf("migrate: %w", first)
}

func readMigrations(db *sql.DB, dialect Dialect) (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, dialect.folder)
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(dialect.goose, db, folder, goose.WithTableName(VersionTable))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

// migrate reports whether there is still something to do, and what went wrong.
func migrate(ctx context.Context, db *sql.DB, provider *goose.Provider, log *slog.Logger) (pending bool, err error) {
	current, target, err := provider.GetVersions(ctx)
	switch {
	case err != nil:
		return true, err
	case current > target:
		return false, checkUsable(ctx, db, current, target)
	case current == target:
		return false, nil
	case current == 0:
		_, err = provider.Up(ctx)
		return true, err
	}
	log.InfoContext(ctx, "the store is brought up to date; with many sessions that takes a while", "schema", current, "to", target)
	began := time.Now()
	if _, err = provider.Up(ctx); err == nil {
		log.InfoContext(ctx, "the store is up to date", "schema", target, "took", time.Since(began).Round(time.Millisecond).String())
	}
	return true, err
}

// checkUsable says whether a program that knows the schema up to known can use a later one.
func checkUsable(ctx context.Context, db *sql.DB, current, known int64) error {
	from := current
	err := db.QueryRowContext(ctx, `SELECT CAST(value AS BIGINT) FROM meta WHERE name = 'usable_from'`).Scan(&from)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if known < from {
		return fmt.Errorf("%w: schema %d, for programs that know %d or later; this one knows %d", ErrNewer, current, from, known)
	}
	return nil
}
