package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Serving returns the text that SetServing stored last, "" if there is none.
func (s *Store) Serving(ctx context.Context) (text string, err error) {
	err = s.read(ctx, "read settings", func(ctx context.Context, tx Tx, _ time.Time) error {
		err := tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'serving'`).Scan(&text)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return text, err
}

// SetServing stores the settings with which a server runs, for commands on other machines.
func (s *Store) SetServing(ctx context.Context, text string) error {
	if err := checkText(text); err != nil {
		return err
	}
	return s.write(ctx, "write settings", func(ctx context.Context, tx Tx, _ time.Time) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO meta (name, value) VALUES ('serving', $1)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, text)
		return err
	})
}
