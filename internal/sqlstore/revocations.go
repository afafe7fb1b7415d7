package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/sid"
	"github.com/doorward/doorward/issuer"
)

const (
	// slack covers the leeway of verifiers beyond the longest access token.
	slack = time.Minute
	// sweepAfter is how long an expired cut-off stays, for readers that are behind.
	sweepAfter = time.Hour
	// sessionsKept is how long a session that is over stays.
	sessionsKept = 30 * 24 * time.Hour
	// pruneBatch is how many rows one transaction of Prune deletes. It takes a few
	// milliseconds; a refresh should not wait for Prune longer than 50 ms.
	pruneBatch = 50
)

// Rester is an [Engine] that has work of its own after each step of a clean-up. No writer waits
// for that.
type Rester interface {
	Rest(ctx context.Context) error
}

// RevocationsSince returns every cut-off recorded at or after the cursor. A cursor
// that is not of this history counts as the zero cursor.
func (s *Store) RevocationsSince(ctx context.Context, after issuer.Cursor) (issuer.RevocationPage, error) {
	var page issuer.RevocationPage
	err := s.readFirst(ctx, "read revocations", func(ctx context.Context, tx Tx, now time.Time) error {
		place, err := s.engine.Resume(ctx, tx, after)
		if err != nil {
			return err
		}
		page.Lineage, page.Next = place.Lineage, place.Next
		where, args := place.unread(now)
		page.Entries, err = cutOffs(ctx, tx, `WHERE `+where+` ORDER BY position, kind, id, before`, args...)
		return err
	})
	return OrNone(page, err)
}

// unread selects the entries that a reader at this place has not read: all that have not
// expired if it has read nothing.
func (p Place) unread(now time.Time) (where string, args []any) {
	if p.From == 0 {
		return `(expires_at = 0 OR expires_at > $1)`, []any{Millis(now)}
	}
	where, args = `(position >= $1`, []any{p.From}
	for i, position := range p.Also {
		where += fmt.Sprintf(` OR position = $%d`, i+2)
		args = append(args, position)
	}
	return where + `)`, args
}

// WaitChange returns when the store may have changed.
func (s *Store) WaitChange(ctx context.Context) error {
	return s.engine.WaitChange(ctx)
}

// Prune deletes what no one can need any more. It works in several short
// transactions, so that writers do not wait long.
func (s *Store) Prune(ctx context.Context) (int64, error) {
	var total int64
	for _, sweep := range []func(context.Context) (int64, bool, error){
		s.pruneRevocations, s.pruneTries, s.sessionSweep(),
	} {
		for {
			n, more, err := sweep(ctx)
			total += n
			if err == nil && n > 0 {
				err = s.rest(ctx)
			}
			if err != nil {
				return total, err
			}
			if !more {
				break
			}
		}
	}
	return total, nil
}

func (s *Store) rest(ctx context.Context) error {
	if r, ok := s.engine.(Rester); ok {
		return r.Rest(ctx)
	}
	return nil
}

func (s *Store) pruneRevocations(ctx context.Context) (int64, bool, error) {
	return s.prune(ctx, "prune revocations", func(now time.Time) (string, []any) {
		return `DELETE FROM revocations WHERE (kind, id, before) IN (
			SELECT kind, id, before FROM revocations WHERE expires_at > 0 AND expires_at < $1 LIMIT $2)`,
			[]any{Millis(now.Add(-sweepAfter)), pruneBatch}
	})
}

func (s *Store) pruneTries(ctx context.Context) (int64, bool, error) {
	return s.prune(ctx, "prune tries", func(now time.Time) (string, []any) {
		return `DELETE FROM tries WHERE key IN (SELECT key FROM tries WHERE ends_at <= $1 LIMIT $2)`,
			[]any{Millis(now), pruneBatch}
	})
}

func (s *Store) prune(ctx context.Context, what string, statement func(time.Time) (string, []any)) (n int64, more bool, err error) {
	err = s.write(ctx, what, func(ctx context.Context, tx Tx, now time.Time) error {
		query, args := statement(now)
		r, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		n, err = r.RowsAffected()
		return err
	})
	return n, n == pruneBatch, err
}

