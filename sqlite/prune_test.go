//go:build !race

// The driver is SQLite in Go: the race detector looks at each of its steps, for a minute.

package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
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
	// pruneBound is how long one step may keep a refresh waiting.
	pruneBound = 50 * time.Millisecond
	kept       = 30 * 24 * time.Hour
)

// TestAttack_F06_CleanUp makes many logins, of which a part is over, and cleans up a month later.
// What is left is what lives and what ended in the last 30 days. The clean-up
// takes small steps, and refreshes go on between them.
func TestAttack_F06_CleanUp(t *testing.T) {
	t.Parallel()
	logins, bulk := 8_000, 0
	if soak() {
		logins, bulk = 100_000, 900_000
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
		moreLogins(t, s, g.name, bulk/len(groups))
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
	if !soak() { // To count a million takes longer than a step.
		s.SetClock(func() time.Time {
			steps.look()
			return time.UnixMilli(clock.Load())
		})
	}
	commits := 100
	if soak() {
		commits = 10_000
	}
	alone := refreshBeside(t, s, live)
	for range commits {
		_, err := s.EndSession(t.Context(), "nobody's", "logout", event)
		must(t, err)
	}
	without := alone()
	held := measureSteps(s)
	stop := refreshBeside(t, s, live)
	began := time.Now()
	_, err = s.Prune(context.WithValue(t.Context(), ofPrune{}, true))
	took := time.Since(began)
	beside := stop()
	must(t, err)
	s.SetClock(time.Now)

	t.Logf("%d rows in %v; the transactions of its steps: %v", (logins+bulk)/2, took, held.steps)
	t.Logf("refreshes: %v; the transaction of one: %v", beside, held.others)
	t.Logf("refreshes without a clean-up: %v", without)
	if want := logins / 2 / pruneStep; !soak() && (steps.taken < want || steps.most > pruneStep) {
		t.Errorf("%d steps of at most %d sessions, want %d or more of at most %d", steps.taken, steps.most, want, pruneStep)
	}
	// What a refresh beside it suffers too is the machine's.
	if p := held.steps.share(99); soak() && p > pruneBound && p > 2*held.others.share(99) {
		t.Errorf("a step holds the writer for %v, want %v at most", p, pruneBound)
	}
	if got, want := count(t, eye), (logins+bulk)/2+1; got != want {
		t.Errorf("%d sessions are left, want %d", got, want)
	}
	for _, g := range groups {
		list, err := eye.Sessions(t.Context(), issuer.SessionQuery{Subject: g.name, Limit: 1})
		if err != nil || (len(list) > 0) != g.left {
			t.Errorf("%s: %d left, %v", g.name, len(list), err)
		}
	}
}

// The pages that a clean-up writes are moved into the file between its steps. Otherwise
// each eighth commit would move them, for fifteen milliseconds in which nobody can write.
func TestCleanUpKeepsTheLogShort(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	s := openAt(t, path)
	const logins, logPages = 4_000, 1_000
	manyLogins(t, s, "lapsed", logins, time.Hour)
	must(t, s.Close()) // The log is emptied, and its file goes.
	s = openAt(t, path)
	s.SetClock(func() time.Time { return time.Now().Add(kept + 24*time.Hour) })
	if n, err := s.Prune(t.Context()); n != logins || err != nil {
		t.Fatalf("%d rows pruned, %v, want %d", n, err, logins)
	}
	log, err := os.Stat(path + "-wal")
	must(t, err)
	// The file is as long as the log ever was.
	if pages := log.Size() / (4096 + 24); pages >= logPages {
		t.Errorf("the log grew to %d pages, at which a commit empties it; want less than %d", pages, logPages)
	}
}

func soak() bool { return os.Getenv("DOORWARD_SOAK") != "" }

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

// moreLogins copies a session of the subject n times: through CreateSession, a million
// take longer than all that is tested with them.
func moreLogins(t *testing.T, s *sqlite.Store, subject string, n int) {
	t.Helper()
	must(t, s.Write(t.Context(), func(ctx context.Context, tx sqlstore.Tx) error {
		_, err := tx.ExecContext(ctx, `
			WITH RECURSIVE copies (i) AS (SELECT 1 WHERE $2 > 0 UNION ALL SELECT i + 1 FROM copies WHERE i < $2)
			INSERT INTO sessions (id, handle, subject, epoch, client_id, scope, audience, claims,
				auth_time, created_at, last_used_at, idle, idle_end, absolute_end)
			SELECT substr(id, 1, 14) || printf('7%03x-8%03x-', i & 4095, i >> 12) || lower(hex(randomblob(6))),
				randomblob(32), subject, epoch, client_id, scope, audience, claims,
				auth_time, created_at, last_used_at, idle, idle_end, absolute_end
			FROM (SELECT * FROM sessions WHERE subject = $1 LIMIT 1), copies`, subject, n)
		return err
	}))
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

// ofPrune marks the context of the clean-up.
type ofPrune struct{}

// holds are how long the transactions of the clean-up went on, and all others beside it.
type holds struct {
	mu            sync.Mutex // guards what follows while the store is in use
	steps, others durations
}

func measureSteps(s *sqlite.Store) *holds {
	h := &holds{}
	s.OnWrite(func(ctx context.Context, took time.Duration) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if ctx.Value(ofPrune{}) != nil {
			h.steps = append(h.steps, took)
			return
		}
		h.others = append(h.others, took)
	})
	return h
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
	most := d.share(100)
	over := len(d) - sort.Search(len(d), func(i int) bool { return d[i] > pruneBound })
	return fmt.Sprintf("%d, half within %v, 99 %% within %v, all within %v, %d over %v", len(d), d.share(50), d.share(99), most, over, pruneBound)
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
