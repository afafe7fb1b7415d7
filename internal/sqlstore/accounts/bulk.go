package accounts

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

// CreateUsers inserts what it can of rows in one transaction.
func (s *Store) CreateUsers(ctx context.Context, rows []account.UserRow, dry bool, ev issuer.Event) ([]error, error) {
	for _, row := range rows {
		if err := checkRow(row); err != nil {
			return nil, err
		}
	}
	verdicts := make([]error, len(rows))
	each := func(ctx context.Context, tx sqlstore.Tx, now time.Time) (err error) {
		for i, row := range rows {
			if verdicts[i], err = present(ctx, tx, row); err != nil {
				return err
			}
			if dry || verdicts[i] != nil {
				continue
			}
			if err := insertUser(ctx, tx, now, row); err != nil {
				return err
			}
			if err := sqlstore.Record(ctx, tx, now, row.Made(ev)); err != nil {
				return err
			}
		}
		return nil
	}
	if dry {
		return verdicts, s.read(ctx, "look for users", each)
	}
	return verdicts, s.write(ctx, "create users", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if err := lockPeople(ctx, tx); err != nil {
			return err
		}
		return each(ctx, tx, now)
	})
}

// Credentials lists users with their hashes.
func (s *Store) Credentials(ctx context.Context, q account.Query) (list []account.Credential, err error) {
	if err := sqlstore.CheckText(q.After); err != nil {
		return nil, err
	}
	err = s.read(ctx, "list users", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		list, err = scanUsers(ctx, tx, `
			SELECT `+userColumns+` FROM (
				SELECT id, name, canonical, email, external_id, hash, disabled, must_change,
					password_expires_at, password_changed_at, created_at
				FROM users WHERE canonical > $1 ORDER BY canonical LIMIT $2) AS u
			LEFT JOIN user_roles AS r ON r.user_id = u.id ORDER BY u.canonical, r.role`, q.After, pageLimit(q))
		return err
	})
	return sqlstore.OrNone(list, err)
}

// present returns why a row cannot be inserted, or nil if it can: the canonical name or the external ID is taken, or
// the roles are too many.
func present(ctx context.Context, tx sqlstore.Tx, row account.UserRow) (verdict, err error) {
	var hash, externalID string
	err = tx.QueryRowContext(ctx, `SELECT hash, external_id FROM users WHERE canonical = $1`, row.Canonical).Scan(&hash, &externalID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		err = cmp.Or(checkRoles(ctx, tx, row.Roles), checkExternalID(ctx, tx, row.ExternalID))
		if errors.Is(err, account.ErrRoleBounds) || errors.Is(err, account.ErrExternalIDTaken) {
			return err, nil
		}
		return nil, err
	case err != nil:
		return nil, err
	case hash == row.Hash && (row.ExternalID == "" || row.ExternalID == externalID):
		return account.ErrPresent, nil
	}
	return account.ErrNameTaken, nil
}
