package issuer

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	retryPace    = time.Second // after the store failed
	maintainPace = time.Minute
	prunePace    = time.Hour
)

// Run follows the store, so that what other processes revoke and rotate holds in this
// one too, makes each next key when its time comes, and deletes what has expired.
// It returns when ctx ends. One Run per Issuer is enough; more are harmless.
// Deleting has a goroutine of its own, which ends before Run returns: however much
// there is to delete, revocations are read on time.
//
// While the store does not answer, Run goes on asking; the tokens of this process are
// refused as stale once [Config.MaxStaleness] has passed.
func (i *Issuer) Run(ctx context.Context) error {
	var pruning sync.WaitGroup
	pruning.Go(func() { i.keepPruning(ctx) })
	defer pruning.Wait()
	var maintained time.Time
	for failing, stale := false, false; ; {
		err := i.cfg.Store.WaitChange(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = i.catchUp(ctx)
		}
		if err == nil && time.Since(maintained) >= maintainPace {
			if err = i.maintainKeys(ctx); err == nil {
				maintained = time.Now()
			}
		}
		if err != nil && ctx.Err() == nil {
			if !failing {
				i.cfg.Logger.Error("the store cannot be read; trying again", "err", err)
			}
			pause(ctx, retryPace)
		} else if failing {
			i.cfg.Logger.Info("the store can be read again")
		}
		failing = err != nil
		if age := i.RevocationAge(); stale != (age > i.cfg.MaxStaleness) {
			if stale = !stale; stale {
				i.cfg.Logger.Error("revocations are out of date: tokens cannot be judged", "age", age, "limit", i.cfg.MaxStaleness)
			} else {
				i.cfg.Logger.Info("revocations are up to date again")
			}
		}
	}
}

// CatchUp makes everything hold in this process that any process has revoked before the call. It
// does not wait for the next round of [Issuer.Run]. Calls that come together read the store once.
func (i *Issuer) CatchUp(ctx context.Context) error {
	return i.readRevocationsAfter(ctx, time.Now())
}

// keepPruning deletes what has expired, at once and then every hour, until ctx ends.
func (i *Issuer) keepPruning(ctx context.Context) {
	for ctx.Err() == nil {
		pace := prunePace
		if _, err := i.cfg.Store.Prune(ctx); err != nil && ctx.Err() == nil {
			i.cfg.Logger.Warn("what has expired could not be deleted; trying again", "err", err)
			pace = maintainPace
		}
		pause(ctx, pace)
	}
}

// catchUp reads what other processes have changed. Keys that a node with another
// configuration has made are then adapted to this one's.
func (i *Issuer) catchUp(ctx context.Context) error {
	if err := i.readRevocations(ctx); err != nil {
		return err
	}
	before := i.ring.Load()
	if err := i.readKeys(ctx); err != nil || i.ring.Load() == before {
		return err
	}
	return i.maintainKeys(ctx)
}

// follower is how far this process has read in the store's log of cut-offs.
type follower struct {
	turn    chan struct{} // a lock that can be waited for with a context; it guards what follows
	cursor  Cursor
	lineage string
}

// readRevocations reads the cut-offs that are new since the last call.
func (i *Issuer) readRevocations(ctx context.Context) error {
	return i.readRevocationsAfter(ctx, time.Time{})
}

// readRevocationsAfter is readRevocations, except that it has nothing to do if another read
// that began after moment is over when its turn comes. With the zero time it always reads.
func (i *Issuer) readRevocationsAfter(ctx context.Context, moment time.Time) error {
	f := &i.follow
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return fmt.Errorf("follow revocations: %w", ctx.Err())
	}
	// Since comes before RevocationAge: a pause between the two must not make the last read look younger.
	if passed := time.Since(moment); !moment.IsZero() && i.RevocationAge() < passed {
		return nil
	}
	asked := time.Now()
	page, err := i.cfg.Store.RevocationsSince(ctx, f.cursor)
	if err == nil && f.lineage != "" && page.Lineage != f.lineage {
		// Another history: what was read before says nothing. The cut-offs known
		// so far stay, since refusing too much is the safe side.
		i.cfg.Logger.Warn("the store's history changed; reading all revocations again")
		page, err = i.cfg.Store.RevocationsSince(ctx, "")
	}
	if err != nil {
		return fmt.Errorf("follow revocations: %w", err)
	}
	i.revoked.Add(page.Entries...)
	i.revoked.Confirm(asked)
	if i.cfg.Followed != nil {
		i.cfg.Followed(page)
	}
	f.cursor, f.lineage = page.Next, page.Lineage
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
