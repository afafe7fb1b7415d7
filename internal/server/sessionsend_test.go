package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
)

// Attack_F18, ASVS_7.4.2, ASVS_7.4.3: whatever ends all sessions of a user ends each of them by the time it answers, however
// many there are. A change of roles holds from the next refresh on.
func TestAttack_F18_ManySessions(t *testing.T) {
	t.Parallel()
	const sessions = 40
	for name, change := range map[string]func(w *world, token string){
		"password": func(w *world, token string) {
			w.do("POST", "/password", map[string]any{"current": aliceWord, "new": goodWord}, bearer(token)).want(t, 200, "")
		},
		"reset link": func(w *world, _ string) {
			link, _, err := w.people.StartReset(t.Context(), w.alice, time.Hour, issuer.Event{Actor: "test"})
			must(t, err)
			w.do("POST", "/password/reset", map[string]any{"token": link, "new": goodWord}).want(t, 204, "")
		},
		"logout everywhere": func(w *world, token string) {
			w.do("POST", "/logout?everywhere=true", nil, bearer(token)).want(t, 204, "")
		},
		"disabled": func(w *world, _ string) {
			cut, err := w.people.Disable(t.Context(), w.alice, issuer.Event{Actor: "test"})
			must(t, err)
			w.issuer.Apply(cut)
		},
		"deleted": func(w *world, _ string) {
			cut, err := w.people.Delete(t.Context(), w.alice, issuer.Event{Actor: "test"})
			must(t, err)
			w.issuer.Apply(cut)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *settings) { s.direct, s.people = true, cheap{} })
			bob := w.login("bob", bobWord).text("access_token")
			all := make([]answer, sessions)
			for i := range all {
				all[i] = w.login("alice", aliceWord)
			}
			change(w, all[0].text("access_token"))
			for i, a := range all {
				w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 401, "invalid_token")
				if i%10 == 0 {
					w.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token")}).want(t, 400, "invalid_grant")
				}
			}
			w.do("GET", "/me", nil, bearer(bob)).want(t, 200, "")
		})
	}
	t.Run("roles", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(s *settings) { s.direct, s.people = true, cheap{} })
		a := w.login("alice", aliceWord)
		_, _, err := w.people.SetRoles(t.Context(), w.alice, account.Change{Replace: true}, false, issuer.Event{Actor: "test"})
		must(t, err)
		b := w.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token")}).want(t, 200, "")
		if roles := w.claims(b.text("access_token"), issuerURL).Roles; len(roles) != 0 {
			t.Errorf("after the change the roles are %q", roles)
		}
	})
}

// A proxy that is not trusted hides its clients at every endpoint: none of the limits by network is theirs together. Who
// comes without the header has one.
func TestUntrustedProxyEverywhere_Attack_E08(t *testing.T) {
	t.Parallel()
	two := quota.Limits{Each: 2}
	w := newWorld(t, func(s *settings) {
		s.direct, s.people = true, cheap{}
		s.server.Registration, s.server.Limits = true, server.Limits{Login: two, Refresh: two, Reset: two, Register: two}
	})
	for _, c := range []struct {
		path   string
		body   map[string]any
		status int
	}{
		{"/login", map[string]any{"username": "nobody", "password": "wrong wrong wrong"}, 401},
		{"/refresh", map[string]any{"refresh_token": "dwr_x"}, 400},
		{"/password/reset", map[string]any{"token": "dwp_x", "new": goodWord}, 400},
		{"/register", map[string]any{"username": "bob", "password": goodWord}, 409},
	} {
		for i := range 4 {
			if got := w.do("POST", c.path, c.body, from(fmt.Sprintf("192.0.2.%d", i))); got.status != c.status {
				t.Errorf("%s behind a proxy, %d: %d %s", c.path, i, got.status, got.body)
			}
		}
		for i, want := range []int{c.status, c.status, 429} {
			got := w.do("POST", c.path, c.body)
			if got.status != want {
				t.Errorf("%s, %d: %d, want %d", c.path, i, got.status, want)
			}
			if said := strings.Contains(got.text("error_description"), "too many registrations"); said != (c.path == "/register" && want == 429) {
				t.Errorf("%s: %s", c.path, got.body)
			}
		}
	}
}
