//go:build !race

package issuer_test

import (
	"testing"
	"time"

	"github.com/doorward/doorward/issuer"
)

// A client whose parallel requests collide at every refresh stays in for ever if of 20 refreshes
// in a row it loses the answers of one at most, whichever one that is. The exploration finds how
// many losses it takes to be out.
func TestModelCollidingClient(t *testing.T) {
	t.Parallel()
	least := 0
	for apart := 20; apart > 0; apart-- {
		places, out := collisions(apart)
		if apart == 20 && (out || places < 20) {
			t.Errorf("one answer lost in 20 refreshes: out %v, %d places", out, places)
		}
		if out {
			break
		}
		least = apart
		t.Logf("at most one answer lost in each %d refreshes: never out, %d places", apart, places)
	}
	if least != quietRun+1 {
		t.Errorf("a client stays in if it loses one answer in %d refreshes, want %d", least, quietRun+1)
	}
}

// collisions visits every place that a client can come to whose requests collide at each
// refresh and whose losses are that far apart, and reports whether it is ever logged out.
func collisions(apart int) (places int, out bool) {
	type place struct {
		store memory
		since int // refreshes since the last loss, that many at most
	}
	start := place{memory{age: windowTicks}, apart}
	seen := map[place]bool{start: true}
	for queue := []place{start}; len(queue) > 0; queue = queue[1:] {
		for _, lost := range []bool{false, true} {
			p := queue[0]
			if lost && p.since < apart {
				continue
			}
			var caught bool
			if p.store, caught = collide(p.store, lost); caught {
				return len(seen), true
			}
			if p.since = min(p.since+1, apart); lost {
				p.since = 1
			}
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	return len(seen), false
}

// collide is one refresh of two tabs: both present the same token, one inside the window of
// the other. If the answer is lost both come again when the window is over.
func collide(m memory, lost bool) (next memory, caught bool) {
	const window, budget = windowTicks * time.Second, 3
	s, _ := issuer.Decide(m.state(), present, modelStart, window, budget)
	s, outcome := issuer.Decide(s, s.Generation-1, modelStart, window, budget)
	if lost && outcome == issuer.OutcomeAgain {
		s, outcome = issuer.Decide(s, s.Generation-1, modelStart.Add(window), window, budget)
	}
	next = memoryOf(s)
	next.age = windowTicks
	return next, outcome != issuer.OutcomeAgain
}

// The same client whose answers are lost at random is out at some time. In the 30 days of
// a session, with a refresh in ten minutes, that is as likely as this prints.
func TestModelRandomLosses(t *testing.T) {
	t.Parallel()
	const refreshes = 30 * 24 * 6
	for _, tt := range []struct {
		name string
		rate float64 // of generations of which no answer comes
		most float64 // of sessions that are out
	}{
		{"both answers of one refresh in 400", 1. / 400, 0.02},
		{"both answers of one refresh in 4,000", 1. / 4000, 0.0001},
	} {
		chance, out := map[memory]float64{{age: windowTicks}: 1}, 0.
		for range refreshes {
			next := map[memory]float64{}
			for m, p := range chance {
				whole, _ := collide(m, false)
				next[whole] += p * (1 - tt.rate)
				late, caught := collide(m, true)
				if caught {
					out += p * tt.rate
					continue
				}
				next[late] += p * tt.rate
			}
			chance = next
		}
		t.Logf("%s: %.4f %% of the sessions are out within 30 days", tt.name, 100*out)
		if out > tt.most {
			t.Errorf("%s: %.4f of the sessions are out, want at most %.4f", tt.name, out, tt.most)
		}
	}
}
