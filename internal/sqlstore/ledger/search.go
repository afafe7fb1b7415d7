package ledger

import (
	"context"
	"math"
	"time"

	"github.com/doorward/doorward/internal/audit"
)

// searchWindow is how many positions of the record one statement looks through, so that a
// search for what is rare has no statement that takes long.
const searchWindow = 50_000

// selected are the conditions of a query. The text is one for all, so that it stays prepared.
const selected = `seq >= $1 AND seq <= $2 AND at >= $3 AND at < $4
	AND ($5 = '' OR actor = $5) AND ($6 = '' OR address = $6) AND ($7 = '' OR session = $7) AND ($8 = '' OR request_id = $8)
	AND ($9 = '' OR REPLACE($9, ',' || kind || ',', '') <> $9)
	ORDER BY seq DESC LIMIT $10`

// Search is a query that is being answered, a part of the record with each step.
type Search struct {
	q            audit.Query
	since, until int64
	kinds        string
	first        int64 // position to look at
	before       int64 // position that was looked at
	begun        bool
	Found        []audit.Record
}

// NewSearch begins to answer a query that was checked.
func NewSearch(q audit.Query) *Search {
	s := &Search{q: q, since: math.MinInt64, until: math.MaxInt64, before: math.MaxInt64}
	if !q.Since.IsZero() {
		s.since = roundUp(q.Since)
	}
	if !q.Until.IsZero() {
		s.until = roundUp(q.Until)
	}
	if q.Before > 0 {
		s.before = q.Before
	}
	for _, kind := range q.Kinds {
		s.kinds += "," + string(kind) + ","
	}
	return s
}

// Step looks through the next part, and reports whether there is more to look through.
func (s *Search) Step(ctx context.Context, tx Tx) (more bool, err error) {
	first, last, err := s.window(ctx, tx)
	if err != nil || last < first {
		return false, err
	}
	query, args := `SELECT `+recordColumns+` FROM audit WHERE `, []any{
		first, last, s.since, s.until, s.q.Actor, s.q.Address, s.q.Session, s.q.RequestID, s.kinds, s.q.Limit - len(s.Found),
	}
	if s.q.Subject != "" { // which has an index
		query, args = query+`subject = $11 AND subject <> '' AND `, append(args, s.q.Subject)
	}
	list, err := records(ctx, tx, query+selected, args...)
	if err != nil {
		return false, err
	}
	s.Found, s.before = append(s.Found, list...), first
	return len(s.Found) < s.q.Limit, nil
}

// window is the first and the last position of the next part. There is none if last is less.
func (s *Search) window(ctx context.Context, tx Tx) (first, last int64, err error) {
	if !s.begun {
		// The plus sign keeps the databases from walking through all that is too old in the
		// order of seq: they look it up by time.
		query, args := `SELECT COALESCE(MIN(seq), 1) FROM audit`, []any{}
		if s.since != math.MinInt64 {
			query, args = `SELECT COALESCE(MIN(+seq), 1) FROM audit WHERE at >= $1`, []any{s.since}
		}
		if err := tx.QueryRowContext(ctx, query, args...).Scan(&s.first); err != nil {
			return 0, 0, err
		}
		s.begun = true
	}
	// What is missing, since it was deleted or never committed, is skipped.
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM audit WHERE seq < $1`, s.before).Scan(&last)
	if s.q.Subject != "" {
		return s.first, last, err
	}
	return max(s.first, last-searchWindow+1), last, err
}

// roundUp is the first millisecond that is not before t.
func roundUp(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}
