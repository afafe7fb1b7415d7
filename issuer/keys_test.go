package issuer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// keyInfo is what an operator reads of a key.
func (w *world) keyInfo(kid string) issuer.KeyInfo {
	w.t.Helper()
	list, err := w.KeyList(w.t.Context())
	at := slices.IndexFunc(list, func(k issuer.KeyInfo) bool { return k.ID == kid })
	if err != nil || at < 0 {
		w.t.Fatalf("keys %+v, %v: want %s among them", list, err, kid)
	}
	return list[at]
}

func (w *world) wantKeyState(kid string, want issuer.KeyState) {
	w.t.Helper()
	if k := w.keyInfo(kid); k.State != want {
		w.t.Errorf("%+v: want %q", k, want)
	}
}

func (w *world) kidOf(set issuer.TokenSet) string {
	w.t.Helper()
	return w.wantVerify(set.AccessToken, nil).KeyID
}

// Attack_A20, Attack_G06, Behaviour_B30b, Standard_K13: a key is published
// before it signs, and verifies until its last token has expired.
func TestRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		stop := w.start(t)
		old := w.login("ada")
		kid, err := w.RotateKey(t.Context(), issuer.Event{})
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := w.RotateKey(t.Context(), issuer.Event{}); again != kid {
			t.Error("a second rotation made another key while one was waiting")
		}
		if _, err := w.Keys().Key(t.Context(), kid); err != nil {
			t.Errorf("the next key is not published: %v", err)
		}
		if got := w.kidOf(w.login("ada")); got == kid {
			t.Error("the next key signs before its lead is over")
		}
		w.wantKeyState(kid, issuer.KeyNext)
		w.wantKeyState(w.kidOf(old), issuer.KeyCurrent)
		time.Sleep(10*time.Minute - 2*time.Second)
		last := w.login("ada")
		if w.kidOf(last) == kid {
			t.Error("the next key signs before its lead is over")
		}
		time.Sleep(3 * time.Second)
		if got := w.kidOf(w.login("ada")); got != kid {
			t.Errorf("signed by %s after the lead, want %s", got, kid)
		}
		w.wantKeyState(kid, issuer.KeyCurrent)
		w.wantKeyState(w.kidOf(last), issuer.KeyVerifying)
		time.Sleep(9 * time.Minute)
		w.wantVerify(last.AccessToken, nil)
		time.Sleep(10 * time.Minute)
		w.wantVerify(old.AccessToken, jwt.ErrKey)
		w.mustRefresh(old.RefreshToken)
		stop()
	})
}

