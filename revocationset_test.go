package doorward_test

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/doorward/doorward"
)

// fresh returns a set that vouches for tokens for an hour.
func fresh() *doorward.RevocationSet {
	s := doorward.NewRevocationSet(time.Hour)
	s.Confirm(time.Now())
	return s
}

func TestRevocationSetKinds(t *testing.T) {
	t.Parallel()
	const cut = "0193a7b2-8000-7000-8000-000000000000"
	claims := func(sid string) doorward.Claims {
		return doorward.Claims{Subject: "ann", ClientID: "dwc_1", KeyID: "k1", SessionID: sid, ID: "jti"}
	}
	older, newer := claims("0193a7b2-7fff-7fff-bfff-ffffffffffff"), claims("0193a7b2-8000-7000-8000-000000000001")
	for _, tt := range []struct {
		name         string
		entry        doorward.Revocation
		older, newer bool
	}{
		{"session", doorward.Revocation{Kind: doorward.KindSession, ID: older.SessionID}, true, false},
		{"another session", doorward.Revocation{Kind: doorward.KindSession, ID: cut}, false, false},
		{"subject", doorward.Revocation{Kind: doorward.KindSubject, ID: "ann", Before: cut}, true, false},
		{"another subject", doorward.Revocation{Kind: doorward.KindSubject, ID: "Ann", Before: cut}, false, false},
		{"a subject called like the client", doorward.Revocation{Kind: doorward.KindSubject, ID: "dwc_1", Before: cut}, false, false},
		{"a client called like the subject", doorward.Revocation{Kind: doorward.KindClient, ID: "ann", Before: cut}, false, false},
		{"client", doorward.Revocation{Kind: doorward.KindClient, ID: "dwc_1", Before: cut}, true, false},
		{"all", doorward.Revocation{Kind: doorward.KindAll, Before: cut}, true, false},
		{"key", doorward.Revocation{Kind: doorward.KindKey, ID: "k1"}, true, true},
		{"another key", doorward.Revocation{Kind: doorward.KindKey, ID: "k2"}, false, false},
		{"subject without a readable cut-off", doorward.Revocation{Kind: doorward.KindSubject, ID: "ann", Before: "yesterday"}, true, true},
		{"subject, cut-off in capitals", doorward.Revocation{Kind: doorward.KindSubject, ID: "ann", Before: "0193A7B2-8000-7000-8000-000000000000"}, true, true},
		{"its own cut-off", doorward.Revocation{Kind: doorward.KindSubject, ID: "ann", Before: older.SessionID}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := fresh()
			s.Add(tt.entry, tt.entry)
			if s.Len() != 1 {
				t.Errorf("Len = %d, want 1", s.Len())
			}
			for i, c := range []doorward.Claims{older, newer} {
				want := []bool{tt.older, tt.newer}[i]
				if err := s.Check(&c); (err != nil) != want || err != nil && !errors.Is(err, doorward.ErrRevoked) {
					t.Errorf("Check(%s) = %v, want revoked = %v", c.SessionID, err, want)
				}
			}
		})
	}
}

// A token whose sid cannot be compared counts as older than every cut-off that applies to it.
func TestRevocationSetOddSessions(t *testing.T) {
	t.Parallel()
	for _, sid := range []string{
		"", "x", "FFFFFFFF-FFFF-7FFF-BFFF-FFFFFFFFFFFF", "ffffffffffff7fffbfffffffffffffff",
		"{ffffffff-ffff-7fff-bfff-ffffffffffff}", "ffffffff-ffff-7fff-bfff-ffffffffffff ", "ffffffff-ffff-7fff-bfff-fffffffffff",
		"ffffffff-ffff-7fff-bfff-fffffffffffg", "ffffffffffff-7fff-bfff-ffff-ffffffff",
	} {
		c := &doorward.Claims{Subject: "ann", SessionID: sid}
		s := fresh()
		if err := s.Check(c); err != nil {
			t.Errorf("sid %q in an empty set: %v", sid, err)
		}
		s.Add(doorward.Revocation{Kind: doorward.KindSession, ID: ""})
		s.Add(doorward.Revocation{Kind: doorward.KindSubject, ID: "bob", Before: "00000000-0000-7000-8000-000000000001"})
		if err := s.Check(c); err != nil {
			t.Errorf("sid %q with entries of others: %v", sid, err)
		}
		s.Add(doorward.Revocation{Kind: doorward.KindSubject, ID: "ann", Before: "00000000-0000-7000-8000-000000000001"})
		if err := s.Check(c); !errors.Is(err, doorward.ErrRevoked) {
			t.Errorf("sid %q with a cut-off: %v", sid, err)
		}
	}
}

func TestRevocationSetFreshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &doorward.Claims{SessionID: testSession}
		s := doorward.NewRevocationSet(time.Minute)
		if err := s.Check(c); !errors.Is(err, doorward.ErrStale) || s.Age() != math.MaxInt64 {
			t.Errorf("never confirmed: %v, age %v", err, s.Age())
		}
		asked := time.Now()
		time.Sleep(10 * time.Second)
		s.Confirm(asked) // the age counts from the question, not from the answer
		if s.Age() != 10*time.Second {
			t.Errorf("Age = %v, want 10 s", s.Age())
		}
		time.Sleep(50 * time.Second)
		if err := s.Check(c); err != nil {
			t.Errorf("at the limit: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if err := s.Check(c); !errors.Is(err, doorward.ErrStale) {
			t.Errorf("past the limit: %v", err)
		}
		s.Confirm(asked)
		if err := s.Check(c); !errors.Is(err, doorward.ErrStale) {
			t.Errorf("an old answer again: %v", err)
		}
		s.Confirm(time.Now().Add(time.Hour))
		if s.Age() != 0 {
			t.Errorf("a question from the future: Age = %v", s.Age())
		}
		s.Confirm(asked)
		if s.Age() != 0 {
			t.Errorf("an older answer made the set older: %v", s.Age())
		}
		s.Add(doorward.Revocation{Kind: doorward.KindSession, ID: testSession})
		time.Sleep(time.Hour)
		if err := s.Check(c); !errors.Is(err, doorward.ErrRevoked) {
			t.Errorf("a revoked token of a stale set: %v; what is known is known", err)
		}
		always := doorward.NewRevocationSet(-1)
		always.Confirm(time.Now())
		if err := always.Check(c); !errors.Is(err, doorward.ErrStale) {
			t.Errorf("negative maxStaleness: %v", err)
		}
	})
}

// A machine that was suspended: its monotonic clock stood still, the wall clock went on. And one whose wall clock
// was set back: there the monotonic clock tells the truth.
func TestRevocationSetClocks(t *testing.T) {
	for name, monotonic := range map[string]time.Duration{"suspended": time.Hour, "set back": -time.Hour} {
		s := doorward.NewRevocationSet(time.Minute)
		asked := time.Now()
		if monotonic > 0 {
			asked = asked.Add(-time.Hour) // both clocks, and then the monotonic one again
		} else {
			asked = asked.Add(-time.Hour)
			asked = shiftWall(asked, time.Hour)
			monotonic = 0
		}
		s.Confirm(shiftMonotonic(asked, monotonic))
		if age := s.Age(); age < time.Hour || age > time.Hour+time.Minute {
			t.Errorf("%s: Age = %v, want an hour", name, age)
		}
	}
}

// shiftMonotonic moves the monotonic reading alone, which package time has no means to do.
func shiftMonotonic(t time.Time, d time.Duration) time.Time {
	(*[2]int64)(unsafe.Pointer(&t))[1] += int64(d)
	return t
}

func shiftWall(t time.Time, d time.Duration) time.Time {
	return shiftMonotonic(t.Add(d), -d)
}

// An entry of a kind from a later version may end anything: the set does not vouch until it is gone.
func TestRevocationSetUnknownKind(t *testing.T) {
	t.Parallel()
	s := fresh()
	c := &doorward.Claims{SessionID: testSession}
	s.Add(doorward.Revocation{Kind: "device", ID: "x"})
	if err := s.Check(c); !errors.Is(err, doorward.ErrStale) {
		t.Errorf("with an unknown kind: %v", err)
	}
	s.Replace([]doorward.Revocation{{Kind: "device"}})
	if err := s.Check(c); !errors.Is(err, doorward.ErrStale) {
		t.Errorf("replaced by an unknown kind: %v", err)
	}
	s.Replace(nil)
	if err := s.Check(c); err != nil {
		t.Errorf("without it: %v", err)
	}
}

// Attack_F11: entries live until they expire and are gone soon after; a wall clock that jumps ahead drops none.
func TestRevocationSetExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fresh()
		until := time.Now().Add(10*time.Minute + 500*time.Millisecond)
		const n = 2000
		for i := range n {
			s.Add(
				doorward.Revocation{Kind: doorward.KindSession, ID: sid(i), ExpiresAt: until},
				doorward.Revocation{Kind: doorward.KindSubject, ID: sid(i), Before: sid(i), ExpiresAt: until},
			)
		}
		s.Add(
			doorward.Revocation{Kind: doorward.KindAll, Before: sid(0), ExpiresAt: until},
			doorward.Revocation{Kind: doorward.KindClient, ID: "c", Before: sid(0), ExpiresAt: until},
			doorward.Revocation{Kind: doorward.KindKey, ID: "stolen"},
			doorward.Revocation{Kind: doorward.KindKey, ID: "old", ExpiresAt: until},
			doorward.Revocation{Kind: doorward.KindSession, ID: "for ever"},
			doorward.Revocation{Kind: doorward.KindSession, ID: "far", ExpiresAt: time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)},
		)
		if got, want := s.Len(), 2*n+6; got != want {
			t.Fatalf("Len = %d, want %d", got, want)
		}
		for time.Now().Before(until.Add(-time.Second)) {
			time.Sleep(time.Second)
			s.Confirm(time.Now())
		}
		if got, want := s.Len(), 2*n+6; got != want {
			t.Errorf("before the expiry: Len = %d, want %d", got, want)
		}
		for range 70 {
			time.Sleep(time.Second)
			s.Confirm(time.Now())
		}
		if s.Len() != 3 {
			t.Errorf("a minute after the expiry: Len = %d, want 3", s.Len())
		}
		for _, c := range []doorward.Claims{{KeyID: "stolen"}, {SessionID: "for ever"}, {SessionID: "far"}} {
			if err := s.Check(&c); !errors.Is(err, doorward.ErrRevoked) {
				t.Errorf("Check(%+v) = %v, want %v", c, err, doorward.ErrRevoked)
			}
		}
	})
}