// sessionSweep returns a function that deletes one batch of sessions that are long
// over. Which ones is looked up outside the writing transaction, and only among those that
// began long enough ago: of many sessions most did not.
func (s *Store) sessionSweep() func(context.Context) (int64, bool, error) {
	const over = `(ended_at > 0 AND ended_at < $2) OR idle_end < $2 OR absolute_end < $2
		OR id < (SELECT COALESCE(MAX(before), '') FROM revocations WHERE kind = 'all' AND recorded_at < $2)`
	after := ""
	return func(ctx context.Context) (n int64, more bool, err error) {
		last := after
		err = s.read(ctx, "find sessions to prune", func(ctx context.Context, tx Tx, now time.Time) error {
			return tx.QueryRowContext(ctx, `
				SELECT COALESCE(MAX(id), '') FROM (
					SELECT id FROM sessions WHERE id > $1 AND id < $4 AND (`+over+`) ORDER BY id LIMIT $3) AS batch`,
				after, Millis(now.Add(-sessionsKept)), pruneBatch, sid.First(now.Add(-sessionsKept))).Scan(&last)
		})
		if err != nil || last == "" {
			return 0, false, err
		}
		err = s.write(ctx, "prune sessions", func(ctx context.Context, tx Tx, now time.Time) error {
			r, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE id > $1 AND id <= $3 AND (`+over+`)`,
				after, Millis(now.Add(-sessionsKept)), last)
			if err != nil {
				return err
			}
			n, err = r.RowsAffected()
			return err
		})
		after = last
		return n, true, err
	}
}

// CutOff records a cut-off, and returns it and whether it is new. One of the same
// kind, id and before is left as it is and returned. Those of the kinds key and all never
// expire: of the sessions that ended by the latter no row says so.
func CutOff(ctx context.Context, tx Tx, now time.Time, kind doorward.Kind, id, before string) (doorward.Revocation, bool, error) {
	cut := doorward.Revocation{Kind: kind, ID: id, Before: before}
	var err error
	if kind != doorward.KindKey && kind != doorward.KindAll {
		if cut.ExpiresAt, err = expiry(ctx, tx, now, cut); err != nil {
			return doorward.Revocation{}, false, err
		}
	}
	isNew, err := ChangedOne(tx.ExecContext(ctx, `
		INSERT INTO revocations (kind, id, before, expires_at, recorded_at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (kind, id, before) DO NOTHING`,
		string(kind), id, before, Millis(cut.ExpiresAt), Millis(now)))
	if err != nil || isNew {
		return cut, isNew, err
	}
	var expires int64
	err = tx.QueryRowContext(ctx, `
		SELECT expires_at FROM revocations WHERE kind = $1 AND id = $2 AND before = $3`,
		string(kind), id, before).Scan(&expires)
	cut.ExpiresAt = Moment(expires)
	return cut, false, err
}

// expiry is when no access token that the cut-off ends can be live any more, and no session that only the cut-off ends. The
// last such token was made at now at the latest or, if the clock went back, when one of the sessions was last used.
func expiry(ctx context.Context, tx Tx, now time.Time, cut doorward.Revocation) (time.Time, error) {
	var longest, used int64
	err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(access_ttl), 0),
			COALESCE((SELECT MAX(last_used_at) FROM sessions WHERE id = $1), 0) +
			COALESCE((SELECT MAX(last_used_at) FROM sessions WHERE subject = $2), 0)
		FROM keys`, only(cut, doorward.KindSession), only(cut, doorward.KindSubject)).Scan(&longest, &used)
	// Grants have no row, but their ID, and a cut-off past it, tell when they were made.
	used = max(used, sid.MadeAt(cut.Before), sid.MadeAt(only(cut, doorward.KindSession)))
	if err != nil {
		return time.Time{}, err
	}
	lapse, err := lastLapse(ctx, tx, cut)
	return Moment(max(Millis(now)+longest, used+longest, lapse)).Add(slack), err
}

// lastLapse is when the last session lapses that the cut-off of a client ends: their rows do not say so,
// and without the cut-off they would be live again.
func lastLapse(ctx context.Context, tx Tx, cut doorward.Revocation) (at int64, err error) {
	if cut.Kind != doorward.KindClient {
		return 0, nil
	}
	const last = `SELECT COALESCE(MAX(absolute_end), 0) FROM sessions WHERE client_id = $1`
	query := last + ` AND ended_at = 0 AND client_id <> '` + issuer.FirstPartyClient + `'`
	if cut.ID == issuer.FirstPartyClient {
		// Nearly all sessions are its own, and not in the index of clients. With the plus SQLite reads them
		// as they lie, not in the order of the index of live ones, which takes twenty times as long.
		query = last + ` AND +ended_at = 0`
	}
	err = tx.QueryRowContext(ctx, query, cut.ID).Scan(&at)
	return at, err
}

// only returns the ID of a cut-off of this kind, and "" for one of another.
func only(cut doorward.Revocation, kind doorward.Kind) string {
	if cut.Kind == kind {
		return cut.ID
	}
	return ""
}

func cutOffs(ctx context.Context, tx Tx, where string, args ...any) (cuts []doorward.Revocation, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT kind, id, before, expires_at FROM revocations `+where, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var kind, id, before string
		var expires int64
		if err := rows.Scan(&kind, &id, &before, &expires); err != nil {
			return nil, err
		}
		cuts = append(cuts, doorward.Revocation{
			Kind: doorward.Kind(kind), ID: id, Before: before, ExpiresAt: Moment(expires),
		})
	}
	return cuts, rows.Err()
}
