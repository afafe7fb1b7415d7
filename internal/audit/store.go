package audit

import (
	"context"
	"time"

	"github.com/doorward/doorward/issuer"
)

// Store keeps the record. Each method is one transaction. What a method that returned without
// an error has written survives a crash; after an error nothing of it holds. All methods may
// be called concurrently, from several processes.
type Store interface {
	Log
	Source

	// Record adds an event to the record.
	Record(ctx context.Context, ev issuer.Event) error

	// AuditWaiting returns how many records are not sealed, and when the first of them was written.
	AuditWaiting(ctx context.Context) (n int64, oldest time.Time, err error)

	// AuditKeys returns the sealed keys, by number.
	AuditKeys(ctx context.Context) ([]StoredKey, error)

	// AddAuditKey adds a key and records the event. It returns issuer.ErrConflict if its number is taken.
	AddAuditKey(ctx context.Context, k StoredKey, ev issuer.Event) error

	// SealAudit takes the records that are not sealed, at most MaxRecords of them and those with
	// the least Seq first. It calls seal to make the block of them behind the last one, stores the
	// block, and marks the records with its number. A record that is committed later goes into a
	// later block, whatever its Seq. It returns the number of records. That is 0, and nothing is
	// written, if there are none or if another process is sealing, for which it does not wait. It
	// returns issuer.ErrConflict if newest is not the ID of the newest key.
	SealAudit(ctx context.Context, newest string, seal func(last Head, records []Record, now time.Time) Block) (int, error)

	// PruneAudit reads the first blocks and calls prune, which says how many of them to delete and
	// which anchor stands for those. It deletes them, their records and the keys that no block
	// needs any more. It returns the number of records deleted, and 0 or issuer.ErrConflict as
	// SealAudit does.
	PruneAudit(ctx context.Context, newest string, prune func(page Page, now time.Time) (int, Anchor, error)) (int, error)
}

// Source is where a chain is read from.
type Source interface {
	// AuditChain returns the next blocks after a number, few enough to be kept in memory, and
	// the records that have their numbers, all as of one moment. After the last block it returns
	// none: with math.MaxInt64 it just tells Page.Last.
	AuditChain(ctx context.Context, after int64) (Page, error)
}

// Page is a part of a chain.
type Page struct {
	Anchor Anchor
	Blocks []Block
	// Records are in the order of Block and Seq. There is at most one more than the blocks
	// are to have; behind the last block, records of any later number are among them.
	Records []Record
	// Least is the least number of a block that a record has, 0 if none is sealed.
	Least int64
	// Keys are all keys, by number.
	Keys []StoredKey
	// Last is the last block of all, or what the anchor stands for.
	Last Head
}
