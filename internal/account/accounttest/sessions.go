package accounttest

import (
	"sync"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// SessionLimit is how many live sessions a subject may have in the stores of [TestSessionLimit].
const SessionLimit = 4

// TestSessionLimit checks stores that let a subject have [SessionLimit] live sessions. open opens
// another one on the database of a folder.
func TestSessionLimit(t *testing.T, open func(t *testing.T, dir string) Store) {
	newFixture := func(t *testing.T) *fixture {
		dir := t.TempDir()
		return &fixture{T: t, store: open(t, dir), again: func() Store { return open(t, dir) }}
	}
	t.Run("Attack_F17 the one used longest ago ends", func(t *testing.T) {
		t.Parallel()
		testSurplus(newFixture(t))
	})
	t.Run("Attack_F17 of logins at once at two nodes", func(t *testing.T) {
		t.Parallel()
		testSurplusTogether(newFixture(t))
	})
}

func (f *fixture) liveOf(subject string) map[string]bool {
	f.Helper()
	list, err := f.store.Sessions(f.Context(), issuer.SessionQuery{Subject: subject, Live: true, Limit: 1000})
	if err != nil {
		f.Fatal(err)
	}
	live := map[string]bool{}
	for _, s := range list {
		live[s.ID] = true
	}
	return live
}

func testSurplus(f *fixture) {
	ada, bob := f.create(newRow("Ada")), f.create(newRow("Bob"))
	others := []issuer.Session{f.login(bob.ID), f.login(bob.ID)}
	var all []issuer.Session
	for range SessionLimit {
		all = append(all, f.login(ada.ID))
	}
	for { // the first one is used now, by a clock of milliseconds
		swapped, _, err := f.store.SwapSession(f.Context(), all[0].ID, all[0].Rev, issuer.Change{Used: true, State: all[0].State}, event)
		if err != nil {
			f.Fatal(err)
		}
		if all[0] = swapped; swapped.LastUsedAt.After(all[SessionLimit-1].LastUsedAt) {
			break
		}
	}
	if _, err := f.store.EndSession(f.Context(), all[2].ID, issuer.ReasonLogout, event); err != nil {
		f.Fatal(err)
	}
	all = append(all, f.login(ada.ID)) // in the place of the one that has ended
	for _, i := range []int{0, 1, 3, 4} {
		f.wantLive(all[i])
	}
	all = append(all, f.login(ada.ID), f.login(ada.ID)) // two too many
	live := f.liveOf(ada.ID)
	for i, want := range []bool{true, false, false, false, true, true, true} {
		if live[all[i].ID] != want {
			f.Errorf("session %d is live: %v, want %v", i, live[all[i].ID], want)
		}
	}
	for _, i := range []int{1, 3} {
		f.wantEnded(doorward.Revocation{Kind: doorward.KindSession, ID: all[i].ID}, "session_limit")
		got, now, err := f.store.SessionByHandle(f.Context(), all[i].Handle)
		if err != nil || got.Live(now) || got.EndReason != "session_limit" {
			f.Errorf("session %d ended for %q, %v", i, got.EndReason, err)
		}
	}
	for _, s := range others {
		f.wantLive(s)
	}
}

func testSurplusTogether(f *fixture) {
	ada := f.create(newRow("Ada"))
	stores := []Store{f.store, f.again()}
	epoch, err := f.store.Epoch(f.Context(), ada.ID)
	if err != nil {
		f.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if _, err := stores[i%2].CreateSession(f.Context(), newSession(ada.ID, epoch), event); err != nil {
				f.Error(err)
			}
		})
	}
	wg.Wait()
	if live := f.liveOf(ada.ID); len(live) != SessionLimit {
		f.Errorf("%d sessions are live, want %d", len(live), SessionLimit)
	}
}
