//go:build !race

// The driver is SQLite in Go: the race detector looks at each of its steps, for a minute.

package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

const (
	// pruneStep is how many sessions one step of the clean-up deletes at most.
	pruneStep = 50
	// pruneBound is how long 99 of 100 refreshes may take at most while the clean-up goes
	// on. The slowest of all is the disk's, or that of others on the machine: it is printed
	// beside the slowest without a clean-up.
	pruneBound = 50 * time.Millisecond
	kept       = 30 * 24 * time.Hour
)

// TestAttack_F06_CleanUp makes many logins, of which a part is over, and cleans up a month later.
// What is left is what lives and what ended in the last 30 days. The clean-up
// takes small steps, and refreshes go on between them.
func TestAttack_F06_CleanUp(t *testing.T) {
	t.Parallel()
	logins, soak := 8_000, os.Getenv("DOORWARD_SOAK") != ""
	if soak {
		logins = 1_000_000
	}
	path := filepath.Join(t.TempDir(), "doorward.db")
	s, eye := openAt(t, path), openAt(t, path)
	var clock atomic.Int64
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	clock.Store(start.UnixMilli())
	s.SetClock(func() time.Time { return time.UnixMilli(clock.Load()) })

	groups := []struct {
		name string
		idle time.Duration
		ends time.Duration // after the start; 0 never
		left bool
	}{
		{"live", 80 * 24 * time.Hour, 0, true},
		{"logged out at once", 80 * 24 * time.Hour, time.Minute, false},
		{"lapsed", time.Hour, 0, false},
		{"ended since", 80 * 24 * time.Hour, 10 * 24 * time.Hour, true},
	}
	for _, g := range groups {
		manyLogins(t, s, g.name, logins/len(groups), g.idle)
	}
	for _, g := range groups {
		if g.ends > 0 {
			clock.Store(start.Add(g.ends).UnixMilli())
			_, err := s.EndSubject(t.Context(), g.name, "logout", event)
			must(t, err)
		}
	}
	live, err := s.CreateSession(t.Context(), newSession("refreshes"), event)
	must(t, err)
	clock.Store(start.Add(kept + 24*time.Hour).UnixMilli())

	steps := &stepCounter{t: t, eye: eye, last: count(t, eye)}
	if !soak { // To count a million takes longer than a step.
		s.SetClock(func() time.Time {
			steps.look()
			return time.UnixMilli(clock.Load())
		})
	}
	alone := refreshBeside(t, s, live)
	for range 100 { // for the time of a hundred commits
		_, err := s.EndSession(t.Context(), "nobody's", "logout", event)
		must(t, err)
	}
	without := alone()
	stop := refreshBeside(t, s, live)
	_, err = s.Prune(t.Context())
	beside := stop()
	must(t, err)
	s.SetClock(time.Now)

	t.Logf("%d steps of at most %d sessions; refreshes: %v; without clean-up %v", steps.taken, steps.most, beside, without)
	if want := logins / 2 / pruneStep; !soak && (steps.taken < want || steps.most > pruneStep) {
		t.Errorf("%d steps of at most %d sessions, want %d or more of at most %d", steps.taken, steps.most, want, pruneStep)
	}
	if soak && beside.share(99) > pruneBound {
		t.Errorf("a refresh took %v beside the clean-up, want %v at most", beside.share(99), pruneBound)
	}
	if got, want := count(t, eye), logins/2+1; got != want {
		t.Errorf("%d sessions are left, want %d", got, want)
	}
	for _, g := range groups {
		list, err := eye.Sessions(t.Context(), issuer.SessionQuery{Subject: g.name, Limit: 1})
		if err != nil || (len(list) > 0) != g.left {
			t.Errorf("%s: %d left, %v", g.name, len(list), err)
		}
	}
}

func manyLogins(t *testing.T, s *sqlite.Store, subject string, n int, idle time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	var next atomic.Int64
	for range 128 {
		all.Go(func() {
			for next.Add(1) <= int64(n) {
				session := newSession(subject)
				session.Idle, session.Absolute = idle, 90*24*time.Hour
				if _, err := s.CreateSession(t.Context(), session, event); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func count(t *testing.T, s *sqlite.Store) (n int) {
	t.Helper()
	must(t, s.Read(context.WithoutCancel(t.Context()), func(ctx context.Context, tx sqlstore.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM sessions`).Scan(&n)
	}))
	return n
}

// stepCounter looks from another connection, at the start of each transaction, how many
// sessions the last ones have deleted.
type stepCounter struct {
	t   *testing.T
	eye *sqlite.Store

	mu                sync.Mutex // guards what follows
	last, most, taken int
}

func (c *stepCounter) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := count(c.t, c.eye)
	if now < c.last {
		c.taken++
		c.most = max(c.most, c.last-now)
	}
	c.last = now
}

// durations are how long refreshes took.
type durations []time.Duration

// share returns how long a percentage of them took at most.
func (d durations) share(percent int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[(len(d)-1)*percent/100]
}

func (d durations) String() string {
	return fmt.Sprintf("%d, half within %v, 99 %% within %v, all within %v", len(d), d.share(50), d.share(99), d.share(100))
}

// refreshBeside refreshes a session until stop is called, which returns how long each took.
func refreshBeside(t *testing.T, s *sqlite.Store, session issuer.Session) (stop func() durations) {
	ctx, cancel := context.WithCancel(t.Context())
	took, done := durations(nil), make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			began := time.Now()
			read, _, err := s.SessionByHandle(t.Context(), session.Handle)
			if err == nil {
				_, _, err = s.SwapSession(t.Context(), read.ID, read.Rev, issuer.Change{Used: true}, event)
			}
			if err != nil {
				t.Error(fmt.Errorf("refresh beside the clean-up: %w", err))
				return
			}
			took = append(took, time.Since(began))
		}
	}()
	return func() durations {
		cancel()
		<-done
		return took
	}
}