// Attack_A20: a key is kept for as long as the longest token that any node may have made with it, and not for those that
// others make.
func TestKeysAreKeptForTheirTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		old := w.kidOf(w.login("ada"))
		next, err := w.RotateKey(t.Context(), issuer.Event{})
		if err != nil {
			t.Fatal(err)
		}
		ends := time.Now().Add(10 * time.Minute) // when the next key begins
		for n, step := range []struct {
			wait, access, want, next time.Duration // of the longest token of each key
		}{
			{0, 10 * time.Minute, 10*time.Minute + 30*time.Second, 10*time.Minute + 30*time.Second},
			{0, time.Hour, time.Hour + 3*time.Minute, time.Hour + 3*time.Minute},
			{0, 10 * time.Minute, time.Hour + 3*time.Minute, time.Hour + 3*time.Minute},
			{11 * time.Minute, 2 * time.Hour, time.Hour + 3*time.Minute, 2*time.Hour + 6*time.Minute}, // The first makes none any more.
		} {
			time.Sleep(step.wait)
			w = newWorldWith(t, w.cfg.Store, func(c *issuer.Config) { c.AccessTTL = step.access })
			keep := w.keyInfo(old).KeepUntil
			if want := ends.Add(step.want + 2*time.Minute); !keep.Equal(want) {
				t.Errorf("%d: kept until %v, want %v", n, keep, want)
			}
			if keep := w.keyInfo(next).KeepUntil; !keep.IsZero() {
				t.Errorf("%d: the next key is kept until %v", n, keep)
			}
			ring, err := w.cfg.Store.KeyRing(t.Context())
			longest := map[string]time.Duration{}
			for _, key := range ring.Keys {
				longest[key.ID] = key.AccessTTL
			}
			if err != nil || longest[old] != step.want || longest[next] != step.next { // A cut-off is kept as long.
				t.Errorf("%d: tokens of %v, %v; want of %v and %v", n, longest, err, step.want, step.next)
			}
		}
		// A key whose successor has gone makes tokens again, and goes on to.
		waits, err := w.RotateKey(t.Context(), issuer.Event{})
		if err = errors.Join(err, w.RevokeKey(t.Context(), waits, issuer.Event{})); err != nil {
			t.Fatal(err)
		}
		if k := w.keyInfo(next); k.State != issuer.KeyCurrent || !k.KeepUntil.IsZero() {
			t.Errorf("%+v is alone again", k)
		}
		// The key that takes a stolen one's place begins before one that waits.
		waits, err = w.RotateKey(t.Context(), issuer.Event{})
		if err = errors.Join(err, w.RevokeKey(t.Context(), next, issuer.Event{})); err != nil {
			t.Fatal(err)
		}
		instead := w.kidOf(w.login("ada"))
		if k := w.keyInfo(instead); k.State != issuer.KeyCurrent || k.KeepUntil.IsZero() || instead == old || instead == waits {
			t.Errorf("%+v instead of the stolen one", k)
		}
		if k := w.keyInfo(waits); k.State != issuer.KeyNext || !k.KeepUntil.IsZero() {
			t.Errorf("%+v waits", k)
		}
	})
}

// Attack_G06: a key that should have begun while nothing ran is published first, too.
func TestOverdueRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		old := w.kidOf(w.login("ada"))
		time.Sleep(100 * 24 * time.Hour)
		w = newWorldWith(t, w.cfg.Store, nil)
		defer w.start(t)()
		if got := w.kidOf(w.login("ada")); got != old || len(w.JWKS().Keys()) != 2 {
			t.Errorf("%s signs, of %d keys; want %s, and the next one published", got, len(w.JWKS().Keys()), old)
		}
		if keys := w.refreshKeys(t); len(keys) != 2 {
			t.Errorf("refresh keys %v, want the next one too", keys)
		}
		time.Sleep(11 * time.Minute)
		if got := w.kidOf(w.login("ada")); got == old {
			t.Error("the next key does not sign")
		}
	})
}

// The schedule rotates both kinds of key, and sessions outlive it.
func TestKeysRotateByThemselves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *issuer.Config) {
			c.KeyTTL = 15 * time.Minute // Run asks the store each second of it.
		})
		stop := w.start(t)
		set := w.login("ada")
		kids := map[string]bool{}
		for range 5 {
			kids[w.kidOf(w.login("ada"))] = true
			time.Sleep(15 * time.Minute)
			set = w.mustRefresh(set.RefreshToken)
		}
		if len(kids) != 5 {
			t.Errorf("%d signing keys in five lifetimes, want 5", len(kids))
		}
		list, err := w.KeyList(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		states := map[string]map[issuer.KeyState]int{}
		for _, key := range list {
			if states[key.Purpose] == nil {
				states[key.Purpose] = map[issuer.KeyState]int{}
			}
			states[key.Purpose][key.State]++
		}
		if n := states[issuer.PurposeSign][issuer.KeyVerifying]; n > 2 {
			t.Errorf("%d retired signing keys are still kept", n)
		}
		if states[issuer.PurposeSign][issuer.KeyCurrent] != 1 || states[issuer.PurposeRefresh][issuer.KeyCurrent] != 1 {
			t.Errorf("states = %v", states)
		}
		stop()
	})
}

func TestRevokeKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	w := newWorldOn(t, path, nil)
	set := w.login("ada")
	kid := w.kidOf(set)
	if err := w.RevokeKey(t.Context(), "nonesuch", issuer.Event{}); !errors.Is(err, issuer.ErrNotFound) {
		t.Errorf("revoke an unknown key: %v", err)
	}
	if err := w.RevokeKey(t.Context(), kid, issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	w.wantVerify(set.AccessToken, jwt.ErrKey)
	if next := w.kidOf(w.mustRefresh(set.RefreshToken)); next == kid {
		t.Error("the revoked key still signs")
	}
	// A verifier that still holds the key refuses its tokens all the same.
	if err := w.Revocations().Check(&doorward.Claims{KeyID: kid, SessionID: set.SessionID}); !errors.Is(err, doorward.ErrRevoked) {
		t.Errorf("check: %v, want ErrRevoked", err)
	}
	again := newWorldOn(t, path, nil)
	if err := again.Revocations().Check(&doorward.Claims{KeyID: kid, SessionID: set.SessionID}); !errors.Is(err, doorward.ErrRevoked) {
		t.Errorf("check after a restart: %v, want ErrRevoked", err)
	}
}

// Who has a refresh key makes the current token of a session out of any token that was
// ever stolen. When it is revoked every session ends, in each process and for good.
func TestRevokeRefreshKeyEndsAllSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "doorward.db")
		here, there := newWorldOn(t, path, nil), newWorldOn(t, path, nil)
		stop := there.start(t)
		early := here.login("ada")
		if err := here.Logout(t.Context(), early.AccessToken, issuer.Event{}); err != nil {
			t.Fatal(err)
		}
		set := here.login("ada")
		stolen := here.refreshKeys(t)
		if err := here.RevokeKey(t.Context(), stolen[0], issuer.Event{}); err != nil {
			t.Fatal(err)
		}
		here.wantVerify(set.AccessToken, doorward.ErrRevoked)
		here.wantReason(set, issuer.ReasonKeyRemoved)
		time.Sleep(2 * time.Second)
		there.wantVerify(set.AccessToken, doorward.ErrRevoked)
		there.wantReason(set, issuer.ReasonKeyRemoved)
		if err := there.Logout(t.Context(), set.RefreshToken, issuer.Event{}); err != nil {
			t.Errorf("logout of what has ended: %v", err)
		}
		list, err := here.Sessions(t.Context(), issuer.SessionQuery{ID: early.SessionID})
		if err != nil || list[0].EndReason != issuer.ReasonLogout {
			t.Errorf("a session that had ended before: %+v, %v", list, err)
		}
		there.mustRefresh(here.login("ada").RefreshToken)
		there.wantRefreshError(newWorld(t, nil).login("ada").RefreshToken, issuer.ErrToken) // of a key that was never here
		stop()
		time.Sleep(24 * time.Hour) // What has expired is deleted now.
		if _, err := here.cfg.Store.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		newWorldOn(t, path, nil).wantReason(set, issuer.ReasonKeyRemoved)
	})
}

// Rotation is no removal: who moved on to the next refresh key ends with the others when
// the first one turns out to be stolen, and is told why.
func TestRevokeEarlierRefreshKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *issuer.Config) { c.KeyTTL, c.PublishLead = 10*time.Minute, time.Minute })
		defer w.start(t)()
		set := w.login("ada")
		first := w.refreshKeys(t)[0]
		time.Sleep(15 * time.Minute)
		set = w.mustRefresh(set.RefreshToken)
		others := w.refreshKeys(t)[1:]
		if err := w.RevokeKey(t.Context(), first, issuer.Event{}); err != nil {
			t.Fatal(err)
		}
		w.wantReason(set, issuer.ReasonKeyRemoved)
		w.mustRefresh(w.login("ada").RefreshToken)
		if left := w.refreshKeys(t); !slices.Equal(left, others) {
			t.Errorf("refresh keys %v, want %v: the one in use was not revoked", left, others)
		}
	})
}

