package accounts

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

var _ account.RoleStore = (*Store)(nil)

// roleColumns belong to a query of names, each of a role that is defined or that somebody has.
const roleColumns = `n.name, COALESCE((SELECT created_at FROM roles WHERE name = n.name), 0),
	(SELECT COUNT(*) FROM user_roles WHERE role = n.name)`

// roleNames are the names of both kinds.
const roleNames = `(SELECT name FROM roles UNION SELECT role FROM user_roles) AS n`

// CreateRole defines a role.
func (s *Store) CreateRole(ctx context.Context, name string, scope []string, ev issuer.Event) (account.Role, error) {
	return s.changeRole(ctx, "create role", name, scope, ev, func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		made, err := sqlstore.ChangedOne(tx.ExecContext(ctx,
			`INSERT INTO roles (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, sqlstore.Millis(now)))
		if err == nil && !made {
			err = account.ErrRoleThere
		}
		if err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM roles`).Scan(&n); err != nil {
			return err
		}
		if n > account.MaxDefined {
			return fmt.Errorf("%w: there may be %d roles", account.ErrRoleBounds, account.MaxDefined)
		}
		return setScopes(ctx, tx, name, account.Change{Replace: true, To: scope}.Of(nil))
	})
}

// ChangeRole changes the scopes of a role.
func (s *Store) ChangeRole(ctx context.Context, name string, seen *account.Role, c account.Change, ev issuer.Event) (account.Role, error) {
	words := slices.Concat(c.To, c.Add, c.Remove)
	return s.changeRole(ctx, "change role", name, words, ev, func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		role, err := oneRole(ctx, tx, name)
		if err != nil {
			return err
		}
		if role.CreatedAt.IsZero() {
			return account.ErrNoRole
		}
		if seen != nil && !reflect.DeepEqual(role, *seen) {
			return issuer.ErrConflict
		}
		return setScopes(ctx, tx, name, c.Of(role.Scope))
	})
}

// Role returns a role that is defined or that somebody has.
func (s *Store) Role(ctx context.Context, name string) (account.Role, error) {
	var role account.Role
	if sqlstore.CheckText(name) != nil {
		return role, account.ErrNoRole
	}
	err := s.read(ctx, "read role", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) (err error) {
		role, err = oneRole(ctx, tx, name)
		return err
	})
	return role, err
}

// Roles lists roles in the byte order of their names.
func (s *Store) Roles(ctx context.Context, q account.Query) (list []account.Role, err error) {
	if err := sqlstore.CheckText(q.After); err != nil {
		return nil, err
	}
	err = s.read(ctx, "list roles", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		list, err = scanRoles(ctx, tx, `SELECT `+roleColumns+` FROM `+roleNames+` WHERE n.name > $1 ORDER BY n.name LIMIT $2`,
			q.After, pageLimit(q))
		return err
	})
	return sqlstore.OrNone(list, err)
}

// RemoveRole takes a role from everybody who has it and defines it no more.
func (s *Store) RemoveRole(ctx context.Context, name string, ev issuer.Event) (ids []string, err error) {
	if sqlstore.CheckText(name) != nil {
		return nil, account.ErrNoRole
	}
	err = s.write(ctx, "remove role", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if err := lockPeople(ctx, tx); err != nil {
			return err
		}
		if ids, err = sqlstore.ScanTexts(ctx, tx, `DELETE FROM user_roles WHERE role = $1 RETURNING user_id`, name); err != nil {
			return err
		}
		defined, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `DELETE FROM roles WHERE name = $1`, name))
		if err != nil {
			return err
		}
		if !defined && len(ids) == 0 {
			return account.ErrNoRole
		}
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, "role:"+name, ""))
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	return ids, nil
}

// Members lists the IDs of the users who have a role.
func (s *Store) Members(ctx context.Context, name string, q account.Query) (ids []string, err error) {
	if err := sqlstore.CheckText(name, q.After); err != nil {
		return nil, err
	}
	err = s.read(ctx, "list members", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		ids, err = sqlstore.ScanTexts(ctx, tx, `SELECT user_id FROM user_roles WHERE role = $1 AND user_id > $2 ORDER BY user_id LIMIT $3`,
			name, q.After, pageLimit(q))
		return err
	})
	return ids, err
}

// ChangeRoles changes the roles of a user.
func (s *Store) ChangeRoles(ctx context.Context, id string, c account.Change, endSessions bool, ev issuer.Event) (account.User, doorward.Revocation, error) {
	var user account.User
	if err := sqlstore.CheckText(slices.Concat([]string{id}, c.To, c.Add, c.Remove)...); err != nil {
		return user, doorward.Revocation{}, err
	}
	change := func(ctx context.Context, tx sqlstore.Tx, now time.Time) (err error) {
		user, err = changeRoles(ctx, tx, now, id, c)
		ev.Reason = strings.Join(user.Roles, ",")
		return err
	}
	if endSessions {
		cut, err := s.endUser(ctx, "change roles", id, &ev, change)
		return user, cut, err
	}
	return user, doorward.Revocation{}, s.write(ctx, "change roles", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if err := change(ctx, tx, now); err != nil {
			return err
		}
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, id, ""))
	})
}

