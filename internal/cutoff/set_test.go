package cutoff_test

import (
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/cutoff"
)

const (
	low  = "0193a7b2-0000-7000-8000-000000000000"
	high = "0193a7b2-0000-7000-8000-000000000001"
)

// The later of two cut-offs and of two expiries holds, in whatever order they come.
func TestMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		soon, late := time.Now().Add(time.Minute), time.Now().Add(time.Hour)
		for _, swap := range []bool{false, true} {
			s := cutoff.NewSet()
			first, second := [2]any{high, soon}, [2]any{low, late}
			if swap {
				first, second = second, first
			}
			for _, e := range [][2]any{first, second} {
				before, until := e[0].(string), e[1].(time.Time)
				s.EndSubject("ann", before, until)
				s.EndClient("app", before, until)
				s.EndAll(before, until)
				s.EndSession("x", until)
				s.EndKey("k", until)
			}
			if s.Len() != 5 {
				t.Errorf("Len = %d, want 5", s.Len())
			}
			for _, who := range []cutoff.Target{{Session: low, Subject: "ann"}, {Session: low, Client: "app"}, {Session: low}, {Session: "x"}, {Session: high, Key: "k"}} {
				if !s.Ends(who) {
					t.Errorf("%+v goes on", who)
				}
			}
			if s.Ends(cutoff.Target{Session: high, Subject: "ann", Client: "app"}) {
				t.Error("a session at the cut-off has ended")
			}
			time.Sleep(2 * time.Minute)
			for range 3 {
				s.Sweep()
				time.Sleep(time.Minute)
			}
			if s.Len() != 5 {
				t.Errorf("after the earlier expiry: Len = %d, want 5", s.Len())
			}
			soon, late = time.Now().Add(time.Minute), time.Now().Add(time.Hour)
		}
	})
}

// A sweep visits one part for each half second since the last, and all of them when none has come for long.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cutoff.NewSet()
		fill := func() {
			for i := range 1000 {
				s.EndSession(time.Duration(i).String(), time.Now())
			}
		}
		fill()
		s.Sweep()
		if s.Len() != 1000 {
			t.Errorf("a sweep at once: Len = %d, want 1000", s.Len())
		}
		time.Sleep(time.Second)
		s.Sweep()
		if s.Len() >= 1000 || s.Len() < 900 {
			t.Errorf("after a second: Len = %d, want two parts of 64 gone", s.Len())
		}
		time.Sleep(time.Hour)
		s.Sweep()
		if s.Len() != 0 {
			t.Errorf("after an hour: Len = %d, want 0", s.Len())
		}
		fill()
		s.Sweep()
		if s.Len() != 1000 {
			t.Errorf("a sweep after a sweep: Len = %d, want 1000", s.Len())
		}
		s.EndSubject("ann", high, time.Now())
		s.EndClient("app", high, time.Now())
		s.EndKey("k", time.Now())
		s.EndAll(high, time.Now())
		time.Sleep(time.Hour)
		s.Sweep()
		if who := (cutoff.Target{Session: low, Subject: "ann", Client: "app", Key: "k"}); s.Len() != 0 || s.Ends(who) {
			t.Errorf("Len = %d, ended %v; all has expired", s.Len(), s.Ends(who))
		}
	})
}

// Attack_F11: whether the wall clock was set ahead or back, only what has expired by both clocks is forgotten.
func TestSweepByTheEarlierClock(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]time.Duration{"ahead": time.Hour, "back": -time.Hour} {
		s := cutoff.NewSet()
		s.SetClock(set)
		earlier := time.Now().Add(min(-set, 0))
		s.EndSession("past", earlier.Add(-time.Minute))
		s.EndSession("live", earlier.Add(30*time.Minute))
		s.Sweep()
		if s.Ends(cutoff.Target{Session: "past"}) || !s.Ends(cutoff.Target{Session: "live"}) {
			t.Errorf("set %s: Len = %d, want what lives alone", name, s.Len())
		}
	}
}

