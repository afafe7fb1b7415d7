package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

const sessionColumns = `id, handle, subject, epoch, client_id, scope, audience, claims,
	auth_time, created_at, last_used_at, idle, idle_end, absolute_end, ended_at, end_reason,
	rev, generation, held_since, late_run, late, mixed, quiet, all_scopes`

// covering is true if a cut-off c covers the session of the outer query's row.
const covering = `(c.kind = 'session' AND c.id = sessions.id)
	OR (c.kind = 'subject' AND c.id = sessions.subject AND sessions.id < c.before)
	OR (c.kind = 'client' AND c.id = sessions.client_id AND sessions.id < c.before)
	OR (` + coveringAll + `)`

// coveringAll is true if a cut-off c of kind all covers the session of the outer query's row.
const coveringAll = `c.kind = 'all' AND sessions.id < c.before`

// notWithAll is true if a session was not ended by a cut-off of all, which leaves no mark in its row.
const notWithAll = `NOT EXISTS (SELECT 1 FROM revocations AS c WHERE ` + coveringAll + `)`

// notOver is true if nobody has ended a session before: only the first end counts.
const notOver = `ended_at = 0 AND ` + notWithAll

// coveredAt is two columns: when the first cut-off that covers a session was recorded, and when
// the first one of kind all that does. Each is 0 if there is none.
const coveredAt = `COALESCE((SELECT MIN(c.recorded_at) FROM revocations AS c WHERE ` + covering + `), 0),
	COALESCE((SELECT MIN(c.recorded_at) FROM revocations AS c WHERE ` + coveringAll + `), 0)`

// CreateSession inserts a session and returns it as stored.
func (s *Store) CreateSession(ctx context.Context, n issuer.NewSession, ev issuer.Event) (issuer.Session, error) {
	if err := checkNew(n); err != nil {
		return issuer.Session{}, err
	}
	var created issuer.Session
	surplus := 0
	err := s.write(ctx, "create session", func(ctx context.Context, tx Tx, now time.Time) error {
		epoch, id, err := lockSubject(ctx, tx, now, n.Subject)
		if err != nil {
			return err
		}
		if epoch != n.Epoch {
			return issuer.ErrEpoch
		}
		_, err = tx.ExecContext(ctx, `UPDATE subjects SET last_id = $2 WHERE subject = $1`, n.Subject, id)
		if err != nil {
			return err
		}
		created, err = insertSession(ctx, tx, now, id, n)
		if err != nil {
			return err
		}
		if err := Record(ctx, tx, now, About(ev, n.Subject, id)); err != nil {
			return err
		}
		surplus, err = s.endSurplus(ctx, tx, now, created, ev)
		return err
	})
	if err != nil {
		return issuer.Session{}, err
	}
	if surplus > 0 {
		s.engine.Announce()
	}
	return created, nil
}

// SessionByHandle returns the session of a refresh token, and when it was read.
func (s *Store) SessionByHandle(ctx context.Context, handle issuer.Digest) (issuer.Session, time.Time, error) {
	var session issuer.Session
	var at time.Time
	err := s.read(ctx, "read session", func(ctx context.Context, tx Tx, now time.Time) (err error) {
		at = Truncate(now)
		session, err = scanCovered(tx.QueryRowContext(ctx,
			`SELECT `+sessionColumns+`, `+coveredAt+` FROM sessions WHERE handle = $1`, handle[:]))
		if err == nil && session.State.HeldSince.After(at) { // It changed after the clock was read, and was then seen.
			now, err = s.engine.Now(ctx, tx)
			at = Truncate(now)
		}
		return OrAbsent(err, issuer.ErrNotFound)
	})
	if err != nil {
		return issuer.Session{}, time.Time{}, err
	}
	return session, at, nil
}

// SwapSession writes the change if the session's Rev is still rev. It returns
// ErrNotFound if there is no such session.
func (s *Store) SwapSession(ctx context.Context, id string, rev int64, ch issuer.Change, ev issuer.Event) (issuer.Session, time.Time, error) {
	if err := CheckText(id, ch.End); err != nil {
		return issuer.Session{}, time.Time{}, err
	}
	var session issuer.Session
	var at time.Time
	write := s.write
	if ch.End != "" {
		write = s.writeNews
	}
	err := write(ctx, "swap session", func(ctx context.Context, tx Tx, now time.Time) (err error) {
		at = Truncate(now)
		if session, err = updateSession(ctx, tx, now, id, rev, ch); err != nil {
			return err
		}
		if ch.End != "" {
			if _, _, err := CutOff(ctx, tx, now, doorward.KindSession, id, ""); err != nil {
				return err
			}
		}
		return Record(ctx, tx, now, About(ev, session.Subject, id))
	})
	if err != nil {
		return issuer.Session{}, time.Time{}, err
	}
	return session, at, nil
}