// Who changed the keys is in the audit record, and by what. Nothing else is: a second rotation while a key waits is none.
func TestKeyChangesAreRecorded(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	store := doorwardtest.NewStore()
	w := newWorldWith(t, store, func(c *issuer.Config) { c.Logger = slog.New(slog.NewTextHandler(&logs, nil)) })
	current := w.kidOf(w.login("ada"))
	by := issuer.Event{Kind: "x", Actor: "cli:root", Reason: "of the caller"}
	kid, err := w.RotateKey(t.Context(), by)
	if again, twice := w.RotateKey(t.Context(), by); err != nil || twice != nil || again != kid {
		t.Fatalf("rotate: %q, %v, then %q, %v", kid, err, again, twice)
	}
	first := w.refreshKeys(t)[0]
	if err := w.RevokeKey(t.Context(), kid, by); err != nil {
		t.Fatal(err)
	}
	if got := w.kidOf(w.login("ada")); got != current || len(w.JWKS().Keys()) != 1 || logs.Len() > 0 {
		t.Errorf("a key that made no token is gone, and %s signs instead of %s, of %d; log %q", got, current, len(w.JWKS().Keys()), logs.String())
	}
	if err := w.RevokeKey(t.Context(), first, by); err != nil {
		t.Fatal(err)
	}
	if line := `event=key_revoke reason=key_removed sub="" sid="" actor=cli:root`; !strings.Contains(logs.String(), line) || strings.Count(logs.String(), "event=") != 1 {
		t.Errorf("the log does not tell %q alone:\n%s", line, logs.String())
	}
	want := []issuer.Event{
		{Kind: issuer.EventKeyRotate, Actor: "doorward", Reason: "schedule"}, // the first keys
		{Kind: issuer.EventKeyRotate, Actor: "cli:root", Reason: "of the caller"},
		{Kind: issuer.EventKeyRevoke, Actor: "cli:root", Reason: "key " + kid},
		{Kind: issuer.EventKeyRevoke, Actor: "cli:root", Reason: "key " + first},
	}
	got := slices.DeleteFunc(store.Events(), func(ev issuer.Event) bool { return ev.Kind == issuer.EventLogin })
	if !slices.Equal(got, want) {
		t.Errorf("recorded %+v, want %+v", got, want)
	}
}

// overtaken is a store in which something else happens just before the next change of keys.
type overtaken struct {
	issuer.Store
	by func()
}

func (s *overtaken) SwapKeys(ctx context.Context, rev int64, keys []issuer.StoredKey, revoked []string, ev issuer.Event) error {
	if by := s.by; by != nil {
		s.by = nil
		by()
	}
	return s.Store.SwapKeys(ctx, rev, keys, revoked, ev)
}

