package sqlstore

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/doorward/doorward/internal/audit"
)

var _ audit.Log = (*Store)(nil)

// searchWindow is how many positions of the record one statement looks through, so that a
// search for what is rare has no statement that takes long.
const searchWindow = 50_000

const recordColumns = `seq, at, kind, actor, address, request_id, subject, session, reason, block`

// selected are the conditions of a query. The text is one for all, so that it stays prepared.
const selected = ` AND at >= $3 AND at < $4
	AND ($5 = '' OR actor = $5) AND ($6 = '' OR address = $6) AND ($7 = '' OR session = $7) AND ($8 = '' OR request_id = $8)
	AND ($9 = '' OR REPLACE($9, ',' || kind || ',', '') <> $9)
	ORDER BY seq DESC LIMIT $10`

// SearchAudit returns the records that q selects, newest first.
func (s *Store) SearchAudit(ctx context.Context, q audit.Query) ([]audit.Record, error) {
	q, err := q.Checked()
	if err != nil {
		return nil, err
	}
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !q.Since.IsZero() {
		since = q.Since.UnixMilli()
	}
	if !q.Until.IsZero() {
		until = q.Until.UnixMilli()
	}
	kinds := ""
	for _, kind := range q.Kinds {
		kinds += "," + string(kind) + ","
	}
	var found []audit.Record
	before := q.Before
	if before == 0 {
		before = math.MaxInt64
	}
	for len(found) < q.Limit {
		from, last, err := s.auditWindow(ctx, before, since, until, q.Subject != "")
		if err != nil {
			return nil, err
		}
		if last < from {
			break
		}
		where := `seq >= $1 AND seq <= $2`
		args := []any{from, last, since, until, q.Actor, q.Address, q.Session, q.RequestID, kinds, q.Limit - len(found)}
		if q.Subject != "" {
			where, args = where+` AND subject = $11 AND subject <> ''`, append(args, q.Subject)
		}
		list, err := s.records(ctx, where+selected, args...)
		if err != nil {
			return nil, err
		}
		found, before = append(found, list...), from
	}
	return found, nil
}

// auditWindow returns the first and the last position that the next statement looks through,
// of a time and before a position: all if whole is set. There is none if last is less.
func (s *Store) auditWindow(ctx context.Context, before, since, until int64, whole bool) (first, last int64, err error) {
	err = s.read(ctx, "search the audit record", func(ctx context.Context, tx Tx, _ time.Time) error {
		return tx.QueryRowContext(ctx, `
			SELECT (SELECT COALESCE(MIN(seq), 1) FROM audit WHERE at >= $1),
				(SELECT COALESCE(MAX(seq), 0) FROM audit WHERE at < $2 AND seq < $3)`,
			since, until, before).Scan(&first, &last)
	})
	if !whole {
		first = max(first, last-searchWindow+1)
	}
	return first, last, err
}

func (s *Store) records(ctx context.Context, where string, args ...any) (list []audit.Record, err error) {
	err = s.read(ctx, "search the audit record", func(ctx context.Context, tx Tx, _ time.Time) (err error) {
		list, err = scanRecords(ctx, tx, `SELECT `+recordColumns+` FROM audit WHERE `+where, args...)
		return err
	})
	return list, err
}

// scanRecords reads the records of a statement that returns recordColumns.
func scanRecords(ctx context.Context, tx Tx, query string, args ...any) (list []audit.Record, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r audit.Record
		var at int64
		if err := rows.Scan(&r.Seq, &at, &r.Kind, &r.Actor, &r.Address, &r.RequestID, &r.Subject, &r.Session, &r.Reason, &r.Block); err != nil {
			return nil, err
		}
		r.At = time.UnixMilli(at).UTC()
		list = append(list, r)
	}
	return list, rows.Err()
}
