package main

import (
	"database/sql"
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/postgrestest"
)

// trouble is something that goes wrong in a cluster.
type trouble struct {
	name  string
	begin func(*cluster) (end func() error, err error)
	// lasts is how long, at least; judges are named that know nothing any more at its end, by name.
	lasts time.Duration
	stale []string
}

// troubleBound is max_staleness in these tests.
const troubleBound = 3 * time.Second

// troubles are grouped by what may go wrong at once, where the groups disturb different parts.
var troubles = [][]trouble{
	{
		{name: "a node is killed", begin: killNode(0), lasts: time.Second},
		{name: "the way of a service to the feed is slow", begin: disturbService(1, wireState{delay: 200 * time.Millisecond}), lasts: time.Second},
	},
	{{name: "the database restarts", begin: restartDatabase}},
	{
		{name: "the connections to the database are cut", begin: cutConnections},
		{name: "answers to a node are lost", begin: disturbNode(1, wireState{halved: true}), stale: []string{"node 1"}},
		{name: "answers to a service are lost", begin: disturbService(0, wireState{halved: true}), stale: []string{"service 0"}},
		{name: "a service is suspended", begin: suspendService(2), lasts: troubleBound + time.Second},
	},
	{
		{name: "the way of a node to the database is cut", begin: disturbNode(2, wireState{cut: true}), stale: []string{"node 2"}},
		{name: "the way of a node to the database is slow", begin: disturbNode(0, wireState{delay: 100 * time.Millisecond})},
		{name: "the way of a service to the feed is cut", begin: disturbService(1, wireState{cut: true}), stale: []string{"service 1"}},
	},
	{{name: "the database hangs", begin: pauseDatabase, stale: []string{"node 0", "node 1", "node 2", "service 0", "service 1", "service 2"}}},
}

// Attack_F12, Attack_F13, Attack_H10: whatever fails while people log in, refresh and log out, nothing that was acknowledged is lost,
// nothing that was revoked is accepted after the bound, who cannot know says so with 503, and all of it ends without
// a restart. A transaction is open all the while, in this database and in another one of the server.
func TestAttack_F12_Cluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t, clusterConfig{
		nodes: 3, services: 3, bound: troubleBound,
		settings: "refresh: {window: 1ms, budget: 100, limit: 10000}\n",
	})
	c.awaitAll(c.mint(1)[0].AccessToken, 20*time.Second)
	l := c.startLoad(c.people(6))
	defer l.stop()
	closeOpen := c.leaveOpen()
	for _, group := range plan() {
		c.suffer(group)
		closeOpen()
		closeOpen = c.leaveOpen() // the one before may have ended with its server
	}
	closeOpen()
	l.stop()
	l.settle(t)
	l.judge(t)
}

// plan is all groups of faults, and in the long form each fault alone as well, many times.
func plan() [][]trouble {
	if !soak {
		return troubles
	}
	var all [][]trouble
	for range 10 {
		all = append(all, troubles...)
		for _, group := range troubles {
			for _, one := range group {
				all = append(all, []trouble{one})
			}
		}
	}
	return all
}

// suffer lets faults happen at once, waits until who cannot know says so, ends them, and measures until all is well.
func (c *cluster) suffer(group []trouble) {
	c.t.Helper()
	good := c.mint(1)[0].AccessToken
	c.awaitAll(good, 20*time.Second)
	var ends []func() error
	var lasts time.Duration
	for _, f := range group {
		end, err := f.begin(c)
		if err != nil {
			c.t.Fatalf("%s: %v", f.name, err)
		}
		ends, lasts = append(ends, end), max(lasts, f.lasts)
	}
	timer := time.NewTimer(lasts)
	for _, f := range group {
		for _, j := range c.judges() {
			if slices.Contains(f.stale, j.name) {
				if _, err := j.await(good, 503, 20*time.Second); err != nil {
					c.t.Errorf("%s: %v", f.name, err)
				}
			}
		}
	}
	<-timer.C
	for i, end := range ends {
		if err := end(); err != nil {
			c.t.Errorf("%s: %v", group[i].name, err)
		}
	}
	begun := time.Now()
	c.awaitAll(good, 30*time.Second)
	judged := time.Since(begun)
	c.awaitLogins(30 * time.Second)
	for _, f := range group {
		c.t.Logf("%s: all judge again after %v, log in again after %v", f.name, judged.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
	}
}

// awaitLogins waits until people can log in at every node.
func (c *cluster) awaitLogins(limit time.Duration) {
	c.t.Helper()
	begun := time.Now()
	for i, m := range c.nodes {
		for {
			got, err := call("POST", m.address+"/login", "", c.login)
			if err == nil && got.status == 200 {
				break
			}
			if time.Since(begun) > limit {
				c.t.Fatalf("a login at node %d: %d %s, %v", i, got.status, got.body, err)
			}
		}
	}
}

func killNode(i int) func(*cluster) (func() error, error) {
	return func(c *cluster) (func() error, error) {
		c.nodes[i].kill()
		return c.nodes[i].restart, nil
	}
}

func disturbNode(i int, state wireState) func(*cluster) (func() error, error) {
	return func(c *cluster) (func() error, error) { return c.nodes[i].link.disturb(state), nil }
}

func disturbService(i int, state wireState) func(*cluster) (func() error, error) {
	return func(c *cluster) (func() error, error) { return c.services[i].link.disturb(state), nil }
}

// disturb makes something wrong with a wire until the function that it returns is called.
func (w *wire) disturb(state wireState) func() error {
	w.set(state)
	return func() error {
		w.set(wireState{})
		return nil
	}
}

func suspendService(i int) func(*cluster) (func() error, error) {
	return func(c *cluster) (func() error, error) {
		process := c.services[i].cmd.Process
		return func() error { return process.Signal(syscall.SIGCONT) }, process.Signal(syscall.SIGSTOP)
	}
}

func restartDatabase(c *cluster) (func() error, error) {
	return func() error { return nil }, c.pg.Restart()
}

func pauseDatabase(c *cluster) (func() error, error) { return c.pg.Pause() }

func cutConnections(c *cluster) (func() error, error) {
	return func() error { return nil }, c.pg.Cut(postgrestest.Name(c.url))
}

// leaveOpen begins a transaction that writes, in this database and in another one, and leaves both open.
func (c *cluster) leaveOpen() (end func()) {
	c.t.Helper()
	other := c.pg.Database(c.t)
	var ends []func()
	for _, url := range []string{c.url, other} {
		db, err := sql.Open("pgx", url)
		if err != nil {
			c.t.Fatal(err)
		}
		tx, err := db.BeginTx(c.t.Context(), nil)
		if err == nil {
			_, err = tx.ExecContext(c.t.Context(), `CREATE TEMPORARY TABLE open (n int)`)
		}
		if err != nil {
			c.t.Fatal(errors.Join(err, db.Close()))
		}
		ends = append(ends, func() {
			_ = tx.Rollback() // its server may be gone
			_ = db.Close()
		})
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}
