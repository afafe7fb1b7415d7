package accounts

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

// userColumns belong to a query that joins users as u with their roles as r.
const userColumns = `u.id, u.name, u.canonical, u.email, u.external_id, u.hash, u.disabled, u.must_change,
	u.password_expires_at, u.password_changed_at, u.created_at, COALESCE(r.role, '')`

// CreateUser inserts a user and returns it as stored.
func (s *Store) CreateUser(ctx context.Context, row account.UserRow, ev issuer.Event) (account.User, error) {
	if err := checkRow(row); err != nil {
		return account.User{}, err
	}
	var user account.User
	err := s.write(ctx, "create user", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if err := lockPeople(ctx, tx); err != nil {
			return err
		}
		if err := checkFirst(ctx, tx, row.First); err != nil {
			return err
		}
		if err := checkRoles(ctx, tx, row.Roles); err != nil {
			return err
		}
		if err := checkExternalID(ctx, tx, row.ExternalID); err != nil {
			return err
		}
		if err := insertUser(ctx, tx, now, row); err != nil {
			return err
		}
		created, err := oneUser(ctx, tx, `u.id = $1`, row.ID)
		if err != nil {
			return err
		}
		user = created.User
		return sqlstore.Record(ctx, tx, now, row.Made(ev))
	})
	return user, err
}

// User returns the user with this ID.
func (s *Store) User(ctx context.Context, id string) (account.User, error) {
	c, err := s.credential(ctx, `u.id = $1`, id)
	return c.User, err
}

// UserByName returns the user with this canonical name.
func (s *Store) UserByName(ctx context.Context, canonical string) (account.User, error) {
	c, err := s.credential(ctx, `u.canonical = $1`, canonical)
	return c.User, err
}

// externalID finds the user of an external ID. The second half tells SQLite that the index has it.
const externalID = `u.external_id = $1 AND u.external_id <> ''`

// UserByExternalID returns the user with this external ID.
func (s *Store) UserByExternalID(ctx context.Context, id string) (account.User, error) {
	c, err := s.credential(ctx, externalID, id)
	return c.User, err
}

// Users lists users in the byte order of their canonical names.
func (s *Store) Users(ctx context.Context, q account.Query) ([]account.User, error) {
	list, err := s.Credentials(ctx, q)
	if err != nil {
		return nil, err
	}
	users := make([]account.User, len(list))
	for i, c := range list {
		users[i] = c.User
	}
	return users, nil
}

// Credential returns the user and their password hash, both of one moment.
func (s *Store) Credential(ctx context.Context, id string) (account.Credential, error) {
	return s.credential(ctx, `u.id = $1`, id)
}

// SetPassword replaces the password and ends every session and the reset link of the user.
func (s *Store) SetPassword(ctx context.Context, id string, p account.NewPassword, ev issuer.Event) (doorward.Revocation, error) {
	if err := sqlstore.CheckText(p.Hash, p.Old); err != nil {
		return doorward.Revocation{}, err
	}
	return s.endUser(ctx, "set password", id, &ev, func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if err := setHash(ctx, tx, now, id, p); err != nil {
			return err
		}
		return dropReset(ctx, tx, id)
	})
}

// setHash is what every change of a password writes.
func setHash(ctx context.Context, tx sqlstore.Tx, now time.Time, id string, p account.NewPassword) error {
	if p.MustChange { // and nobody makes the user an admin meanwhile
		if err := lockPeople(ctx, tx); err != nil {
			return err
		}
	}
	set, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `
		UPDATE users SET hash = $3, must_change = $4, password_changed_at = $6, password_expires_at = CASE
			WHEN $4 AND EXISTS (SELECT 1 FROM user_roles WHERE user_id = $1 AND role = $7) THEN CAST($5 AS BIGINT) ELSE 0 END
		WHERE id = $1 AND (hash = $2 OR $2 = '')`,
		id, p.Old, p.Hash, p.MustChange, expiryAfter(now, p.Lifetime), sqlstore.Millis(now), account.RoleAdmin))
	return missed(ctx, tx, id, set, err)
}