// Attack_G06: of two processes that rotate at once one makes the key, and the other finds it.
func TestRotationIsOvertaken(t *testing.T) {
	t.Parallel()
	store := doorwardtest.NewStore()
	here := &overtaken{Store: store}
	w, other := newWorldWith(t, here, nil), newWorldWith(t, store, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var made string
	here.by = func() {
		var err error
		if made, err = other.RotateKey(ctx, issuer.Event{}); err != nil {
			t.Error(err)
		}
	}
	if kid, err := w.RotateKey(ctx, issuer.Event{}); err != nil || kid != made || len(w.JWKS().Keys()) != 2 {
		t.Errorf("rotate: %q of %d, %v, want the other's %q", kid, len(w.JWKS().Keys()), err, made)
	}
	// The same keys at another revision, as when they have been sealed anew.
	ring, err := store.KeyRing(ctx)
	if err = errors.Join(err, store.SwapKeys(ctx, ring.Rev, ring.Keys, nil, issuer.Event{})); err != nil {
		t.Fatal(err)
	}
	if err := w.RevokeKey(ctx, made, issuer.Event{}); err != nil {
		t.Errorf("revoke: %v", err)
	}
}

// Attack_F12: keys that cannot be written are neither revoked nor rotated, and nobody is told that they are.
func TestKeysThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	store := &broken{Store: doorwardtest.NewStore()}
	w := newWorldWith(t, store, nil)
	set := w.login("ada")
	keys := append(w.refreshKeys(t), w.kidOf(set))
	store.err = fmt.Errorf("%w: no route to host", issuer.ErrUnavailable)
	for _, id := range keys {
		if err := w.RevokeKey(t.Context(), id, issuer.Event{}); !errors.Is(err, issuer.ErrUnavailable) {
			t.Errorf("revoke %s: %v, want ErrUnavailable", id, err)
		}
	}
	if kid, err := w.RotateKey(t.Context(), issuer.Event{}); !errors.Is(err, issuer.ErrUnavailable) || kid != "" {
		t.Errorf("rotate: %q, %v, want ErrUnavailable", kid, err)
	}
	w.wantVerify(w.mustRefresh(set.RefreshToken).AccessToken, nil)
	w.wantVerify(set.AccessToken, nil)
	if list, err := w.KeyList(t.Context()); err != nil || len(list) != len(keys) {
		t.Errorf("keys %+v, %v, want those from before", list, err)
	}
}

// ahead is a store whose keys begin an hour later than they do, as for a node whose clock went back.
type ahead struct{ issuer.Store }

func (s ahead) KeyRing(ctx context.Context) (issuer.KeyRing, error) {
	ring, err := s.Store.KeyRing(ctx)
	ring.Keys = slices.Clone(ring.Keys)
	for n := range ring.Keys {
		ring.Keys[n].UseFrom = ring.Keys[n].UseFrom.Add(time.Hour)
	}
	return ring, err
}

// A node for which no key has begun yet uses the earliest.
func TestKeysThatHaveNotBegun(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, ahead{doorwardtest.NewStore()}, nil)
	w.wantVerify(w.mustRefresh(w.login("ada").RefreshToken).AccessToken, nil)
}

// refreshKeys are the refresh keys, the earliest first.
func (w *world) refreshKeys(t *testing.T) (ids []string) {
	t.Helper()
	list, err := w.KeyList(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range slices.Backward(list) {
		if key.Purpose == issuer.PurposeRefresh {
			ids = append(ids, key.ID)
		}
	}
	return ids
}

func TestWrongMasterKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.cfg.MasterKey = issuer.GenerateMasterKey()
	if _, err := issuer.New(t.Context(), w.cfg); !errors.Is(err, issuer.ErrMasterKey) {
		t.Errorf("new: %v, want ErrMasterKey", err)
	}
}

// Two processes that start at once on an empty store agree on its keys.
func TestFirstKeysAreMadeOnce(t *testing.T) {
	t.Parallel()
	first := newWorld(t, nil)
	const nodes = 4
	made := make(chan *issuer.Issuer, nodes)
	for range nodes {
		go func() {
			node, err := issuer.New(t.Context(), first.cfg)
			if err != nil {
				t.Error(err)
			}
			made <- node
		}()
	}
	for range nodes {
		if got := len((<-made).JWKS().Keys()); got != 1 {
			t.Errorf("%d signing keys, want 1", got)
		}
	}
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	for _, alg := range []jwt.Algorithm{jwt.EdDSA, jwt.ES256, jwt.RS256} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *issuer.Config) { c.Algorithm = alg })
			w.wantVerify(w.login("ada").AccessToken, nil)
			// Standard_K02, K06: nothing private, and every key has its name.
			raw, err := json.Marshal(w.JWKS())
			if err != nil {
				t.Fatal(err)
			}
			var set struct{ Keys []map[string]any }
			if err := json.Unmarshal(raw, &set); err != nil || len(set.Keys) != 1 {
				t.Fatalf("key set %s: %v", raw, err)
			}
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
				if _, there := set.Keys[0][private]; there {
					t.Errorf("the published key has %q", private)
				}
			}
			if set.Keys[0]["kid"] == "" || set.Keys[0]["alg"] != string(alg) {
				t.Errorf("published key = %v", set.Keys[0])
			}
		})
	}
}

