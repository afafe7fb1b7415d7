package cutoff_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/cutoff"
)

// Against a map: what was added and has not expired ends its session, whatever was added and swept before; what was
// never added ends nothing; and all that has expired goes.
func TestModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		s, model, added := cutoff.NewSet(), make(map[string]time.Time), make(map[string]bool)
		add := func(id string, until time.Time) {
			if random.IntN(2) == 0 {
				s.EndSession(id, until)
			} else {
				s.EndSubject(id, high, until)
			}
			added[id] = true
			if before := model[id]; until.After(before) {
				model[id] = until
			}
		}
		for range 60 {
			for range random.IntN(400) {
				add(fmt.Sprint(random.IntN(5000)), time.Now().Add(time.Duration(1+random.IntN(90))*time.Second))
			}
			time.Sleep(time.Duration(random.IntN(60)) * time.Second / 10)
			s.Sweep()
			for range 2000 {
				id := fmt.Sprint(random.IntN(6000))
				ends := s.Ends(cutoff.Target{Session: id}) || s.Ends(cutoff.Target{Session: low, Subject: id})
				if live := model[id].After(time.Now()); live && !ends {
					t.Fatalf("%s goes on, until %v", id, model[id])
				}
				if ends && !added[id] {
					t.Fatalf("%s has ended and was never added", id)
				}
			}
		}
		if s.Len() < 1000 {
			t.Errorf("Len = %d: the tables have hardly grown", s.Len())
		}
		time.Sleep(time.Hour)
		s.Sweep()
		if s.Len() != 0 {
			t.Errorf("Len = %d after an hour", s.Len())
		}
	})
}

// An entry that is in the set before and after is found at every moment: while parts grow, are swept and are replaced.
func TestFoundAllTheWhile(t *testing.T) {
	t.Parallel()
	s := cutoff.NewSet()
	keep := func(s *cutoff.Set) {
		for i := range 100 {
			s.EndSession(fmt.Sprint("keep", i), time.Time{})
			s.EndClient(fmt.Sprint("keep", i), high, time.Time{})
		}
	}
	keep(s)
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				id := fmt.Sprint("keep", i%100)
				if !s.Ends(cutoff.Target{Session: id}) || !s.Ends(cutoff.Target{Session: low, Client: id}) {
					t.Errorf("%s goes on", id)
					return
				}
			}
		})
	}
	for round := range 8 {
		for i := range 1000 {
			s.EndSession(fmt.Sprint(round, i), time.Time{})
			s.EndClient(fmt.Sprint(round, i), high, time.Time{})
		}
		fresh := s.Empty()
		keep(fresh)
		s.Replace(fresh)
	}
	close(done)
	wg.Wait()
	if s.Len() != 200 {
		t.Errorf("Len = %d, want 200", s.Len())
	}
}

// Whoever has added the first cut-off finds it, also when another adds the same at the same time.
func TestFirstEntryTwice(t *testing.T) {
	t.Parallel()
	for range 2000 {
		s := cutoff.NewSet()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				s.EndSubject("ann", high, time.Time{})
				if !s.Ends(cutoff.Target{Session: low, Subject: "ann"}) {
					t.Error("ann goes on")
				}
			})
		}
		wg.Wait()
	}
}