// ReplaceHash stores another hash of the same password.
func (s *Store) ReplaceHash(ctx context.Context, id, old, hash string, ev issuer.Event) error {
	if err := sqlstore.CheckText(id, old, hash); err != nil {
		return err
	}
	return s.write(ctx, "replace hash", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		set, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `UPDATE users SET hash = $3 WHERE id = $1 AND hash = $2`, id, old, hash))
		if err := missed(ctx, tx, id, set, err); err != nil {
			return err
		}
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, id, ""))
	})
}

// SetDisabled disables or enables the user.
func (s *Store) SetDisabled(ctx context.Context, id string, disabled bool, ev issuer.Event) (doorward.Revocation, error) {
	set := func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if disabled {
			if err := lockAdmin(ctx, tx, now, id); err != nil {
				return err
			}
		}
		there, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `UPDATE users SET disabled = $2 WHERE id = $1`, id, disabled))
		if err := missed(ctx, tx, id, there, err); err != nil || !disabled {
			return err
		}
		return dropReset(ctx, tx, id)
	}
	if disabled {
		return s.endUser(ctx, "disable user", id, &ev, set)
	}
	if err := sqlstore.CheckText(id); err != nil {
		return doorward.Revocation{}, err
	}
	return doorward.Revocation{}, s.write(ctx, "enable user", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if err := set(ctx, tx, now); err != nil {
			return err
		}
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, id, ""))
	})
}

// DeleteUser removes the user and ends every session of theirs.
func (s *Store) DeleteUser(ctx context.Context, id string, ev issuer.Event) (doorward.Revocation, error) {
	return s.endUser(ctx, "delete user", id, &ev, func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if err := lockAdmin(ctx, tx, now, id); err != nil {
			return err
		}
		there, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `DELETE FROM users WHERE id = $1`, id))
		if err := missed(ctx, tx, id, there, err); err != nil {
			return err
		}
		return dropAPIKeys(ctx, tx, id)
	})
}

// endUser changes a user and ends their sessions in one transaction. change may still
// write to the event.
func (s *Store) endUser(ctx context.Context, what, id string, ev *issuer.Event, change func(context.Context, sqlstore.Tx, time.Time) error) (cut doorward.Revocation, err error) {
	if err := sqlstore.CheckText(id); err != nil {
		return cut, err
	}
	reason := issuer.ReasonAdmin
	if ev.Kind == account.EventPasswordChange {
		reason = issuer.ReasonPassword
	}
	err = s.writeNews(ctx, what, func(ctx context.Context, tx sqlstore.Tx, now time.Time) (err error) {
		if err := change(ctx, tx, now); err != nil {
			return err
		}
		if cut, err = sqlstore.EndSubject(ctx, tx, now, id, reason); err != nil {
			return err
		}
		return sqlstore.Record(ctx, tx, now, sqlstore.About(*ev, id, ""))
	})
	return sqlstore.OrNone(cut, err)
}

func (s *Store) credential(ctx context.Context, where, value string) (c account.Credential, err error) {
	if err := sqlstore.CheckText(value); err != nil {
		return c, err
	}
	err = s.read(ctx, "read user", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) (err error) {
		c, err = oneUser(ctx, tx, where, value)
		return err
	})
	return c, err
}

// checkRow refuses a row that cannot be stored as it is.
func checkRow(row account.UserRow) error {
	if row.ID == "" || row.Canonical == "" {
		return errors.New("create user: no ID or no name")
	}
	return sqlstore.CheckText(slices.Concat(row.Roles, []string{row.ID, row.Name, row.Canonical, row.Email, row.ExternalID, row.Hash})...)
}

// lockPeople lets only one transaction at a time make users or change users and their roles.
func lockPeople(ctx context.Context, tx sqlstore.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE meta SET value = '' WHERE name = 'users'`)
	return err
}

// checkFirst refuses a user who must be the first and is not. The transaction holds lockPeople.
func checkFirst(ctx context.Context, tx sqlstore.Tx, first bool) error {
	if !first {
		return nil
	}
	var n int64
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM users`).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return account.ErrNotEmpty
	}
	return nil
}

