package accounttest

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/internal/account"
)

// ThrottleNodes is how many stores on one database count together.
const ThrottleNodes = 3

// TestThrottle compares what several stores on one database count with the plainest thing that could
// stand in for them. open opens another store on the database of a folder, and the database itself;
// both are closed in t.Cleanup.
func TestThrottle(t *testing.T, open func(t *testing.T, dir string) (account.Throttle, *sql.DB)) {
	t.Run("Attack_E06 Attack_E07 as the model", func(t *testing.T) {
		t.Parallel()
		dir, cases := t.TempDir(), 0
		nodes := make([]account.Throttle, ThrottleNodes)
		var db *sql.DB
		for i := range nodes {
			nodes[i], db = open(t, dir)
		}
		rapid.Check(t, func(rt *rapid.T) {
			cases++
			m := &throttleModel{t: t, prefix: fmt.Sprint(cases), nodes: nodes, db: db, rows: map[string]*tries{}}
			m.restart = func(i int) { nodes[i], _ = open(t, dir) }
			rt.Repeat(rapid.StateMachineActions(m))
		})
	})
	t.Run("Attack_E06 exactly, while some are given back", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		nodes := make([]account.Throttle, ThrottleNodes)
		for i := range nodes {
			nodes[i], _ = open(t, dir)
		}
		countTogether(t, nodes)
	})
}

// countTogether lets many callers try at once at all nodes, half of whom give their try back. What is left
// then is exactly what the limit leaves.
func countTogether(t *testing.T, nodes []account.Throttle) {
	const limit, callers = 40, 120
	key := keyOf("together")
	var held, most atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			ends, wait, err := nodes[i%len(nodes)].Reserve(t.Context(), key, limit, time.Hour, event)
			if err != nil {
				t.Error(err)
			}
			if err != nil || wait > 0 {
				return
			}
			now := held.Add(1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			if i%2 == 0 {
				held.Add(-1) // before the store hears of it, so that it is never more than what is counted
				if err := nodes[(i+1)%len(nodes)].Release(t.Context(), key, ends); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if most.Load() > limit {
		t.Errorf("%d tries were held at once, at most %d may be", most.Load(), limit)
	}
	left := int64(0)
	for wait := time.Duration(0); wait == 0 && left <= limit; left++ {
		var err error
		if _, wait, err = nodes[0].Reserve(t.Context(), key, limit, time.Hour, event); err != nil {
			t.Fatal(err)
		}
	}
	if left--; held.Load()+left != limit {
		t.Errorf("%d tries are held and %d were left, want %d together", held.Load(), left, limit)
	}
}

// throttleModel is what the throttle must look like. Its clock is the store's: instead of the clock, the ends of all
// windows are moved, by multiples of step, which is longer than one case takes.
type throttleModel struct {
	t       *testing.T
	prefix  string // of this case's keys
	nodes   []account.Throttle
	db      *sql.DB
	restart func(node int)
	rows    map[string]*tries
	held    []held // tries that may be given back
}

type tries struct {
	count int
	left  time.Duration // until the window ends
	ends  time.Time     // by the store's clock
}

// held is a try that was counted in a window of a key.
type held struct {
	name string
	ends time.Time
}

const (
	step = 5 * time.Second
	// slack is by how much a window may seem too long, since another node has read the clock later.
	slack = 10 * time.Second
)

var (
	keyNames = rapid.SampledFrom([]string{"ada", "bob", "device of ada"})
	windows  = rapid.SampledFrom([]time.Duration{30 * time.Second, 10 * time.Minute})
)

func (m *throttleModel) key(name string) [32]byte { return keyOf(m.prefix + " " + name) }

func (m *throttleModel) node(t *rapid.T) account.Throttle {
	return m.nodes[rapid.IntRange(0, len(m.nodes)-1).Draw(t, "node")]
}

// Reserve is what happens most.
func (m *throttleModel) Reserve(t *rapid.T) {
	name, limit, window := keyNames.Draw(t, "key"), rapid.IntRange(1, 4).Draw(t, "limit"), windows.Draw(t, "window")
	ends, wait, err := m.node(t).Reserve(m.t.Context(), m.key(name), limit, window, event)
	if err != nil {
		t.Fatal(err)
	}
	row, want := m.rows[name], time.Duration(0)
	switch {
	case row == nil || row.left <= 0 || row.left > window+slack:
		m.rows[name] = &tries{1, window, ends}
	case row.count < limit:
		row.count++
	default:
		want = row.left
	}
	if wait > want || wait < 0 || (wait == 0) != (want == 0) || want-wait >= step {
		t.Fatalf("Reserve(%s, %d, %v) waits %v, want %v", name, limit, window, wait, want)
	}
	if wait == 0 {
		if !ends.Equal(m.rows[name].ends) {
			t.Fatalf("Reserve(%s) counts in the window until %v, want %v", name, ends, m.rows[name].ends)
		}
		m.held = append(m.held, held{name, ends})
	}
}

// ReserveAgain makes it happen more often.
func (m *throttleModel) ReserveAgain(t *rapid.T) { m.Reserve(t) }

// Release gives one back, and the last one with its window. One of an earlier window changes nothing.
func (m *throttleModel) Release(t *rapid.T) {
	if len(m.held) == 0 {
		t.Skip("nothing to give back")
	}
	i := rapid.IntRange(0, len(m.held)-1).Draw(t, "try")
	try := m.held[i]
	m.held = slices.Delete(m.held, i, i+1)
	if err := m.node(t).Release(m.t.Context(), m.key(try.name), try.ends); err != nil {
		t.Fatal(err)
	}
	row := m.rows[try.name]
	switch {
	case row == nil || !row.ends.Equal(try.ends):
	case row.count > 1:
		row.count--
	default:
		delete(m.rows, try.name)
	}
}

// Clear forgets a key.
func (m *throttleModel) Clear(t *rapid.T) {
	name := keyNames.Draw(t, "key")
	if err := m.node(t).Clear(m.t.Context(), m.key(name)); err != nil {
		t.Fatal(err)
	}
	delete(m.rows, name)
}

// Pass moves the clock, also back.
func (m *throttleModel) Pass(t *rapid.T) {
	by := step * time.Duration(rapid.SampledFrom([]int{-120, -6, -1, 1, 5, 6, 7, 119, 120}).Draw(t, "steps"))
	for i := range m.held {
		m.held[i].ends = m.held[i].ends.Add(-by)
	}
	for name, row := range m.rows {
		row.left -= by
		row.ends = row.ends.Add(-by)
		key := m.key(name)
		_, err := m.db.ExecContext(context.WithoutCancel(m.t.Context()), `UPDATE tries SET ends_at = ends_at - $2 WHERE key = $1`, key[:], by.Milliseconds())
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Check runs after each step.
func (m *throttleModel) Check(t *rapid.T) {
	for name, row := range m.rows {
		key, count := m.key(name), 0
		err := m.db.QueryRowContext(m.t.Context(), `SELECT count FROM tries WHERE key = $1`, key[:]).Scan(&count)
		if err != nil || count != row.count {
			t.Fatalf("%d tries of %s are stored, %v, want %d", count, name, err, row.count)
		}
	}
}

// Restart opens a node anew: it has kept nothing that counts.
func (m *throttleModel) Restart(t *rapid.T) {
	if rapid.IntRange(0, 19).Draw(t, "seldom") == 0 {
		m.restart(rapid.IntRange(0, len(m.nodes)-1).Draw(t, "node"))
	}
}
