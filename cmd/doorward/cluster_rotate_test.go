package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/inspect"
)

// Attack_G06: two nodes' keys are rotated at once while people log in and refresh. One key comes of it, every node
// signs with it after the publish lead, and nobody is refused for it. Services read the keys every five minutes: they take part in the
// long form, whose lead is longer than that.
func TestAttack_G06_RotationUnderLoad(t *testing.T) {
	t.Parallel()
	lead, services := 3*time.Second, 0
	if soak {
		lead, services = 6*time.Minute, 2
	}
	c := startCluster(t, clusterConfig{
		nodes: 2, services: services, bound: 10 * time.Second,
		settings: fmt.Sprintf("keys: {publish_lead: %s}\nrefresh: {window: 1ms, budget: 100, limit: 10000}\n", lead),
	})
	before := c.mint(1)[0].AccessToken
	c.awaitAll(before, 20*time.Second)
	l := c.startLoad(c.people(4))
	defer l.stop()
	var kids [2]string
	var rotating sync.WaitGroup
	for i := range kids {
		rotating.Go(func() { kids[i] = firstLine(c.command("key", "rotate")) })
	}
	rotating.Wait()
	if kids[0] != kids[1] || kids[0] == "" {
		t.Fatalf("two rotations at once made the keys %q, want one", kids)
	}
	c.awaitKey(kids[0], lead+10*time.Second)
	c.awaitAll(before, 0)
	l.stop()
	l.settle(t)
	l.judge(t)
	for _, r := range l.all {
		if r.deed != deedLogin && (r.status == 503 || r.status == 0) {
			t.Errorf("%s at %s after %v: %d", r.deed, r.where, r.from, r.status)
		}
	}
}

// awaitKey waits until every node signs with a key.
func (c *cluster) awaitKey(kid string, limit time.Duration) {
	c.t.Helper()
	begun := time.Now()
	for i, m := range c.nodes {
		for {
			head, _, err := inspect.Decode(must(c.t, 200, "POST", m.address+"/login", "", c.login).member("access_token"))
			if err == nil && strings.Contains(string(head), kid) {
				break
			}
			if time.Since(begun) > limit {
				c.t.Fatalf("node %d signs with %s after %v, want %s", i, head, limit, kid)
			}
		}
	}
	c.t.Logf("both nodes sign with the new key after %v", time.Since(begun).Round(time.Millisecond))
}