func TestChangedAlgorithmRotates(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	old := newWorldOn(t, path, nil).login("ada")
	w := newWorldOn(t, path, func(c *issuer.Config) { c.Algorithm = jwt.ES256 })
	w.wantVerify(old.AccessToken, nil)
	if got := len(w.JWKS().Keys()); got != 2 {
		t.Errorf("%d keys published, want the old and the next", got)
	}
	if w.kidOf(w.login("ada")) != w.kidOf(old) {
		t.Error("the key of the new algorithm signs before its lead is over")
	}
}

// Two nodes that want different algorithms and lifetimes, as while a setting is
// changed on one after the other, do not answer each other's keys without end.
func TestNodesThatDifferMakeFewKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "doorward.db")
		here := newWorldOn(t, path, func(c *issuer.Config) { c.KeyTTL = 30 * time.Minute })
		there := newWorldOn(t, path, func(c *issuer.Config) {
			c.KeyTTL, c.Algorithm, c.AbsoluteTTL = 30*time.Minute, jwt.ES256, 15*24*time.Hour
		})
		defer here.start(t)()
		defer there.start(t)()
		time.Sleep(5 * time.Second)
		if got := len(here.JWKS().Keys()); got != 2 {
			t.Fatalf("%d keys published, want the first and the next", got)
		}
		before, err := here.cfg.Store.KeyRing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		after, err := here.cfg.Store.KeyRing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if changes := after.Rev - before.Rev; changes > 20 {
			t.Errorf("%d changes of the keys in half an hour", changes)
		}
	})
}

