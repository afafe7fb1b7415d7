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

	// AddAuditKey adds a key and the event. It returns issuer.ErrConflict if there is one of its number.
	AddAuditKey(ctx context.Context, k StoredKey, ev issuer.Event) error

	// SealAudit takes the records that are not sealed, at most MaxRecords and those with the
	// least Seq first, has them sealed behind the last block, and writes the block and its
	// number on each of them. A record that commits later is in a later block, whatever its
	// Seq. It returns how many records it was: 0, without writing, if there are none or if
	// another process is about to do the same, for which it does not wait. It returns
	// issuer.ErrConflict if newest is not the ID of the newest key.
	SealAudit(ctx context.Context, newest string, seal func(last Head, records []Record, now time.Time) Block) (int, error)

	// PruneAudit reads the first blocks and has prune say how many of them go, and which
	// anchor stands for these; it deletes them, their records and the keys that no block
	// needs any more. It returns how many records went: 0 as SealAudit does.
	PruneAudit(ctx context.Context, newest string, prune func(page Page, now time.Time) (int, Anchor, error)) (int, error)
}

// Source is where a chain is read from.
type Source interface {
	// AuditChain returns the next blocks after one, few enough to be kept in memory, with
	// the records that have their numbers, all as of one moment. After the last block
	// there are no blocks: math.MaxInt64 just asks for Page.Last.
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
