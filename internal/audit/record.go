// Package audit is the record of security events: who did what, from where, when, and how it
// ended. A store writes each row in the transaction that makes the change. A [Sealer] puts
// rows into blocks, each with a MAC over the one before it, so that [Verify] notices when
// somebody changes the record by hand.
package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doorward/doorward/issuer"
)

// Record is one row. Some of its texts come from outside and may hold any UTF-8 without a NUL:
// code that shows them must escape them. It holds no secret.
type Record struct {
	// Seq is greater than that of every record whose writing had ended before that of this one began.
	Seq int64
	// At is the store's clock when the transaction began, in UTC and to the millisecond.
	At time.Time
	issuer.Event
	// Block is the number of the block that the record is sealed in, 0 while it is in none.
	Block int64
}

// Result says how it ended.
type Result string

// The results of a Record.
const (
	Done    Result = "done"
	Refused Result = "refused"
)

// Result follows from the kind, and stays what it is for a kind: exports say it, and are refused where they say another. It is Refused if the kind ends in _failed, _throttled or
// _refused, or if a session was ended because of a reused token or a rolled-back store.
func (r Record) Result() Result {
	switch r.Kind {
	case issuer.EventRefreshReuse, issuer.EventStoreRollback:
		return Refused
	}
	for _, end := range []string{"_failed", "_throttled", "_refused"} {
		if strings.HasSuffix(string(r.Kind), end) {
			return Refused
		}
	}
	return Done
}

// Limits of Query.Limit.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// ErrQuery says that a Query is out of bounds, or asks for what no record can have.
var ErrQuery = errors.New("audit: no such query")

// Query selects records. A field of the zero value selects all; texts are compared exactly.
type Query struct {
	// Subject is whom or what it is about, Actor who did it: a user, a client, "role:" and a
	// name, "cli:" and a user of the machine.
	Subject, Actor              string
	Address, Session, RequestID string
	Kinds                       []issuer.EventKind // any of these
	Since, Until                time.Time          // from Since on, and before Until
	// Before is the cursor: the Seq of the last record of the page before.
	Before int64
	// Limit is how many records there are at most: 0 for DefaultLimit, and no more than MaxLimit.
	Limit int
}

// Log is the record as it is searched. All methods may be called concurrently.
type Log interface {
	// SearchAudit returns the records that q selects, newest first: those with the greatest
	// Seq. The next page has Query.Before set to the Seq of the last record; a page with
	// fewer than Limit records is the last one. Records that are written between two pages are
	// in none of them. With an error, ErrQuery or one of the store, it returns no records.
	//
	// Records that are not sealed yet are among them, with Block 0. Subject and Since are
	// looked up; for the other fields each record in question is read, so that a rare one
	// among a million takes a second.
	SearchAudit(ctx context.Context, q Query) ([]Record, error)
}

// Checked returns the query with its Limit set, or ErrQuery.
func (q Query) Checked() (Query, error) {
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	if q.Limit < 1 || q.Limit > MaxLimit || q.Before < 0 || len(q.Kinds) > MaxLimit {
		return q, ErrQuery
	}
	for _, kind := range q.Kinds {
		if kind == "" || strings.ContainsFunc(string(kind), func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
			return q, ErrQuery
		}
	}
	for _, text := range []string{q.Subject, q.Actor, q.Address, q.Session, q.RequestID} {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return q, ErrQuery
		}
	}
	return q, nil
}

// appendTo appends the record so that no two records have the same bytes: numbers take eight
// bytes, and each text follows its length. The block is left out: its MAC covers the number.
func (r Record) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(r.At.UnixMilli()))
	for _, text := range []string{
		string(r.Kind), r.Actor, r.Address, r.RequestID, r.Subject, r.Session, r.Reason,
	} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
		b = append(b, text...)
	}
	return b
}