// What is in the set before and after a Replace is never out of it.
func TestRevocationSetReplaceKeeps(t *testing.T) {
	t.Parallel()
	s := fresh()
	entries := []doorward.Revocation{{Kind: doorward.KindAll, Before: sid(9)}, {Kind: doorward.KindSubject, ID: "ann", Before: sid(9)}}
	for i := range 100 {
		entries = append(entries, doorward.Revocation{Kind: doorward.KindSession, ID: fmt.Sprint(i)})
	}
	s.Add(entries...)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for range 200 {
			s.Replace(entries)
		}
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		for _, c := range []doorward.Claims{{SessionID: sid(1)}, {SessionID: "7"}, {Subject: "ann", SessionID: sid(2)}} {
			if err := s.Check(&c); !errors.Is(err, doorward.ErrRevoked) {
				t.Errorf("Check(%+v) = %v", c, err)
				running = false
			}
		}
	}
	wg.Wait()
	s.Replace(nil)
	if err := s.Check(&doorward.Claims{SessionID: "7", Subject: "ann"}); err != nil || s.Len() != 0 {
		t.Errorf("after Replace(nil): %v, %d entries", err, s.Len())
	}
}

// The set against a list that is searched from end to end.
func TestRevocationSetModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		set := fresh()
		var model []doorward.Revocation
		name := rapid.SampledFrom([]string{"", "a", "b", "c"})
		session := rapid.OneOf(name, rapid.Map(rapid.IntRange(0, 12), sid))
		before := rapid.OneOf(rapid.Map(rapid.IntRange(0, 12), sid), rapid.SampledFrom([]string{"", "junk"}))
		entry := rapid.Custom(func(rt *rapid.T) doorward.Revocation {
			kind := rapid.SampledFrom([]doorward.Kind{
				doorward.KindSession, doorward.KindSubject, doorward.KindClient, doorward.KindKey, doorward.KindAll,
			}).Draw(rt, "kind")
			r := doorward.Revocation{Kind: kind, ID: name.Draw(rt, "id"), Before: before.Draw(rt, "before")}
			if kind == doorward.KindSession {
				r.ID = session.Draw(rt, "session")
			}
			if rapid.IntRange(0, 9).Draw(rt, "rare") > 0 && kind == doorward.KindAll {
				r.Kind = doorward.KindSession
			}
			return r
		})
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				entries := rapid.SliceOfN(entry, 0, 4).Draw(rt, "entries")
				set.Add(entries...)
				model = append(model, entries...)
			},
			"replace": func(rt *rapid.T) {
				model = rapid.SliceOfN(entry, 0, 4).Draw(rt, "entries")
				set.Replace(model)
			},
			"check": func(rt *rapid.T) {
				c := &doorward.Claims{
					SessionID: session.Draw(rt, "sid"), Subject: name.Draw(rt, "sub"),
					ClientID: name.Draw(rt, "client"), KeyID: name.Draw(rt, "kid"),
				}
				if got, want := set.Check(c) != nil, modelEnds(model, c); got != want {
					rt.Fatalf("Check(%+v) = %v, want %v; entries %+v", c, got, want, model)
				}
			},
		})
	})
}

func modelEnds(entries []doorward.Revocation, c *doorward.Claims) bool {
	for _, r := range entries {
		comparable := len(r.Before) == 36 && len(c.SessionID) == 36
		old := !comparable || c.SessionID < r.Before
		switch {
		case r.Kind == doorward.KindSession && r.ID != "" && r.ID == c.SessionID,
			r.Kind == doorward.KindKey && r.ID == c.KeyID,
			r.Kind == doorward.KindSubject && r.ID == c.Subject && old,
			r.Kind == doorward.KindClient && r.ID == c.ClientID && old,
			r.Kind == doorward.KindAll && old:
			return true
		}
	}
	return false
}

// A million sessions take at most 60 MiB.
func TestRevocationSetMemory(t *testing.T) {
	before := heap()
	set := fresh()
	entries := make([]doorward.Revocation, 1000)
	for i := range 1000 {
		for j := range entries {
			entries[j] = doorward.Revocation{Kind: doorward.KindSession, ID: sid(i*1000 + j), ExpiresAt: time.Now().Add(time.Hour)}
		}
		set.Add(entries...)
	}
	clear(entries)
	mib := (int64(heap()) - int64(before)) >> 20
	t.Logf("%d entries take %d MiB", set.Len(), mib)
	if mib > 60 || set.Len() != 1e6 {
		t.Errorf("%d entries take %d MiB, want a million in at most 60", set.Len(), mib)
	}
}