// EndUsers ends every session of the users.
func (s *Store) EndUsers(ctx context.Context, ids []string, ev issuer.Event) error {
	if err := sqlstore.CheckText(ids...); err != nil {
		return err
	}
	return s.writeNews(ctx, "end users", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		for _, id := range slices.Sorted(slices.Values(ids)) { // Sorted, so that two calls do not wait for each other.
			if _, err := sqlstore.EndSubject(ctx, tx, now, id, issuer.ReasonAdmin); err != nil {
				return err
			}
			if err := sqlstore.Record(ctx, tx, now, sqlstore.About(ev, id, "")); err != nil {
				return err
			}
		}
		return nil
	})
}

// Granted returns a user and the scopes of their roles.
func (s *Store) Granted(ctx context.Context, id string) (account.User, doorward.Scope, error) {
	var user account.User
	var scope doorward.Scope
	if sqlstore.CheckText(id) != nil {
		return user, nil, account.ErrNotFound
	}
	err := s.read(ctx, "read user", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) (err error) {
		user, scope, err = granted(ctx, tx, id)
		return err
	})
	if err != nil {
		return account.User{}, nil, err
	}
	return user, scope, nil
}

// granted is Granted as a part of a transaction.
func granted(ctx context.Context, tx sqlstore.Tx, id string) (account.User, doorward.Scope, error) {
	c, err := oneUser(ctx, tx, `u.id = $1`, id)
	if err != nil || len(c.User.Roles) == 0 {
		return c.User, nil, err
	}
	scope, err := sqlstore.ScanTexts(ctx, tx, `
		SELECT DISTINCT s.scope FROM user_roles AS r JOIN role_scopes AS s ON s.role = r.role
		WHERE r.user_id = $1 AND r.role <> $2 ORDER BY s.scope`, id, withheld(c.User))
	return c.User, scope, err
}

// changeRole changes a role while nobody makes users or changes roles, and checks what
// its members have then.
func (s *Store) changeRole(
	ctx context.Context, what, name string, words []string, ev issuer.Event, change func(context.Context, sqlstore.Tx, time.Time) error,
) (account.Role, error) {
	var role account.Role
	if name == "" {
		return role, errors.New(what + ": no name")
	}
	if err := sqlstore.CheckText(append(slices.Clone(words), name)...); err != nil {
		return role, err
	}
	err := s.write(ctx, what, func(ctx context.Context, tx sqlstore.Tx, now time.Time) (err error) {
		if err := lockPeople(ctx, tx); err != nil {
			return err
		}
		if err := change(ctx, tx, now); err != nil {
			return err
		}
		if err := checkMembers(ctx, tx, name); err != nil {
			return err
		}
		if role, err = oneRole(ctx, tx, name); err != nil {
			return err
		}
		ev.Reason = role.Scope.String()
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, "role:"+name, ""))
	})
	return sqlstore.OrNone(role, err)
}

func setScopes(ctx context.Context, tx sqlstore.Tx, name string, scope []string) error {
	if len(scope) > account.MaxRoleScopes || sizeOf(scope) > account.MaxScope {
		return fmt.Errorf("%w: a role may have %d scopes, and %d bytes of them", account.ErrRoleBounds, account.MaxRoleScopes, account.MaxScope)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM role_scopes WHERE role = $1`, name); err != nil {
		return err
	}
	for _, word := range scope {
		if _, err := tx.ExecContext(ctx, `INSERT INTO role_scopes (role, scope) VALUES ($1, $2)`, name, word); err != nil {
			return err
		}
	}
	return nil
}

// sizeOf is how much of account.MaxScope scopes take.
func sizeOf(scope []string) (n int) {
	for _, word := range scope {
		n += len(word) + 1
	}
	return n
}

// changeRoles is ChangeRoles as a part of a transaction.
func changeRoles(ctx context.Context, tx sqlstore.Tx, now time.Time, id string, c account.Change) (account.User, error) {
	if err := lockPeople(ctx, tx); err != nil {
		return account.User{}, err
	}
	was, err := oneUser(ctx, tx, `u.id = $1`, id)
	if err != nil {
		return account.User{}, err
	}
	roles := c.Of(was.User.Roles)
	if !slices.Contains(roles, account.RoleAdmin) {
		if err := keepAdmin(ctx, tx, now, id); err != nil {
			return account.User{}, err
		}
	}
	if err := checkRoles(ctx, tx, roles); err != nil {
		return account.User{}, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM user_roles WHERE user_id = $1`, id); err != nil {
		return account.User{}, err
	}
	if err := insertRoles(ctx, tx, id, roles); err != nil {
		return account.User{}, err
	}
	if is := slices.Contains(roles, account.RoleAdmin); is != slices.Contains(was.User.Roles, account.RoleAdmin) {
		if err := expireIssued(ctx, tx, now, id, is); err != nil {
			return account.User{}, err
		}
	}
	is, err := oneUser(ctx, tx, `u.id = $1`, id)
	return is.User, err
}

