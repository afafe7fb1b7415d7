package sqlstore

import (
	"context"
	"database/sql"
)

// MigrateTo brings the schema of a database up to that version.
func MigrateTo(ctx context.Context, db *sql.DB, dialect Dialect, version int64) error {
	provider, err := readMigrations(db, dialect)
	if err == nil {
		_, err = provider.UpTo(ctx, version)
	}
	return err
}
