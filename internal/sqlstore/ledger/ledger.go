// Package ledger has the SQL of the audit record. Its functions run in a transaction of the store.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
)

// Tx is a transaction, whose statements bind $1, $2, … by number.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Add appends an event to the record. Text that cannot be stored is repaired and not
// refused: who sends a bad byte does not go unrecorded. A refresh that went as it should
// is no event of the record: each session has one every few minutes.
func Add(ctx context.Context, tx Tx, now time.Time, ev issuer.Event) error {
	if ev.Kind == issuer.EventRefresh {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO audit (at, kind, actor, address, request_id, subject, session, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		now.UnixMilli(), storable(string(ev.Kind)), storable(ev.Actor), storable(ev.Address),
		storable(ev.RequestID), storable(ev.Subject), storable(ev.Session), storable(ev.Reason))
	return err
}

func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

const recordColumns = `seq, at, kind, actor, address, request_id, subject, session, reason, block`

// records reads the rows of a statement that returns recordColumns.
func records(ctx context.Context, tx Tx, query string, args ...any) (list []audit.Record, err error) {
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