// expireIssued gives a password that somebody else chose, and that has not expired, the
// lifetime of an admin's, or takes it away.
func expireIssued(ctx context.Context, tx sqlstore.Tx, now time.Time, id string, admin bool) error {
	var latest int64
	if admin {
		latest = expiryAfter(now, account.InitialLifetime)
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE users SET password_expires_at = $2
		WHERE id = $1 AND must_change AND (password_expires_at = 0 OR password_expires_at > $3)`,
		id, latest, max(latest, sqlstore.Millis(now)))
	return err
}

// lockAdmin is keepAdmin for whoever does not hold the lock yet.
func lockAdmin(ctx context.Context, tx sqlstore.Tx, now time.Time, id string) error {
	if err := lockPeople(ctx, tx); err != nil {
		return err
	}
	return keepAdmin(ctx, tx, now, id)
}

// keepAdmin returns ErrLastAdmin if the user is the only admin who can log in. The caller
// holds the lock of lockPeople.
func keepAdmin(ctx context.Context, tx sqlstore.Tx, now time.Time, id string) error {
	active, err := sqlstore.ScanTexts(ctx, tx, `
		SELECT u.id FROM user_roles AS r JOIN users AS u ON u.id = r.user_id
		WHERE r.role = $1 AND NOT u.disabled AND u.hash <> ''
			AND (u.password_expires_at = 0 OR u.password_expires_at > $2)
		ORDER BY u.id LIMIT 2`, account.RoleAdmin, sqlstore.Millis(now))
	if err == nil && len(active) == 1 && active[0] == id {
		err = account.ErrLastAdmin
	}
	return err
}

// checkRoles says whether a user may have all these roles together.
func checkRoles(ctx context.Context, tx sqlstore.Tx, roles []string) error {
	if len(roles) > account.MaxRoles {
		return fmt.Errorf("%w: a user may have %d roles", account.ErrRoleBounds, account.MaxRoles)
	}
	var all []string
	for _, role := range roles {
		scope, err := sqlstore.ScanTexts(ctx, tx, `SELECT scope FROM role_scopes WHERE role = $1`, role)
		if err != nil {
			return err
		}
		all = append(all, scope...)
	}
	if sizeOf(account.Change{}.Of(all)) > account.MaxScope {
		return errScope
	}
	return nil
}

var errScope = fmt.Errorf("%w: the scopes of all roles of a user may have %d bytes", account.ErrRoleBounds, account.MaxScope)

// checkMembers says whether each member of a role may have what it has now. Where the
// scopes of all roles together are few enough, nobody is looked at.
func checkMembers(ctx context.Context, tx sqlstore.Tx, name string) error {
	const sum = `COALESCE(SUM(LENGTH(d.scope) + 1), 0)`
	var n int64
	err := tx.QueryRowContext(ctx, `SELECT `+sum+` FROM (SELECT DISTINCT scope FROM role_scopes) AS d`).Scan(&n)
	if err != nil || n <= account.MaxScope {
		return err
	}
	over, err := sqlstore.ScanTexts(ctx, tx, `
		SELECT d.user_id FROM (
			SELECT DISTINCT r.user_id, s.scope FROM user_roles AS m
			JOIN user_roles AS r ON r.user_id = m.user_id JOIN role_scopes AS s ON s.role = r.role
			WHERE m.role = $1) AS d
		GROUP BY d.user_id HAVING `+sum+` > $2 LIMIT 1`, name, account.MaxScope)
	if err == nil && len(over) > 0 {
		err = errScope
	}
	return err
}

// withheld is the role that does not count for a user, or no role.
func withheld(u account.User) string {
	if u.MustChange {
		return account.RoleAdmin
	}
	return ""
}

func oneRole(ctx context.Context, tx sqlstore.Tx, name string) (account.Role, error) {
	list, err := scanRoles(ctx, tx, `SELECT `+roleColumns+` FROM `+roleNames+` WHERE n.name = $1`, name)
	if err == nil && len(list) == 0 {
		err = account.ErrNoRole
	}
	if err != nil {
		return account.Role{}, err
	}
	return list[0], nil
}

func scanRoles(ctx context.Context, tx sqlstore.Tx, query string, args ...any) (list []account.Role, err error) {
	if list, err = scanBareRoles(ctx, tx, query, args...); err != nil {
		return nil, err
	}
	for i, role := range list {
		if role.CreatedAt.IsZero() {
			continue
		}
		if list[i].Scope, err = sqlstore.ScanTexts(ctx, tx, `SELECT scope FROM role_scopes WHERE role = $1 ORDER BY scope`, role.Name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func scanBareRoles(ctx context.Context, tx sqlstore.Tx, query string, args ...any) (list []account.Role, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var role account.Role
		var created int64
		if err := rows.Scan(&role.Name, &created, &role.Users); err != nil {
			return nil, err
		}
		role.CreatedAt = sqlstore.Moment(created)
		list = append(list, role)
	}
	return list, rows.Err()
}