// EndSession ends one session and records its cut-off, also for an ID without a
// row. Ending it again writes nothing, not even the event.
func (s *Store) EndSession(ctx context.Context, id, reason string, ev issuer.Event) (doorward.Revocation, error) {
	var cut doorward.Revocation
	if id == "" {
		return cut, issuer.ErrNotFound
	}
	if err := CheckText(id, reason); err != nil {
		return cut, err
	}
	err := s.writeNews(ctx, "end session", func(ctx context.Context, tx Tx, now time.Time) error {
		var subject string
		err := tx.QueryRowContext(ctx, `
			UPDATE sessions SET ended_at = $2, end_reason = $3, rev = rev + 1
			WHERE id = $1 AND `+notOver+` RETURNING subject`, id, Millis(now), reason).Scan(&subject)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		ended := err == nil
		var isNew bool
		if cut, isNew, err = CutOff(ctx, tx, now, doorward.KindSession, id, ""); err != nil {
			return err
		}
		if !ended && !isNew {
			return nil
		}
		return Record(ctx, tx, now, About(ev, subject, id))
	})
	return cut, err
}

// Sessions lists sessions, newest first.
func (s *Store) Sessions(ctx context.Context, q issuer.SessionQuery) ([]issuer.Session, error) {
	if err := CheckText(q.ID, q.Subject, q.Before); err != nil {
		return nil, err
	}
	var sessions []issuer.Session
	err := s.read(ctx, "list sessions", func(ctx context.Context, tx Tx, now time.Time) (err error) {
		query, args := selection(q, now)
		rows, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			session, err := scanCovered(rows)
			if err != nil {
				return err
			}
			sessions = append(sessions, session)
		}
		return rows.Err()
	})
	return OrNone(sessions, err)
}

