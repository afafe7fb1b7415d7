package accounts

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

var _ account.DeviceStore = (*Store)(nil)

// deviceDay is how exactly the last use of a device is known.
const deviceDay = 24 * time.Hour

// KnownDevice reports whether a device belongs to a user.
func (s *Store) KnownDevice(ctx context.Context, canonical string, digest [32]byte) (bool, error) {
	if err := sqlstore.CheckText(canonical); err != nil {
		return false, err
	}
	known := false
	err := s.read(ctx, "read device", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		var id string
		err := tx.QueryRowContext(ctx, `
			SELECT u.id FROM devices AS d JOIN users AS u ON u.id = d.user_id
			WHERE d.digest = $1 AND u.canonical = $2`, digest[:], canonical).Scan(&id)
		known = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return known, err
}

// AddDevice adds a device of a user and drops what is too many.
func (s *Store) AddDevice(ctx context.Context, id string, digest [32]byte, keep int, ev issuer.Event) error {
	if err := sqlstore.CheckText(id); err != nil {
		return err
	}
	return s.write(ctx, "add device", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		// One at a time adds a device of a user, so that the bound is exact.
		there, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `UPDATE users SET disabled = disabled WHERE id = $1`, id))
		if err != nil {
			return err
		}
		if !there {
			return account.ErrNotFound
		}
		_, err = tx.ExecContext(ctx, `
			DELETE FROM devices WHERE user_id = $1 AND digest NOT IN (
				SELECT digest FROM devices WHERE user_id = $1
				ORDER BY CASE WHEN used_at > created_at THEN 0 ELSE 1 END, used_at DESC, digest LIMIT $2)`, id, keep-1)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO devices (digest, user_id, created_at, used_at) VALUES ($1, $2, $3, $3)`, digest[:], id, sqlstore.Millis(now))
		if err != nil {
			return err
		}
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, id, ""))
	})
}

// UseDevice notes the first use of a device after it was added, and then one a day.
func (s *Store) UseDevice(ctx context.Context, digest [32]byte) error {
	return s.write(ctx, "use device", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE devices SET used_at = CASE WHEN $2 > created_at THEN $2 ELSE created_at + 1 END
			WHERE digest = $1 AND (used_at = created_at OR used_at < $3)`, digest[:], sqlstore.Millis(now), sqlstore.Millis(now.Add(-deviceDay)))
		return err
	})
}
