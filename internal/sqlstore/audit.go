package sqlstore

import (
	"context"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/sqlstore/ledger"
	"github.com/doorward/doorward/issuer"
)

var _ audit.Store = (*Store)(nil)

// Locker is an [Engine] on which several transactions write at once. TryLock takes a lock that
// one transaction of all nodes has until it ends, and reports false, at once, if another has it.
type Locker interface {
	TryLock(ctx context.Context, tx Tx) (bool, error)
}

// record appends an event to the audit record.
func record(ctx context.Context, tx Tx, now time.Time, ev issuer.Event) error {
	return ledger.Add(ctx, tx, now, ev)
}

// about fills in whom an event is about where the caller left it open.
func about(ev issuer.Event, subject, session string) issuer.Event {
	if ev.Subject == "" {
		ev.Subject = subject
	}
	if ev.Session == "" {
		ev.Session = session
	}
	return ev
}

// SearchAudit returns the records that q selects, newest first.
func (s *Store) SearchAudit(ctx context.Context, q audit.Query) ([]audit.Record, error) {
	q, err := q.Checked()
	if err != nil {
		return nil, err
	}
	search := ledger.NewSearch(q)
	for more := true; more; {
		more, err = lookup(ctx, s, "search the audit record", search.Step)
		if err != nil {
			return nil, err
		}
	}
	return search.Found, nil
}

// AuditWaiting returns how many records are not sealed, and when the first of them was written.
func (s *Store) AuditWaiting(ctx context.Context) (n int64, oldest time.Time, err error) {
	err = s.read(ctx, "count records to seal", func(ctx context.Context, tx Tx, _ time.Time) (err error) {
		n, oldest, err = ledger.Waiting(ctx, tx)
		return err
	})
	return n, oldest, err
}

// AuditKeys returns the sealed keys, by number.
func (s *Store) AuditKeys(ctx context.Context) ([]audit.StoredKey, error) {
	return lookup(ctx, s, "read audit keys", ledger.Keys)
}

// AddAuditKey adds a key and the event.
func (s *Store) AddAuditKey(ctx context.Context, k audit.StoredKey, ev issuer.Event) error {
	if err := checkText(k.ID); err != nil {
		return err
	}
	return s.write(ctx, "add audit key", func(ctx context.Context, tx Tx, now time.Time) error {
		if err := ledger.AddKey(ctx, tx, k); err != nil {
			return err
		}
		return record(ctx, tx, now, about(ev, k.ID, ""))
	})
}

// SealAudit seals the first of the records that wait, unless another process is about to.
func (s *Store) SealAudit(ctx context.Context, newest string, seal func(audit.Head, []audit.Record, time.Time) audit.Block) (int, error) {
	return s.tend(ctx, "seal the audit record", newest, ledger.ToSeal, func(ctx context.Context, tx Tx, now time.Time) (int, error) {
		return ledger.Seal(ctx, tx, truncate(now), seal)
	})
}

// PruneAudit deletes the first blocks, as many as prune says.
func (s *Store) PruneAudit(ctx context.Context, newest string, prune func(audit.Page, time.Time) (int, audit.Anchor, error)) (int, error) {
	n, err := s.tend(ctx, "prune the audit record", newest, ledger.ToCut, func(ctx context.Context, tx Tx, now time.Time) (int, error) {
		return ledger.Cut(ctx, tx, truncate(now), prune)
	})
	if err == nil && n > 0 {
		err = s.rest(ctx)
	}
	return n, err
}

// AuditChain returns the next blocks after one, and their records.
func (s *Store) AuditChain(ctx context.Context, after int64) (audit.Page, error) {
	return lookup(ctx, s, "read the audit record", func(ctx context.Context, tx ledger.Tx) (audit.Page, error) {
		return ledger.Chain(ctx, tx, after)
	})
}

// tend runs f if there is something to do, while no other process runs one, and if newest is
// still the newest key.
func (s *Store) tend(
	ctx context.Context, what, newest string,
	todo func(context.Context, ledger.Tx) (bool, error), f func(context.Context, Tx, time.Time) (int, error),
) (n int, err error) {
	if there, err := lookup(ctx, s, what, todo); !there || err != nil {
		return 0, err
	}
	err = s.write(ctx, what, func(ctx context.Context, tx Tx, now time.Time) (err error) {
		n = 0
		if l, ok := s.engine.(Locker); ok {
			if free, err := l.TryLock(ctx, tx); !free || err != nil {
				return err
			}
		}
		if err := ledger.CheckKey(ctx, tx, newest); err != nil {
			return err
		}
		n, err = f(ctx, tx, now)
		return err
	})
	return orNone(n, err)
}

// lookup returns what f finds in a reading transaction.
func lookup[T any](ctx context.Context, s *Store, what string, f func(context.Context, ledger.Tx) (T, error)) (found T, err error) {
	err = s.read(ctx, what, func(ctx context.Context, tx Tx, _ time.Time) (err error) {
		found, err = f(ctx, tx)
		return err
	})
	return found, err
}