// selection is the statement of a query. Each condition that selects nothing is
// left out, so that what is left finds its index.
func selection(q issuer.SessionQuery, now time.Time) (string, []any) {
	query := `SELECT ` + sessionColumns + `, ` + coveredAt + ` FROM sessions WHERE 1 = 1`
	var args []any
	where := func(condition string, arg any) {
		args = append(args, arg)
		query += fmt.Sprintf(` AND `+condition, len(args))
	}
	if q.ID != "" {
		where(`id = $%d`, q.ID)
	}
	if q.Subject != "" {
		where(`subject = $%d`, q.Subject)
	}
	if q.Before != "" {
		where(`id < $%d`, q.Before)
	}
	if q.Live {
		where(`ended_at = 0 AND idle_end > $%[1]d AND absolute_end > $%[1]d`, Millis(now))
		query += ` AND NOT EXISTS (SELECT 1 FROM revocations AS c WHERE ` + covering + `)`
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	args = append(args, limit)
	return query + fmt.Sprintf(` ORDER BY id DESC LIMIT $%d`, len(args)), args
}

func checkNew(n issuer.NewSession) error {
	if n.Subject == "" {
		return errors.New("create session: no subject")
	}
	if n.Idle <= 0 || n.Absolute <= 0 {
		return errors.New("create session: Idle and Absolute must be positive")
	}
	if _, err := n.Scope.MarshalText(); err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	return CheckText(n.Subject, n.ClientID, n.Audience, string(n.Claims))
}

func insertSession(ctx context.Context, tx Tx, now time.Time, id string, n issuer.NewSession) (issuer.Session, error) {
	authTime := n.AuthTime
	if authTime.IsZero() {
		authTime = now
	}
	return scanSession(tx.QueryRowContext(ctx, `
		INSERT INTO sessions (id, handle, subject, epoch, client_id, scope, audience, claims,
			auth_time, created_at, last_used_at, idle, idle_end, absolute_end, all_scopes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $13, $14)
		RETURNING `+sessionColumns,
		id, n.Handle[:], n.Subject, n.Epoch, n.ClientID, n.Scope.String(), n.Audience, string(n.Claims),
		Millis(authTime), Millis(now), InMillis(n.Idle), Millis(now)+InMillis(n.Idle), Millis(now)+InMillis(n.Absolute), n.AllScopes))
}

// updateSession is the compare-and-swap. A session that has ended stays ended, for its first
// reason. One that was ended with all others, which leaves no mark in its row, is a conflict
// too. The last use never goes back, even if the clock does.
func updateSession(ctx context.Context, tx Tx, now time.Time, id string, rev int64, ch issuer.Change) (issuer.Session, error) {
	st := ch.State
	var used int64
	if ch.Used {
		used = 1
	}
	if ch.Hold {
		st.HeldSince = now
	}
	set := `rev = rev + 1,
		generation = $3, held_since = $4, late_run = $5, late = $6, mixed = $7, quiet = $8,
		last_used_at = CASE WHEN CAST($10 AS BIGINT) = 1 AND CAST($9 AS BIGINT) > last_used_at
			THEN CAST($9 AS BIGINT) ELSE last_used_at END,
		idle_end = CASE WHEN CAST($10 AS BIGINT) = 1 THEN CAST($9 AS BIGINT) + idle ELSE idle_end END`
	args := []any{
		id, rev, int64(st.Generation), Millis(st.HeldSince), st.LateRun, st.Late, st.Mixed, st.Quiet, Millis(now), used,
	}
	// SQLite writes the index of live sessions anew wherever ended_at is set, to the same value too.
	if ch.End != "" {
		set += `,
		end_reason = CASE WHEN ended_at = 0 THEN $11 ELSE end_reason END,
		ended_at = CASE WHEN ended_at = 0 THEN CAST($9 AS BIGINT) ELSE ended_at END`
		args = append(args, ch.End)
	}
	session, err := scanSession(tx.QueryRowContext(ctx,
		`UPDATE sessions SET `+set+` WHERE id = $1 AND rev = $2 AND `+notWithAll+` RETURNING `+sessionColumns, args...))
	if !errors.Is(err, sql.ErrNoRows) {
		return session, err
	}
	var there string
	err = tx.QueryRowContext(ctx, `SELECT id FROM sessions WHERE id = $1`, id).Scan(&there)
	if err == nil {
		err = issuer.ErrConflict
	}
	return issuer.Session{}, OrAbsent(err, issuer.ErrNotFound)
}

func scanSession(row Scanner, more ...any) (issuer.Session, error) {
	var s issuer.Session
	var handle []byte
	var scope, claims string
	var authTime, created, used, idle, idleEnd, absoluteEnd, ended, held int64
	err := row.Scan(append([]any{
		&s.ID, &handle, &s.Subject, &s.Epoch, &s.ClientID, &scope, &s.Audience, &claims,
		&authTime, &created, &used, &idle, &idleEnd, &absoluteEnd, &ended, &s.EndReason,
		&s.Rev, &s.State.Generation, &held, &s.State.LateRun, &s.State.Late, &s.State.Mixed, &s.State.Quiet, &s.AllScopes,
	}, more...)...)
	if err != nil {
		return issuer.Session{}, err
	}
	if s.Scope, err = doorward.ParseScope(scope); err != nil {
		return issuer.Session{}, err
	}
	copy(s.Handle[:], handle)
	if claims != "" {
		s.Claims = json.RawMessage(claims)
	}
	s.AuthTime, s.CreatedAt, s.LastUsedAt = Moment(authTime), Moment(created), Moment(used)
	s.Idle = time.Duration(idle) * time.Millisecond
	s.IdleEnd, s.AbsoluteEnd, s.EndedAt = Moment(idleEnd), Moment(absoluteEnd), Moment(ended)
	s.State.HeldSince = Moment(held)
	return s, nil
}

// scanCovered scans a session and coveredAt, and shows the session as ended if a cut-off covers
// it. A cut-off of all comes only from the removal of a refresh key. An end in the row itself
// comes first, whatever the times say: of two transactions the later one may have read the clock
// first.
func scanCovered(row Scanner) (issuer.Session, error) {
	var covered, withAll int64
	s, err := scanSession(row, &covered, &withAll)
	if err != nil {
		return issuer.Session{}, err
	}
	if covered == 0 || !s.EndedAt.IsZero() {
		return s, nil
	}
	s.EndedAt, s.EndReason = Moment(covered), issuer.ReasonAdmin
	if withAll == covered {
		s.EndReason = issuer.ReasonKeyRemoved
	}
	return s, nil
}
