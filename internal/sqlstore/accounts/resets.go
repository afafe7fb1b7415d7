package accounts

import (
	"context"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

var _ account.ResetStore = (*Store)(nil)

// CreateReset stores the digest of a link in the place of one before it.
func (s *Store) CreateReset(ctx context.Context, id string, digest [32]byte, lifetime time.Duration, ev issuer.Event) (time.Time, error) {
	var expires time.Time
	if err := sqlstore.CheckText(id); err != nil {
		return expires, err
	}
	err := s.write(ctx, "create reset", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		if _, err := oneUser(ctx, tx, `u.id = $1`, id); err != nil {
			return err
		}
		ends := expiryAfter(now, lifetime)
		_, err := tx.ExecContext(ctx, `
			INSERT INTO resets (user_id, digest, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (user_id) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at`, id, digest[:], ends)
		if err != nil {
			return err
		}
		expires = sqlstore.Moment(ends)
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, id, ""))
	})
	return expires, err
}

// ResetUser returns whose link has this digest.
func (s *Store) ResetUser(ctx context.Context, digest [32]byte) (account.User, error) {
	var user account.User
	err := s.read(ctx, "read reset", func(ctx context.Context, tx sqlstore.Tx, now time.Time) (err error) {
		user, err = resetUser(ctx, tx, now, digest)
		return err
	})
	return user, err
}

// UseReset sets the password by a link, which works no more.
func (s *Store) UseReset(ctx context.Context, digest [32]byte, hash string, ev issuer.Event) (doorward.Revocation, error) {
	var cut doorward.Revocation
	if err := sqlstore.CheckText(hash); err != nil {
		return cut, err
	}
	err := s.writeNews(ctx, "use reset", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		user, err := resetUser(ctx, tx, now, digest)
		if err != nil {
			return err
		}
		// First the user and then the link, as in every change of a password.
		if err := setHash(ctx, tx, now, user.ID, account.NewPassword{Hash: hash}); err != nil {
			return err
		}
		used, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `DELETE FROM resets WHERE user_id = $1 AND digest = $2`, user.ID, digest[:]))
		if err != nil {
			return err
		}
		if !used { // by somebody else, who was here first
			return account.ErrReset
		}
		if cut, err = sqlstore.EndSubject(ctx, tx, now, user.ID, issuer.ReasonPassword); err != nil {
			return err
		}
		return sqlstore.Record(ctx, tx, now, sqlstore.About(ev, user.ID, ""))
	})
	return sqlstore.OrNone(cut, err)
}

// dropReset ends the link of a user, whom the transaction has changed already: first the user
// and then the link, as where it is used.
func dropReset(ctx context.Context, tx sqlstore.Tx, id string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM resets WHERE user_id = $1`, id)
	return err
}

func resetUser(ctx context.Context, tx sqlstore.Tx, now time.Time, digest [32]byte) (account.User, error) {
	var id string
	err := tx.QueryRowContext(ctx, `SELECT user_id FROM resets WHERE digest = $1 AND expires_at > $2`, digest[:], sqlstore.Millis(now)).Scan(&id)
	if err := sqlstore.OrAbsent(err, account.ErrReset); err != nil {
		return account.User{}, err
	}
	c, err := oneUser(ctx, tx, `u.id = $1`, id)
	if err == nil && c.User.Disabled {
		return account.User{}, account.ErrReset
	}
	return c.User, err
}
