package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const metaServing = "serving" // a row of meta

// Serving returns the text that SetServing stored last, "" if there is none.
func Serving(ctx context.Context, s *Store) (text string, err error) {
	text, _, err = Meta(ctx, s, metaServing)
	return text, err
}

// SetServing stores the settings with which a server runs, for commands on other machines.
func SetServing(ctx context.Context, s *Store, text string) error {
	if err := CheckText(text); err != nil {
		return err
	}
	return SetMeta(ctx, s, metaServing, metaServing, text)
}

// Meta returns a row of meta, and whether there is one.
func Meta(ctx context.Context, s *Store, name string) (value string, there bool, err error) {
	err = s.read(ctx, "read meta", func(ctx context.Context, tx Tx, _ time.Time) error {
		err := tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, name).Scan(&value)
		there = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return value, there, err
}

// SetMeta writes a row of meta in the place of another.
func SetMeta(ctx context.Context, s *Store, old, name, value string) error {
	return s.write(ctx, "write meta", func(ctx context.Context, tx Tx, _ time.Time) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM meta WHERE name = $1 AND name <> $2`, old, name); err != nil {
			return err
		}
		// Two nodes that start at once write the same row.
		_, err := tx.ExecContext(ctx, `
			INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
		return err
	})
}