// An entry is found as soon as it was added, whoever adds others and sweeps meanwhile.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	s := cutoff.NewSet()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				id := time.Duration(i).String()
				s.EndSession(id, time.Time{})
				s.EndSubject(id, high, time.Time{})
				s.EndKey("k", time.Time{})
				s.EndAll(low, time.Time{})
				s.Sweep()
				if !s.Ends(cutoff.Target{Session: id}) || !s.Ends(cutoff.Target{Session: low, Subject: id}) {
					t.Errorf("%s goes on", id)
				}
			}
		})
	}
	wg.Wait()
	if s.Len() != 1002 {
		t.Errorf("Len = %d, want 1002", s.Len())
	}
}

// An entry is dropped in the second in which it expires, and not before. One that never expires, or in a second that
// 32 bits do not hold (after 2106), stays, whatever it is merged with.
func TestExpiry(t *testing.T) {
	never, last := time.Time{}, time.Unix(math.MaxUint32, 0)
	in := func(d time.Duration) time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d) } // when a bubble begins
	for _, c := range []struct {
		name   string
		untils []time.Time
		after  time.Duration
		stays  bool
	}{
		{"the second before", []time.Time{in(40 * time.Second)}, 39 * time.Second, true},
		{"its second", []time.Time{in(40 * time.Second)}, 40 * time.Second, false},
		{"a second that is under way", []time.Time{in(40*time.Second + 1)}, 40 * time.Second, true},
		{"a second that was under way", []time.Time{in(40*time.Second + 1)}, 41 * time.Second, false},
		{"before 1970", []time.Time{time.Unix(-5, 0)}, time.Minute, false},
		{"never", []time.Time{never}, time.Hour, true},
		{"never and soon", []time.Time{never, in(time.Second)}, time.Hour, true},
		{"soon and never", []time.Time{in(time.Second), never}, time.Hour, true},
		{"the last second", []time.Time{last, in(time.Second)}, time.Hour, true},
		{"too late", []time.Time{last.Add(time.Hour)}, time.Hour, true},
		{"too late and soon", []time.Time{last.Add(time.Hour), in(time.Second)}, time.Hour, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := cutoff.NewSet()
			for _, until := range c.untils {
				s.EndSession("x", until)
				s.EndSubject("ann", high, until)
				s.EndKey("k", until)
				s.EndAll(high, until)
			}
			time.Sleep(c.after)
			s.Sweep()
			if want := map[bool]int{true: 4}[c.stays]; s.Len() != want {
				t.Errorf("%s: Len = %d, want %d", c.name, s.Len(), want)
			}
		})
	}
}

// Sessions are older than a cut-off when their texts sort before it. A session in another spelling has ended with any cut-off,
// and a cut-off in another spelling ends every session.
func TestSpellings(t *testing.T) {
	t.Parallel()
	ends := func(before, session string) bool {
		s := cutoff.NewSet()
		s.EndSubject("ann", before, time.Time{})
		return s.Ends(cutoff.Target{Session: session, Subject: "ann"})
	}
	const digits = "0123456789abcdef"
	for i, c := range high { // each digit at each place, beside the next
		for d := range len(digits) - 1 {
			if c == '-' {
				continue
			}
			one, next := high[:i]+digits[d:d+1]+high[i+1:], high[:i]+digits[d+1:d+2]+high[i+1:]
			if !ends(next, one) || ends(one, next) || ends(one, one) {
				t.Fatalf("%s and %s are compared wrongly", one, next)
			}
		}
	}
	const most = "ffffffff-ffff-ffff-ffff-ffffffffffff"
	others := []string{"", high[1:], high + "0", strings.ReplaceAll(high, "-", ""), "{" + high[2:] + "}"}
	for i, c := range most {
		for _, other := range "-/:`gAF " {
			if other != c {
				others = append(others, most[:i]+string(other)+most[i+1:])
			}
		}
	}
	for _, other := range others {
		if !ends(low, other) {
			t.Errorf("the session %q goes on", other)
		}
		if !ends(other, high) {
			t.Errorf("before %q: a session goes on", other)
		}
	}
}