// A sealed key cannot stand in for another.
func TestSealedKeysAreBoundToTheirNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if _, err := w.RotateKey(t.Context(), issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	ring, err := w.cfg.Store.KeyRing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var signing []*issuer.StoredKey
	for n := range ring.Keys {
		if ring.Keys[n].Purpose == issuer.PurposeSign {
			signing = append(signing, &ring.Keys[n])
		}
	}
	if len(signing) != 2 {
		t.Fatalf("%d signing keys, want 2", len(signing))
	}
	signing[0].Sealed = signing[1].Sealed
	if err := w.cfg.Store.SwapKeys(t.Context(), ring.Rev, ring.Keys, nil, issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	if _, err := issuer.New(t.Context(), w.cfg); !errors.Is(err, issuer.ErrMasterKey) {
		t.Errorf("new: %v, want ErrMasterKey", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := newWorld(t, nil).cfg
	tests := []struct {
		name  string
		spoil func(*issuer.Config)
		want  string
	}{
		{"no issuer", func(c *issuer.Config) { c.Issuer = "" }, "issuer: Config.Issuer is required"},
		{"no store", func(c *issuer.Config) { c.Store = nil }, "issuer: Config.Store is required"},
		{"no master key", func(c *issuer.Config) { c.MasterKey = issuer.MasterKey{} }, "issuer: Config.MasterKey is required; GenerateMasterKey makes one"},
		{"no subjects", func(c *issuer.Config) { c.Subjects = nil }, "issuer: Config.Subjects is required"},
		{"plain http", func(c *issuer.Config) { c.Issuer = "http://auth.example" }, "issuer: Config.Issuer must be https; http is for loopback addresses alone"},
		{"query", func(c *issuer.Config) { c.Issuer = "https://auth.example?x" }, "issuer: Config.Issuer must have no query and no fragment"},
		{"HMAC", func(c *issuer.Config) { c.Algorithm = jwt.HS256 }, "issuer: Config.Algorithm must be asymmetric: who can verify with HMAC can also sign"},
		{"both modes", func(c *issuer.Config) { c.StrictRefresh, c.Budget = true, 2 }, "issuer: Config.StrictRefresh excludes Config.Window and Config.Budget"},
		{"idle above absolute", func(c *issuer.Config) { c.IdleTTL, c.AbsoluteTTL = 2*time.Hour, time.Hour }, "issuer: Config.IdleTTL must be between Config.Window and Config.AbsoluteTTL"},
		{"day-long tokens", func(c *issuer.Config) { c.AccessTTL = 24 * time.Hour }, "issuer: Config.AccessTTL must be between 10 seconds and 22 hours"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := good
			test.spoil(&cfg)
			if _, err := issuer.New(t.Context(), cfg); err == nil || err.Error() != test.want {
				t.Errorf("new: %v, want %q", err, test.want)
			}
		})
	}
}

func TestMasterKeyText(t *testing.T) {
	t.Parallel()
	text := masterKey.Text()
	if again, err := issuer.ParseMasterKey(text + "\n"); err != nil || again != masterKey {
		t.Errorf("parse: %v", err)
	}
	for _, bad := range []string{"", "x", text + "A", text[:42], text[:20] + "\n" + text[20:], "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if _, err := issuer.ParseMasterKey(bad); err == nil {
			t.Errorf("%q was taken for a master key", bad)
		}
	}
}

// start runs the issuer, in the test's bubble if it has one, until stop is called.
func (w *world) start(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

// impatient is a store whose caller gives up in the moment in which it has written.
type impatient struct {
	issuer.Store
	giveUp context.CancelFunc
}

func (s *impatient) SwapKeys(ctx context.Context, rev int64, keys []issuer.StoredKey, revoked []string, ev issuer.Event) error {
	defer s.giveUp()
	return s.Store.SwapKeys(ctx, rev, keys, revoked, ev)
}

func (s *impatient) SwapSession(ctx context.Context, id string, rev int64, ch issuer.Change, ev issuer.Event) (issuer.Session, time.Time, error) {
	defer s.giveUp()
	return s.Store.SwapSession(ctx, id, rev, ch, ev)
}

// What has ended in the store has ended here too, though its caller has gone.
func TestEndsAreSeenThrough(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		end     func(context.Context, *world, issuer.TokenSet) error
		wantErr error
		want    error
	}{
		{"signing key", func(ctx context.Context, w *world, set issuer.TokenSet) error {
			return w.RevokeKey(ctx, w.kidOf(set), issuer.Event{})
		}, nil, jwt.ErrKey},
		{"refresh key", func(ctx context.Context, w *world, _ issuer.TokenSet) error {
			return w.RevokeKey(ctx, w.refreshKeys(t)[0], issuer.Event{})
		}, nil, doorward.ErrRevoked},
		{"reuse", func(ctx context.Context, w *world, set issuer.TokenSet) error {
			_, err := w.Refresh(ctx, w.ForgeRefreshToken(set.RefreshToken, 0), issuer.RefreshRequest{})
			return err
		}, issuer.ErrReuse, doorward.ErrRevoked},
		{"rollback", func(ctx context.Context, w *world, set issuer.TokenSet) error {
			_, err := w.Refresh(ctx, w.ForgeRefreshToken(set.RefreshToken, 9), issuer.RefreshRequest{})
			return err
		}, issuer.ErrRollback, doorward.ErrRevoked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &impatient{Store: openSQLite(t, filepath.Join(t.TempDir(), "doorward.db")), giveUp: func() {}}
			w := newWorldWith(t, s, func(c *issuer.Config) { c.StrictRefresh = true })
			set := w.mustRefresh(w.login("ada").RefreshToken)
			ctx, cancel := context.WithCancel(t.Context())
			s.giveUp = cancel
			if err := tt.end(ctx, w, set); !errors.Is(err, tt.wantErr) {
				t.Errorf("it has ended, and the answer is %v, want %v", err, tt.wantErr)
			}
			if ctx.Err() == nil {
				t.Fatal("nobody gave up")
			}
			w.wantVerify(set.AccessToken, tt.want)
		})
	}
}
