package accounts

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

// liveSecret says of a row of client_secrets whether the secret works at $2.
const liveSecret = `client_id = $1 AND (expires_at = 0 OR expires_at > $2)`

// AddClientSecret gives the client another secret.
func (s *Store) AddClientSecret(
	ctx context.Context, id string, secret account.SecretDigest, keep time.Duration, ev issuer.Event,
) (account.Client, error) {
	return s.changeSecrets(ctx, "add client secret", id, ev, func(ctx context.Context, tx sqlstore.Tx, now time.Time, live []storedSecret) error {
		if len(live) >= account.MaxClientSecrets {
			return account.ErrClientSecrets
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM client_secrets WHERE client_id = $1 AND NOT (`+liveSecret+`)`, id, sqlstore.Millis(now))
		if err != nil {
			return err
		}
		if keep > 0 {
			end := sqlstore.Millis(now) + sqlstore.InMillis(keep)
			_, err = tx.ExecContext(ctx, `UPDATE client_secrets SET expires_at = $2 WHERE client_id = $1 AND (expires_at = 0 OR expires_at > $2)`, id, end)
			if err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO client_secrets (client_id, digest, created_at) VALUES ($1, $2, $3)`,
			id, secret[:], sqlstore.Millis(now))
		return err
	})
}

// DropClientSecret removes one secret.
func (s *Store) DropClientSecret(ctx context.Context, id, secret string, ev issuer.Event) (account.Client, error) {
	return s.changeSecrets(ctx, "drop client secret", id, ev, func(ctx context.Context, tx sqlstore.Tx, _ time.Time, live []storedSecret) error {
		at := slices.IndexFunc(live, func(l storedSecret) bool { return l.ID == secret })
		switch {
		case at < 0:
			return account.ErrNoSecret
		case len(live) == 1:
			return account.ErrLastSecret
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM client_secrets WHERE client_id = $1 AND digest = $2`, id, live[at].digest[:])
		return err
	})
}

// UseClientSecret notes that a secret was used.
func (s *Store) UseClientSecret(ctx context.Context, id string, secret account.SecretDigest) error {
	if sqlstore.CheckText(id) != nil {
		return nil
	}
	return s.write(ctx, "use client secret", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		_, err := tx.ExecContext(ctx, `UPDATE client_secrets SET used_at = $3 WHERE client_id = $1 AND digest = $2 AND used_at <= $4`,
			id, secret[:], sqlstore.Millis(now), sqlstore.Millis(now.Add(-account.ClientUseStep)))
		return err
	})
}

// changeSecrets changes the secrets of a client while nobody else does.
func (s *Store) changeSecrets(
	ctx context.Context, what, id string, ev issuer.Event, change func(context.Context, sqlstore.Tx, time.Time, []storedSecret) error,
) (account.Client, error) {
	var client account.Client
	if sqlstore.CheckText(id) != nil {
		return client, account.ErrNoClient
	}
	err := s.write(ctx, what, func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if err := lockClient(ctx, tx, id); err != nil {
			return err
		}
		live, err := liveSecrets(ctx, tx, now, id)
		if err != nil {
			return err
		}
		if err := change(ctx, tx, now, live); err != nil {
			return err
		}
		if client, err = oneClient(ctx, tx, now, id); err != nil {
			return err
		}
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, id, ""))
	})
	return sqlstore.OrNone(client, err)
}

// storedSecret is a secret as the database has it.
type storedSecret struct {
	account.ClientSecret
	digest account.SecretDigest
}

// liveSecrets lists the secrets of a client that work, the oldest first.
func liveSecrets(ctx context.Context, tx sqlstore.Tx, now time.Time, id string) (list []storedSecret, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT digest, created_at, expires_at, used_at FROM client_secrets
		WHERE `+liveSecret+` ORDER BY created_at, digest`, id, sqlstore.Millis(now))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var digest []byte
		var created, expires, used int64
		if err := rows.Scan(&digest, &created, &expires, &used); err != nil {
			return nil, err
		}
		if len(digest) != len(account.SecretDigest{}) {
			return nil, errors.New("a stored secret is no SHA-256")
		}
		secret := storedSecret{digest: account.SecretDigest(digest)}
		secret.ClientSecret = account.ClientSecret{
			ID: secret.digest.ID(), CreatedAt: sqlstore.Moment(created), ExpiresAt: sqlstore.Moment(expires), UsedAt: sqlstore.Moment(used),
		}
		list = append(list, secret)
	}
	return list, rows.Err()
}
