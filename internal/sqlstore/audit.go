package sqlstore

import (
	"context"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/sqlstore/ledger"
	"github.com/doorward/doorward/issuer"
)

// Locker is an [Engine] on which several transactions write at once. TryLock takes a lock that
// one transaction of all nodes has until it ends, and reports false, at once, if another has it.
type Locker interface {
	TryLock(ctx context.Context, tx Tx) (bool, error)
}

// Record appends an event to the audit record.
func Record(ctx context.Context, tx Tx, now time.Time, ev issuer.Event) error {
	return ledger.Add(ctx, tx, now, ev)
}

// About fills in whom an event is about where the caller left it open.
func About(ev issuer.Event, subject, session string) issuer.Event {
	if ev.Subject == "" {
		ev.Subject = subject
	}
	if ev.Session == "" {
		ev.Session = session
	}
	return ev
}

// Ledger is the audit record in the database of a Store. All methods may be called concurrently.
type Ledger struct {
	store *Store
}

var _ audit.Store = (*Ledger)(nil)

// LedgerIn returns the audit record in the database of a store.
func LedgerIn(s *Store) *Ledger { return &Ledger{s} }

// Record writes ev to the record.
func (l *Ledger) Record(ctx context.Context, ev issuer.Event) error {
	return l.store.write(ctx, "record", func(ctx context.Context, tx Tx, now time.Time) error {
		return Record(ctx, tx, now, ev)
	})
}

// SearchAudit returns the records that q selects, newest first.
func (l *Ledger) SearchAudit(ctx context.Context, q audit.Query) ([]audit.Record, error) {
	q, err := q.Checked()
	if err != nil {
		return nil, err
	}
	search := ledger.NewSearch(q)
	for more := true; more; {
		more, err = lookup(ctx, l.store, "search the audit record", search.Step)
		if err != nil {
			return nil, err
		}
	}
	return search.Found, nil
}

// AuditWaiting returns how many records are not sealed, and when the first of them was written.
func (l *Ledger) AuditWaiting(ctx context.Context) (n int64, oldest time.Time, err error) {
	err = l.store.read(ctx, "count records to seal", func(ctx context.Context, tx Tx, _ time.Time) (err error) {
		n, oldest, err = ledger.Waiting(ctx, tx)
		return err
	})
	return n, oldest, err
}

// AuditKeys returns the sealed keys, by number.
func (l *Ledger) AuditKeys(ctx context.Context) ([]audit.StoredKey, error) {
	return lookup(ctx, l.store, "read audit keys", ledger.Keys)
}

// AddAuditKey adds a key and the event.
func (l *Ledger) AddAuditKey(ctx context.Context, k audit.StoredKey, ev issuer.Event) error {
	if err := CheckText(k.ID); err != nil {
		return err
	}
	return l.store.write(ctx, "add audit key", func(ctx context.Context, tx Tx, now time.Time) error {
		if err := ledger.AddKey(ctx, tx, k); err != nil {
			return err
		}
		return Record(ctx, tx, now, About(ev, k.ID, ""))
	})
}

// SealAudit seals the first of the records that wait, unless another process is about to.
func (l *Ledger) SealAudit(ctx context.Context, newest string, seal func(audit.Head, []audit.Record, time.Time) audit.Block) (int, error) {
	return l.tend(ctx, "seal the audit record", newest, ledger.ToSeal, func(ctx context.Context, tx Tx, now time.Time) (int, error) {
		return ledger.Seal(ctx, tx, Truncate(now), seal)
	})
}

// PruneAudit deletes the first blocks, as many as prune says.
func (l *Ledger) PruneAudit(ctx context.Context, newest string, prune func(audit.Page, time.Time) (int, audit.Anchor, error)) (int, error) {
	n, err := l.tend(ctx, "prune the audit record", newest, ledger.ToCut, func(ctx context.Context, tx Tx, now time.Time) (int, error) {
		return ledger.Cut(ctx, tx, Truncate(now), prune)
	})
	if err == nil && n > 0 {
		err = l.store.rest(ctx)
	}
	return n, err
}

// AuditChain returns the next blocks after one, and their records.
func (l *Ledger) AuditChain(ctx context.Context, after int64) (audit.Page, error) {
	return lookup(ctx, l.store, "read the audit record", func(ctx context.Context, tx ledger.Tx) (audit.Page, error) {
		return ledger.Chain(ctx, tx, after)
	})
}

// tend runs f if there is something to do, while no other process runs one, and if newest is
// still the newest key.
func (l *Ledger) tend(
	ctx context.Context, what, newest string,
	todo func(context.Context, ledger.Tx) (bool, error), f func(context.Context, Tx, time.Time) (int, error),
) (n int, err error) {
	if there, err := lookup(ctx, l.store, what, todo); !there || err != nil {
		return 0, err
	}
	err = l.store.write(ctx, what, func(ctx context.Context, tx Tx, now time.Time) (err error) {
		n = 0
		if locker, ok := l.store.engine.(Locker); ok {
			if free, err := locker.TryLock(ctx, tx); !free || err != nil {
				return err
			}
		}
		if err := ledger.CheckKey(ctx, tx, newest); err != nil {
			return err
		}
		n, err = f(ctx, tx, now)
		return err
	})
	return OrNone(n, err)
}

// lookup returns what f finds in a reading transaction.
func lookup[T any](ctx context.Context, s *Store, what string, f func(context.Context, ledger.Tx) (T, error)) (found T, err error) {
	err = s.read(ctx, what, func(ctx context.Context, tx Tx, _ time.Time) (err error) {
		found, err = f(ctx, tx)
		return err
	})
	return found, err
}
