package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

var _ account.APIKeyStore = (*Store)(nil)

const apiKeyColumns = `id, owner, name, scope, everything, audiences, created_at, expires_at, used_at, revoked_at`

// liveKey says of a key that it is neither revoked nor expired at $2.
const liveKey = `revoked_at = 0 AND (expires_at = 0 OR expires_at > $2)`

// CreateAPIKey inserts a key and returns it as stored.
func (s *Store) CreateAPIKey(ctx context.Context, row account.APIKeyRow, ev issuer.Event) (account.APIKey, error) {
	var key account.APIKey
	if row.ID == "" || row.Name == "" {
		return key, errors.New("create API key: no ID or no name")
	}
	if err := sqlstore.CheckText(slices.Concat(row.Scope, row.Audiences, []string{row.ID, row.Owner, row.Name})...); err != nil {
		return key, err
	}
	err := s.write(ctx, "create API key", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if err := lockOwner(ctx, tx, row.Owner); err != nil {
			return err
		}
		if err := checkOwnerHas(ctx, tx, row); err != nil {
			return err
		}
		if err := boundAPIKeys(ctx, tx, now, row.Owner); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO api_keys (`+apiKeyColumns+`, digest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9)`,
			row.ID, row.Owner, row.Name, row.Scope.String(), row.Everything, strings.Join(row.Audiences, " "),
			sqlstore.Millis(now), expiryAfter(now, row.Lifetime), row.Digest[:])
		if err != nil {
			return err
		}
		if key, err = oneAPIKey(ctx, tx, row.ID); err != nil {
			return err
		}
		return sqlstore.Record(ctx, tx, now, aboutKey(ev, key))
	})
	return sqlstore.OrNone(key, err)
}

// APIKey returns the key with this ID.
func (s *Store) APIKey(ctx context.Context, id string) (key account.APIKey, err error) {
	if sqlstore.CheckText(id) != nil {
		return key, account.ErrNoAPIKey
	}
	err = s.read(ctx, "read API key", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) (err error) {
		key, err = oneAPIKey(ctx, tx, id)
		return err
	})
	return key, err
}

// APIKeyCredential returns the key with this ID, and what its owner is and has.
func (s *Store) APIKeyCredential(ctx context.Context, id string) (account.APIKeyCredential, error) {
	var c account.APIKeyCredential
	if sqlstore.CheckText(id) != nil {
		return c, account.ErrNoAPIKey
	}
	err := s.read(ctx, "read API key", func(ctx context.Context, tx sqlstore.Tx, now time.Time) (err error) {
		c = account.APIKeyCredential{Now: sqlstore.Truncate(now)}
		if c.Key, err = oneAPIKey(ctx, tx, id); err != nil {
			return err
		}
		var digest []byte
		if err := tx.QueryRowContext(ctx, `SELECT digest FROM api_keys WHERE id = $1`, id).Scan(&digest); err != nil {
			return err
		}
		copy(c.Digest[:], digest)
		c.User, c.Client, c.Scope, err = ownerOf(ctx, tx, c.Key.Owner)
		if errors.Is(err, account.ErrNotFound) || errors.Is(err, account.ErrNoClient) {
			err = account.ErrNoAPIKey
		}
		return err
	})
	return sqlstore.OrNone(c, err)
}

// APIKeys lists keys in the byte order of their IDs.
func (s *Store) APIKeys(ctx context.Context, q account.APIKeyQuery) (list []account.APIKey, err error) {
	if err := sqlstore.CheckText(q.After, q.Owner); err != nil {
		return nil, err
	}
	err = s.read(ctx, "list API keys", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) (err error) {
		list, err = scanAPIKeys(ctx, tx, `WHERE id > $1 AND (owner = $2 OR $2 = '') ORDER BY id LIMIT $3`,
			q.After, q.Owner, pageLimit(account.Query{Limit: q.Limit}))
		return err
	})
	return list, err
}

// UseAPIKey notes that a key was used.
func (s *Store) UseAPIKey(ctx context.Context, id string) error {
	if sqlstore.CheckText(id) != nil {
		return nil
	}
	return s.write(ctx, "use API key", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		_, err := tx.ExecContext(ctx, `UPDATE api_keys SET used_at = $2 WHERE id = $1 AND used_at <= $3`,
			id, sqlstore.Millis(now), sqlstore.Millis(now.Add(-account.APIKeyUseStep)))
		return err
	})
}

// RevokeAPIKey ends a key and every token made from it.
func (s *Store) RevokeAPIKey(ctx context.Context, id, owner string, ev issuer.Event) (doorward.Revocation, error) {
	var cut doorward.Revocation
	if sqlstore.CheckText(id, owner) != nil {
		return cut, account.ErrNoAPIKey
	}
	err := s.writeNews(ctx, "revoke API key", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		key, err := oneAPIKey(ctx, tx, id)
		if err != nil {
			return err
		}
		if owner != "" && owner != key.Owner {
			return account.ErrNoAPIKey
		}
		cut, err = revokeAPIKey(ctx, tx, now, key, ev)
		return err
	})
	return sqlstore.OrNone(cut, err)
}

// RevokeAPIKeys does so with every live key of an owner.
func (s *Store) RevokeAPIKeys(ctx context.Context, owner string, ev issuer.Event) (cuts []doorward.Revocation, err error) {
	if err := sqlstore.CheckText(owner); err != nil {
		return nil, err
	}
	err = s.writeNews(ctx, "revoke API keys", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		cuts = nil
		list, err := scanAPIKeys(ctx, tx, `WHERE owner = $1 AND `+liveKey+` ORDER BY id`, owner, sqlstore.Millis(now))
		if err != nil {
			return err
		}
		for _, key := range list {
			cut, err := revokeAPIKey(ctx, tx, now, key, ev)
			if err != nil {
				return err
			}
			if cut.Kind != "" { // There is none for a key that somebody else has ended meanwhile.
				cuts = append(cuts, cut)
			}
		}
		return nil
	})
	return sqlstore.OrNone(cuts, err)
}

// revokeAPIKey ends a key unless somebody has.
func revokeAPIKey(ctx context.Context, tx sqlstore.Tx, now time.Time, key account.APIKey, ev issuer.Event) (doorward.Revocation, error) {
	ended, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0`, key.ID, sqlstore.Millis(now)))
	if err != nil || !ended {
		return doorward.Revocation{}, err
	}
	cut, err := sqlstore.EndClient(ctx, tx, now, key.ID)
	if err != nil {
		return doorward.Revocation{}, err
	}
	return cut, sqlstore.Record(ctx, tx, now, aboutKey(ev, key))
}

