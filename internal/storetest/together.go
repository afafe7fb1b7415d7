package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

var concurrencyTests = []storeTest{
	{"Attack_F02 of 100 swaps at one rev one wins", func(f *fixture) {
		s := f.create("u_1")
		errs := together(100, func(i int) error {
			_, _, err := f.store.SwapSession(f.Context(), s.ID, s.Rev,
				issuer.Change{State: issuer.State{Generation: uint32(i) + 1}}, event)
			return err
		})
		winner := f.onlyOne(errs, issuer.ErrConflict)
		read, _ := f.read(s.Handle)
		f.same("generation", read.State.Generation, uint32(winner)+1)
		f.same("rev", read.Rev, s.Rev+1)
	}},
	{"of 20 swaps of the ring at one revision one wins", func(f *fixture) {
		errs := together(20, func(i int) error {
			return f.store.SwapKeys(f.Context(), 0, []issuer.StoredKey{storedKey(fmt.Sprint(i), 0)}, nil, event)
		})
		winner := f.onlyOne(errs, issuer.ErrConflict)
		f.ring(1, []issuer.StoredKey{storedKey(fmt.Sprint(winner), 0)})
	}},
	{"of 20 ends of one session all return one cut-off", func(f *fixture) {
		s := f.create("u_1")
		cuts := make([]doorward.Revocation, 20)
		errs := together(len(cuts), func(i int) (err error) {
			cuts[i], err = f.store.EndSession(f.Context(), s.ID, "logout", event)
			return err
		})
		f.ok(errors.Join(errs...))
		f.same("log", f.log(), slices.Compact(cuts))
	}},
	{"no login outlives an end of its subject", loginsAndEnds},
	{"a logout wins over every swap", swapsAndEnd},
	{"a reader that follows misses no cut-off", followers},
}

// onlyOne checks that all calls but one failed in the same way and returns which.
func (f *fixture) onlyOne(errs []error, other error) int {
	f.Helper()
	winner := -1
	for i, err := range errs {
		if err == nil && winner < 0 {
			winner = i
			continue
		}
		f.fails(err, other)
	}
	f.holds(winner >= 0, "none of %d won", len(errs))
	return winner
}

// loginsAndEnds checks the order of the IDs of one subject: between two of its
// cut-offs lie exactly the sessions of one epoch, and past the last one those that live.
func loginsAndEnds(f *fixture) {
	var mu sync.Mutex
	var made []issuer.Session
	var cuts []doorward.Revocation
	errs := together(16, func(i int) error {
		for range 10 {
			if i < 2 {
				cut, err := f.store.EndSubject(f.Context(), "u_1", "password", event)
				if err != nil {
					return err
				}
				mu.Lock()
				cuts = append(cuts, cut)
				mu.Unlock()
				continue
			}
			s, err := login(f.Context(), f.store, "u_1")
			if errors.Is(err, issuer.ErrEpoch) {
				continue
			}
			if err != nil {
				return err
			}
			mu.Lock()
			made = append(made, s)
			mu.Unlock()
		}
		return nil
	})
	f.ok(errors.Join(errs...))
	slices.SortFunc(cuts, func(a, b doorward.Revocation) int {
		if a.Before < b.Before {
			return -1
		}
		return 1
	})
	f.same("epoch", f.epoch("u_1"), int64(len(cuts)))
	for _, s := range made {
		passed := slices.IndexFunc(cuts, func(c doorward.Revocation) bool { return s.ID < c.Before })
		if passed < 0 {
			passed = len(cuts)
		}
		f.same("cut-offs before a session of that epoch", int64(passed), s.Epoch)
		read, at := f.read(s.Handle)
		f.same("live", read.Live(at), passed == len(cuts))
	}
	distinct := ids(made)
	slices.Sort(distinct)
	f.same("distinct IDs", len(slices.Compact(distinct)), len(made))
}

// swapsAndEnd checks that after a logout no swap succeeds, whatever it had read before.
func swapsAndEnd(f *fixture) {
	for range 10 {
		s := f.create("u_1")
		var out atomic.Bool
		errs := together(8, func(i int) error {
			if i == 0 {
				_, err := f.store.EndSession(f.Context(), s.ID, "logout", event)
				out.Store(true)
				return err
			}
			for {
				late := out.Load()
				read, at, err := f.store.SessionByHandle(f.Context(), s.Handle)
				if err != nil || !read.Live(at) {
					return err
				}
				if late {
					return errors.New("the session is live after the logout returned")
				}
				_, _, err = f.store.SwapSession(f.Context(), read.ID, read.Rev, issuer.Change{Used: true}, event)
				if err != nil && !errors.Is(err, issuer.ErrConflict) {
					return err
				}
			}
		})
		f.ok(errors.Join(errs...))
		read, at := f.read(s.Handle)
		f.holds(!read.Live(at) && read.EndReason == "logout", "after the logout: %+v", read)
	}
}

func followers(f *fixture) {
	const writers, readers, each = 6, 2, 25
	var mu sync.Mutex
	recorded := map[doorward.Revocation]bool{}
	seen := make([]map[doorward.Revocation]bool, readers)
	var writing atomic.Int32
	writing.Store(writers)
	errs := together(writers+readers, func(i int) error {
		if i >= writers {
			seen[i-writers] = map[doorward.Revocation]bool{}
			return follow(f, &writing, seen[i-writers])
		}
		defer writing.Add(-1)
		for n := range each {
			cut, err := f.store.EndSession(f.Context(), fmt.Sprintf("s_%d_%d", i, n), "logout", event)
			if n%3 == 0 {
				cut, err = f.store.EndSubject(f.Context(), "u_1", "password", event)
			}
			if err != nil {
				return err
			}
			mu.Lock()
			recorded[cut] = true
			mu.Unlock()
		}
		return nil
	})
	f.ok(errors.Join(errs...))
	for cut := range recorded {
		for i := range seen {
			f.holds(seen[i][cut], "reader %d missed %+v", i, cut)
		}
	}
}

// follow reads page after page until the writers are done, and once more.
func follow(f *fixture, writing *atomic.Int32, seen map[doorward.Revocation]bool) error {
	var at issuer.Cursor
	for done := false; !done; {
		done = writing.Load() == 0
		page, err := f.store.RevocationsSince(f.Context(), at)
		if err != nil {
			return err
		}
		for _, cut := range page.Entries {
			seen[cut] = true
		}
		at = page.Next
	}
	return nil
}
