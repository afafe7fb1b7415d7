package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/issuer"
)

// TestClusterLatency revokes sessions at three nodes under load, and measures from the return of the call to the first
// refusal at every other node and at every service. Attack_F13: none is accepted after the bound, and none is refused
// that was not revoked.
func TestClusterLatency(t *testing.T) {
	t.Parallel()
	rounds := 1
	if soak {
		rounds = 200
	}
	c := startCluster(t, clusterConfig{nodes: 3, services: 4, bound: 10 * time.Second})
	d := &delays{all: map[string][]time.Duration{}}
	for range rounds {
		c.revokeUnderLoad(d, 50)
	}
	for _, kind := range []string{"node", "service"} {
		t.Logf("%d revocations, refused at the other %ss: %s", rounds*50, kind, d.text(kind))
	}
}

// revokeUnderLoad revokes so many sessions that no token expires meanwhile, however slow the machine is.
func (c *cluster) revokeUnderLoad(d *delays, revocations int) {
	good := c.mint(20)
	c.awaitAll(good[0].AccessToken, 20*time.Second)
	ctx, stop := context.WithCancel(c.t.Context())
	var loading sync.WaitGroup
	for range 2 {
		loading.Go(func() { c.keepAsking(ctx, good) })
	}
	c.revokeAll(d, c.mint(revocations))
	stop()
	loading.Wait()
}

// keepAsking asks all judges about tokens that are good until ctx ends.
func (c *cluster) keepAsking(ctx context.Context, good []issuer.TokenSet) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		set := good[rand.IntN(len(good))]
		for _, j := range c.judges() {
			if got := j.status(set.AccessToken); got != 200 {
				c.t.Errorf("%s says %d to a token that was not revoked", j.name, got)
			}
		}
		<-tick.C
	}
}

// delays is what was measured at each judge.
type delays struct {
	mu  sync.Mutex // guards all
	all map[string][]time.Duration
}

// revokeAll revokes sessions, two at a time, each at one node.
func (c *cluster) revokeAll(d *delays, sets []issuer.TokenSet) {
	next := make(chan int)
	var working sync.WaitGroup
	for range 2 {
		working.Go(func() {
			for i := range next {
				c.revoke(d, i%len(c.nodes), sets[i].AccessToken)
			}
		})
	}
	for i := range sets {
		next <- i
	}
	close(next)
	working.Wait()
}

func (c *cluster) revoke(d *delays, at int, token string) {
	judges := c.judges()
	for _, j := range judges {
		if got := j.status(token); got != 200 {
			c.t.Errorf("%s says %d to a token before it is revoked", j.name, got)
		}
	}
	if got, err := call("POST", c.nodes[at].address+"/logout", token, ""); err != nil || got.status != 204 {
		c.t.Errorf("logout: %d %s, %v", got.status, got.body, err)
		return
	}
	if got := judges[at].status(token); got != 401 {
		c.t.Errorf("the node that revoked it says %d", got)
	}
	var waiting sync.WaitGroup
	for i, j := range judges {
		if i == at {
			continue
		}
		waiting.Go(func() {
			took, err := j.await(token, 401, c.bound)
			if err != nil {
				c.t.Error(err)
			}
			d.add(j.name, took)
		})
	}
	waiting.Wait()
}

func (d *delays) add(name string, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all[name] = append(d.all[name], took)
}

// text is the distribution over the judges of a kind.
func (d *delays) text(kind string) string {
	var all []time.Duration
	for name, some := range d.all {
		if strings.HasPrefix(name, kind) {
			all = append(all, some...)
		}
	}
	if len(all) == 0 {
		return "nothing was measured"
	}
	slices.Sort(all)
	at := func(share float64) time.Duration {
		return all[int(share*float64(len(all)-1))].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %v, p99 %v, max %v", at(0.5), at(0.99), at(1))
}