// dropAPIKeys removes the keys of an owner who is deleted. The owner's own cut-off ends
// the tokens.
func dropAPIKeys(ctx context.Context, tx sqlstore.Tx, owner string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM api_keys WHERE owner = $1`, owner)
	return err
}

// lockOwner lets one transaction at a time make keys of an owner, so that the bound is exact.
func lockOwner(ctx context.Context, tx sqlstore.Tx, owner string) error {
	if strings.HasPrefix(owner, account.ClientIDPrefix) {
		return lockClient(ctx, tx, owner)
	}
	there, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `UPDATE users SET disabled = disabled WHERE id = $1`, owner))
	if err == nil && !there {
		err = account.ErrNotFound
	}
	return err
}

// ownerOf returns a user or a client, and the scope that they have.
func ownerOf(ctx context.Context, tx sqlstore.Tx, owner string) (user account.User, client account.Client, scope doorward.Scope, err error) {
	if strings.HasPrefix(owner, account.ClientIDPrefix) {
		client, err = bareClient(ctx, tx, owner)
		return user, client, client.Scope, err
	}
	user, scope, err = granted(ctx, tx, owner)
	return user, client, scope, err
}

// checkOwnerHas returns ErrAPIKeyScope for a scope that the owner does not have.
func checkOwnerHas(ctx context.Context, tx sqlstore.Tx, row account.APIKeyRow) error {
	_, _, scope, err := ownerOf(ctx, tx, row.Owner)
	if err != nil {
		return err
	}
	for _, word := range row.Scope {
		if !scope.Has(word) {
			return fmt.Errorf("%w: %s", account.ErrAPIKeyScope, word)
		}
	}
	return nil
}

// boundAPIKeys makes room for one key more.
func boundAPIKeys(ctx context.Context, tx sqlstore.Tx, now time.Time, owner string) error {
	var live int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM api_keys WHERE owner = $1 AND `+liveKey, owner, sqlstore.Millis(now)).Scan(&live)
	if err != nil {
		return err
	}
	if live >= account.MaxAPIKeys {
		return account.ErrAPIKeyBounds
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM api_keys WHERE owner = $1 AND NOT (`+liveKey+`) AND id NOT IN (
			SELECT id FROM api_keys WHERE owner = $1 AND NOT (`+liveKey+`) ORDER BY created_at DESC, id LIMIT $3)`,
		owner, sqlstore.Millis(now), account.MaxAPIKeys)
	return err
}

// aboutKey fills in which key an event is about.
func aboutKey(ev issuer.Event, key account.APIKey) issuer.Event {
	if ev.Reason == "" {
		ev.Reason = key.ID
	}
	return sqlstore.About(ev, key.Owner, "")
}

func oneAPIKey(ctx context.Context, tx sqlstore.Tx, id string) (account.APIKey, error) {
	list, err := scanAPIKeys(ctx, tx, `WHERE id = $1`, id)
	if err == nil && len(list) == 0 {
		err = account.ErrNoAPIKey
	}
	if err != nil {
		return account.APIKey{}, err
	}
	return list[0], nil
}

func scanAPIKeys(ctx context.Context, tx sqlstore.Tx, where string, args ...any) (list []account.APIKey, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT `+apiKeyColumns+` FROM api_keys `+where, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k account.APIKey
		var scope, audiences string
		var created, expires, used, revoked int64
		if err := rows.Scan(&k.ID, &k.Owner, &k.Name, &scope, &k.Everything, &audiences, &created, &expires, &used, &revoked); err != nil {
			return nil, err
		}
		if k.Scope, err = doorward.ParseScope(scope); err != nil {
			return nil, err
		}
		k.Audiences = strings.Fields(audiences)
		k.CreatedAt, k.ExpiresAt, k.UsedAt, k.RevokedAt = sqlstore.Moment(created), sqlstore.Moment(expires), sqlstore.Moment(used), sqlstore.Moment(revoked)
		list = append(list, k)
	}
	return list, rows.Err()
}
