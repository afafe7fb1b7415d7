package sqlstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/sid"
	"github.com/doorward/doorward/issuer"
)

// CreateGrant makes the ID of a token that no session stands behind.
func (s *Store) CreateGrant(ctx context.Context, n issuer.NewGrant, ev issuer.Event) (string, time.Time, error) {
	if n.Subject == "" || n.ClientID == "" {
		return "", time.Time{}, errors.New("create grant: Subject and ClientID are required")
	}
	if err := CheckText(n.Subject, n.ClientID); err != nil {
		return "", time.Time{}, err
	}
	var id string
	var at time.Time
	err := s.write(ctx, "create grant", func(ctx context.Context, tx Tx, now time.Time) (err error) {
		at = Truncate(now)
		if !n.NotAfter.IsZero() && n.NotAfter.Before(at.Add(time.Second)) {
			return issuer.ErrInactive
		}
		if id, err = lockGrant(ctx, tx, now, n); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE subjects SET last_id = $3 WHERE subject IN ($1, $2)`, n.Subject, n.ClientID, id)
		if err != nil {
			return err
		}
		return Record(ctx, tx, now, About(ev, n.Subject, id))
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return id, at, nil
}

// EndClient ends every token and session of a client so far.
func (s *Store) EndClient(ctx context.Context, client string, ev issuer.Event) (doorward.Revocation, error) {
	var cut doorward.Revocation
	if client == "" {
		return cut, issuer.ErrNotFound
	}
	if err := CheckText(client); err != nil {
		return cut, err
	}
	err := s.writeNews(ctx, "end client", func(ctx context.Context, tx Tx, now time.Time) (err error) {
		if cut, err = EndClient(ctx, tx, now, client); err != nil {
			return err
		}
		return Record(ctx, tx, now, About(ev, client, ""))
	})
	return cut, err
}

// EndClient is EndClient as a part of a transaction. The cut-off alone ends sessions: there may
// be any number.
func EndClient(ctx context.Context, tx Tx, now time.Time, client string) (doorward.Revocation, error) {
	_, next, err := lockSubject(ctx, tx, now, client)
	if err != nil {
		return doorward.Revocation{}, err
	}
	var last string // The rows of its sessions' subjects, not its own, kept their IDs from a clock that has gone back since.
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), '') FROM sessions`).Scan(&last); err != nil {
		return doorward.Revocation{}, err
	}
	before, err := sid.Next(now, next, last)
	if err != nil {
		return doorward.Revocation{}, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE subjects SET epoch = epoch + 1, last_id = $2 WHERE subject = $1`, client, before)
	if err != nil {
		return doorward.Revocation{}, err
	}
	cut, _, err := CutOff(ctx, tx, now, doorward.KindClient, client, before)
	return cut, err
}

// lockGrant holds the rows of a grant's subject and client and returns the next ID of both. The rows
// are locked in the order of their names, so that two grants do not wait for each other.
func lockGrant(ctx context.Context, tx Tx, now time.Time, n issuer.NewGrant) (id string, err error) {
	epochs := map[string]int64{n.Subject: n.Epoch, n.ClientID: n.ClientEpoch}
	if n.Subject == n.ClientID && n.Epoch != n.ClientEpoch {
		return "", issuer.ErrEpoch
	}
	names := slices.Compact(slices.Sorted(slices.Values([]string{n.Subject, n.ClientID})))
	for _, name := range names {
		epoch, next, err := lockSubject(ctx, tx, now, name)
		if err != nil {
			return "", err
		}
		if epoch != epochs[name] {
			return "", issuer.ErrEpoch
		}
		id = max(id, next)
	}
	return id, nil
}
