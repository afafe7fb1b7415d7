package account_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

func (w *world) startReset(id string) string {
	w.Helper()
	token, _, err := w.people.StartReset(w.Context(), id, time.Hour, event)
	if err != nil {
		w.Fatal(err)
	}
	return token
}

// ASVS_6.4.6.
func TestReset_Attack_E12(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.add("Margarethe")
	set := w.mustLogin("margarethe", right)
	for range account.TryLimit + 1 {
		_, _ = w.enter("margarethe", wrong)
	}
	token := w.startReset(u.ID)
	if !regexp.MustCompile(`^dwp_[A-Za-z0-9_-]{43}$`).MatchString(token) || w.startReset(u.ID) == token {
		t.Errorf("token %q", token)
	}
	token = w.startReset(u.ID)

	// A refused password leaves the link as it is, and spends no hash.
	before := w.hasher.n.Load()
	for text, want := range map[string]error{"short": password.ErrTooShort, "Margarethe-Margarethe": password.ErrNamed} {
		_, err := w.people.Reset(t.Context(), token, text, event)
		w.wantError(err, account.ErrPassword)
		w.wantError(err, want)
	}
	// So does whatever is no link, and the answer to all of it is one.
	digest := sha256.Sum256([]byte(token))
	for _, bad := range []string{"", "dwp_", token[:46], token + "A", strings.ToUpper(token), " " + token, fmt.Sprintf("%x", digest), "dwp_" + strings.Repeat("A", 43), strings.Repeat("x", 1<<20)} {
		_, err := w.people.Reset(t.Context(), bad, other, event)
		if !errors.Is(err, account.ErrReset) || len(bad) > 4 && strings.Contains(err.Error(), bad) {
			t.Errorf("Reset(%.50q) = %v", bad, err)
		}
	}
	if n := w.hasher.n.Load(); n != before {
		t.Errorf("%d hashes for links and passwords that were refused", n-before)
	}

	cut, err := w.people.Reset(t.Context(), token, other, event)
	if err != nil || cut.ID != u.ID {
		t.Fatalf("Reset = %+v, %v", cut, err)
	}
	w.issuer.Apply(cut)
	w.wantOver(set)
	w.mustLogin("margarethe", other) // at once, after all those tries
	_, err = w.enter("margarethe", right)
	w.wantError(err, account.ErrCredentials)
	_, err = w.people.Reset(t.Context(), token, right, event)
	w.wantError(err, account.ErrReset)
}

// A password that was set is set, whatever fails after that: whoever asked is told what to end. A user who is deleted
// while the password is hashed has no link any more.
func TestResetMeanwhile_Attack_E12(t *testing.T) {
	t.Parallel()
	hasher := &outdated{}
	w := worldIn(t, t.TempDir(), hasher)
	u := w.add("ada")
	full := errors.New("disk full")
	w.store.down = map[string]error{"clear": full}
	cut, err := w.people.Reset(t.Context(), w.startReset(u.ID), other, event)
	if !errors.Is(err, full) || cut.ID != u.ID {
		t.Errorf("Reset = %+v, %v", cut, err)
	}
	w.store.down = nil
	w.mustLogin("ada", other)

	token := w.startReset(u.ID)
	hasher.before = func() error {
		_, err := w.people.Delete(t.Context(), u.ID, event)
		return err
	}
	_, err = w.people.Reset(t.Context(), token, right, event)
	w.wantError(err, account.ErrReset)
}

// Of links that open nothing the first of each network in a minute is on record, and says no more than where from.
func TestResetFailures_Attack_E12(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := worldIn(t, t.TempDir(), plain{})
		u := w.add("ada")
		used := w.startReset(u.ID)
		_, err := w.people.Reset(t.Context(), used, other, event)
		w.wantError(err, nil)
		w.store.take()
		flood := func() {
			for i := range 50 {
				for _, network := range []string{"192.0.2.%d", "2001:db8::%x"} { // an address, and a /64
					from := issuer.Event{Address: fmt.Sprintf(network, i%2), RequestID: "r"}
					_, err := w.people.Reset(t.Context(), []string{used, "x"}[i%2], other, from)
					w.wantError(err, account.ErrReset)
				}
			}
		}
		for range 2 {
			flood()
			events, _ := w.store.take()
			if len(events) < 2 || len(events) > 3 {
				t.Errorf("%d records, want one for each network", len(events))
			}
			for _, ev := range events {
				if ev.Kind != account.EventResetFailed || ev.Address == "" || ev.RequestID != "r" || ev.Subject+ev.Actor+ev.Reason+ev.Session != "" {
					t.Errorf("on record is %+v", ev)
				}
			}
			time.Sleep(time.Minute)
		}
		_, err = w.people.Reset(t.Context(), w.startReset(u.ID), "short", event)
		w.wantError(err, account.ErrPassword)
		if events, _ := w.store.take(); len(events) != 0 {
			t.Errorf("a good link with a bad password is on record as %+v", events)
		}
	})
}

func TestResetLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.add("Ada")
	for _, d := range []time.Duration{0, -1, account.MaxResetLifetime + 1} {
		if _, _, err := w.people.StartReset(t.Context(), u.ID, d, event); err == nil {
			t.Errorf("a link for %v", d)
		}
	}
	_, _, err := w.people.StartReset(t.Context(), "u_nobody", time.Hour, event)
	w.wantError(err, account.ErrNotFound)
}
