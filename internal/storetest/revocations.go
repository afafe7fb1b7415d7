package storetest

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
	{"a revoked refresh key ends every session", refreshKeyEndsAll},
	{"a signing key that is revoked ends no session, nor does a refresh key that is dropped", func(f *fixture) {
		keys := []issuer.StoredKey{storedKey("a", time.Hour), refreshKey("refresh-1")}
		f.ok(f.store.SwapKeys(f.Context(), 0, keys, nil, event))
		s := f.create("u_1")
		f.ok(f.store.SwapKeys(f.Context(), 1, keys[1:], []string{"a"}, event))
		f.ok(f.store.SwapKeys(f.Context(), 2, nil, nil, event))
		read, at := f.read(s.Handle)
		f.holds(read.Live(at), "the session ended: %s", read.EndReason)
	}},
}

func refreshKeyEndsAll(f *fixture) {
	f.ok(f.store.SwapKeys(f.Context(), 0, []issuer.StoredKey{refreshKey("refresh-1")}, nil, event))
	live, other := f.create("u_1"), f.create("u_2")
	early, _ := f.swap(f.create("u_1"), issuer.Change{End: "logout"})
	start := f.since("").Next
	f.ok(f.store.SwapKeys(f.Context(), 1, nil, []string{"refresh-1"}, event))
	after := f.create("u_1")

	for _, s := range []issuer.Session{live, other} {
		read, at := f.read(s.Handle)
		f.holds(!read.Live(at) && !read.EndedAt.IsZero(), "session %s is live", s.ID)
		f.same("reason", read.EndReason, issuer.ReasonKeyRemoved)
		f.same("listed", f.list(issuer.SessionQuery{ID: s.ID}), []issuer.Session{read})
	}
	read, _ := f.read(early.Handle)
	f.same("reason of a session that had ended", read.EndReason, "logout")
	read, at := f.read(after.Handle)
	f.holds(read.Live(at), "a session that began later is not live")
	f.same("live", ids(f.list(issuer.SessionQuery{Live: true})), []string{after.ID})

	_, _, err := f.store.SwapSession(f.Context(), other.ID, other.Rev, issuer.Change{Used: true}, event)
	f.fails(err, issuer.ErrConflict)
	_, err = f.store.EndSession(f.Context(), live.ID, "logout", event)
	f.ok(err)
	_, err = f.store.EndSubject(f.Context(), other.Subject, "logout_everywhere", event)
	f.ok(err)
	for _, s := range []issuer.Session{live, other} {
		read, _ = f.read(s.Handle)
		f.same("reason after it was ended again", read.EndReason, issuer.ReasonKeyRemoved)
	}

	all := slices.IndexFunc(f.since(start).Entries, func(c doorward.Revocation) bool { return c.Kind == doorward.KindAll })
	f.holds(all >= 0, "there is no cut-off of all sessions in %+v", f.since(start).Entries)
	cut := f.since(start).Entries[all]
	f.holds(cut.ExpiresAt.IsZero() && cut.ID == "", "cut-off %+v", cut)
	f.holds(max(live.ID, other.ID) < cut.Before && cut.Before < after.ID, "cut-off before %s", cut.Before)
}

func refreshKey(id string) issuer.StoredKey {
	key := storedKey(id, 0)
	key.Purpose, key.Algorithm = issuer.PurposeRefresh, "HS256"
	return key
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