// checkExternalID refuses an external ID that a user has. The transaction holds lockPeople.
func checkExternalID(ctx context.Context, tx sqlstore.Tx, id string) error {
	if id == "" {
		return nil
	}
	var there string
	err := tx.QueryRowContext(ctx, `SELECT u.id FROM users AS u WHERE `+externalID, id).Scan(&there)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return cmp.Or(err, account.ErrExternalIDTaken)
}

func insertUser(ctx context.Context, tx sqlstore.Tx, now time.Time, row account.UserRow) error {
	made, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `
		INSERT INTO users (id, name, canonical, email, external_id, hash, disabled, must_change,
			password_expires_at, password_changed_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) ON CONFLICT (canonical) DO NOTHING`,
		row.ID, row.Name, row.Canonical, row.Email, row.ExternalID, row.Hash, row.Disabled, row.MustChange,
		expiryAfter(now, row.Lifetime), sqlstore.Millis(now)))
	if err != nil {
		return err
	}
	if !made {
		return account.ErrNameTaken
	}
	return insertRoles(ctx, tx, row.ID, slices.Compact(slices.Sorted(slices.Values(row.Roles))))
}

func insertRoles(ctx context.Context, tx sqlstore.Tx, id string, roles []string) error {
	for _, role := range roles {
		_, err := tx.ExecContext(ctx, `INSERT INTO user_roles (user_id, role) VALUES ($1, $2)`, id, role)
		if err != nil {
			return err
		}
	}
	return nil
}

// expiryAfter is when something stored now for this long expires; 0 means never.
func expiryAfter(now time.Time, lifetime time.Duration) int64 {
	if lifetime <= 0 {
		return 0
	}
	return sqlstore.Millis(now) + sqlstore.InMillis(lifetime)
}

// missed returns why a change of a user has changed no row: there is no such user, or the password hash
// is another one. It returns err, which may be nil, if one was changed.
func missed(ctx context.Context, tx sqlstore.Tx, id string, changed bool, err error) error {
	if err != nil || changed {
		return err
	}
	var there string
	err = tx.QueryRowContext(ctx, `SELECT id FROM users WHERE id = $1`, id).Scan(&there)
	if err == nil {
		return account.ErrConflict
	}
	return sqlstore.OrAbsent(err, account.ErrNotFound)
}

func oneUser(ctx context.Context, tx sqlstore.Tx, where, value string) (account.Credential, error) {
	list, err := scanUsers(ctx, tx, `
		SELECT `+userColumns+` FROM users AS u LEFT JOIN user_roles AS r ON r.user_id = u.id
		WHERE `+where+` ORDER BY r.role`, value)
	if err != nil {
		return account.Credential{}, err
	}
	if len(list) == 0 {
		return account.Credential{}, account.ErrNotFound
	}
	return list[0], nil
}

// scanUsers reads one row per user and role.
func scanUsers(ctx context.Context, tx sqlstore.Tx, query string, args ...any) (list []account.Credential, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c account.Credential
		var role string
		var expires, changed, created int64
		u := &c.User
		err := rows.Scan(&u.ID, &u.Name, &u.Canonical, &u.Email, &u.ExternalID, &c.Hash, &u.Disabled, &u.MustChange, &expires, &changed, &created, &role)
		if err != nil {
			return nil, err
		}
		u.PasswordExpiresAt, u.PasswordChangedAt, u.CreatedAt = sqlstore.Moment(expires), sqlstore.Moment(changed), sqlstore.Moment(created)
		if len(list) == 0 || list[len(list)-1].User.ID != u.ID {
			list = append(list, c)
		}
		if role != "" {
			last := &list[len(list)-1].User
			last.Roles = append(last.Roles, role)
		}
	}
	return list, rows.Err()
}
