package doorwardtest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

var revocationTests = []storeTest{
	{"the log of a new store is empty", func(f *fixture) {
		page := f.since("")
		f.same("entries", len(page.Entries), 0)
		f.holds(page.Lineage != "", "there is no lineage")
		f.same("after", len(f.since(page.Next).Entries), 0)
	}},
	{"a cursor returns what was recorded after it", func(f *fixture) {
		f.end("s_1")
		first := f.since("")
		second, third := f.end("s_2"), f.end("s_3")
		page := f.since(first.Next)
		for _, cut := range []doorward.Revocation{second, third} {
			f.holds(slices.Contains(page.Entries, cut), "%+v is left out", cut)
		}
		f.same("all", len(f.log()), 3)
		f.same("lineage", page.Lineage, first.Lineage)
	}},
	{"an old cursor stays good", func(f *fixture) {
		start := f.since("").Next
		var cuts []doorward.Revocation
		for i := range 10 {
			cuts = append(cuts, f.end(fmt.Sprint("s_", i)))
			f.same("entries", f.since(start).Entries, cuts)
		}
	}},
	{"a cursor that the store did not give leaves nothing out", func(f *fixture) {
		cut := f.end("s_1")
		for _, c := range []issuer.Cursor{"x", "0", "-1", "9999999999", "a.b", "99999999999999999999999", "\x00\xff"} {
			page, err := f.store.RevocationsSince(f.Context(), c)
			f.holds(err != nil || slices.Contains(page.Entries, cut), "cursor %q leaves out %+v", c, cut)
		}
	}},
	{"wait returns at the latest after a second", func(f *fixture) {
		f.ok(f.store.WaitChange(f.Context()))
		f.ok(f.store.WaitChange(f.Context()))
	}},
	{"wait ends with its context", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		// It may return for nothing, but not for ever.
		for range 10 {
			if f.store.WaitChange(ctx) != nil {
				return
			}
		}
		f.Fatal("WaitChange never says that its context is cancelled")
	}},
	{"prune leaves what someone may need", func(f *fixture) {
		live := f.create("u_1")
		ended, _ := f.swap(f.create("u_1"), issuer.Change{End: "logout"})
		log := f.log()
		n, err := f.store.Prune(f.Context())
		f.ok(err)
		f.same("rows", n, int64(0))
		f.same("log", f.log(), log)
		for _, s := range []issuer.Session{live, ended} {
			read, _ := f.read(s.Handle)
			f.same("session", read, s)
		}
	}},
}

// end records the cut-off of a session without a row.
func (f *fixture) end(id string) doorward.Revocation {
	f.Helper()
	cut, err := f.store.EndSession(f.Context(), id, "logout", event)
	f.ok(err)
	return cut
}

var keyTests = []storeTest{
	{"a new store has revision 0 and no keys", func(f *fixture) {
		ring, err := f.store.KeyRing(f.Context())
		f.ok(err)
		f.same("ring", ring, issuer.KeyRing{})
	}},
	{"the ring comes back as it was swapped in", func(f *fixture) {
		keys := []issuer.StoredKey{storedKey("a", time.Hour), storedKey("b", 1500*time.Millisecond)}
		f.ok(f.store.SwapKeys(f.Context(), 0, keys, nil, event))
		f.ring(1, keys)
		keys[1].KeepUntil = time.Date(2030, 1, 1, 0, 0, 0, 1e6, time.UTC)
		f.ok(f.store.SwapKeys(f.Context(), 1, keys[1:], nil, event))
		f.ring(2, keys[1:])
		f.same("log", len(f.log()), 0)
	}},
	{"a swap at another revision is a conflict and writes nothing", func(f *fixture) {
		keys := []issuer.StoredKey{storedKey("a", time.Hour)}
		f.ok(f.store.SwapKeys(f.Context(), 0, keys, nil, event))
		for _, rev := range []int64{-1, 0, 2} {
			err := f.store.SwapKeys(f.Context(), rev, nil, []string{"a"}, event)
			f.fails(err, issuer.ErrConflict)
		}
		f.ring(1, keys)
		f.same("log", len(f.log()), 0)
	}},
	{"a revoked key has a cut-off that never expires", func(f *fixture) {
		f.ok(f.store.SwapKeys(f.Context(), 0, nil, []string{"a", "b"}, event))
		f.ok(f.store.SwapKeys(f.Context(), 1, nil, []string{"a"}, event))
		f.same("log", f.log(), []doorward.Revocation{
			{Kind: doorward.KindKey, ID: "a"}, {Kind: doorward.KindKey, ID: "b"},
		})
	}},
}

func storedKey(id string, ttl time.Duration) issuer.StoredKey {
	return issuer.StoredKey{
		ID: id, Purpose: issuer.PurposeSign, Algorithm: "EdDSA", Sealed: []byte{0, 1, 0xff, 0},
		CreatedAt: time.Date(2020, 1, 2, 3, 4, 5, 6e6, time.UTC),
		UseFrom:   time.Date(2020, 1, 2, 3, 14, 5, 6e6, time.UTC),
		AccessTTL: ttl,
	}
}

// ring checks the revision and the keys, in whatever order they come.
func (f *fixture) ring(rev int64, keys []issuer.StoredKey) {
	f.Helper()
	ring, err := f.store.KeyRing(f.Context())
	f.ok(err)
	slices.SortFunc(ring.Keys, func(a, b issuer.StoredKey) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	f.same("ring", ring, issuer.KeyRing{Rev: rev, Keys: keys})
}
