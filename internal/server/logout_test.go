package server_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/issuer"
)

// ASVS_7.4.1, Standard_U17: After the answer both tokens are refused, and the second time is as good as the first.
func TestBehaviour_B36_Logout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		out  func(w *world, a answer) answer
	}{
		{"access token, no body", func(w *world, a answer) answer {
			return w.do("POST", "/logout", nil, bearer(a.text("access_token")))
		}},
		{"access token, empty object", func(w *world, a answer) answer {
			return w.do("POST", "/logout", map[string]any{}, bearer(a.text("access_token")))
		}},
		{"access token, everywhere=false", func(w *world, a answer) answer {
			return w.do("POST", "/logout?everywhere=false", nil, bearer(a.text("access_token")))
		}},
		{"refresh token", func(w *world, a answer) answer {
			return w.do("POST", "/logout", map[string]any{"refresh_token": a.text("refresh_token")})
		}},
		{"cookie", func(w *world, a answer) answer {
			b := w.do("POST", "/logout", map[string]any{}, refreshCookie(a.text("refresh_token")))
			if c := b.cookie(); c == nil || c.MaxAge >= 0 || c.Value != "" {
				w.t.Errorf("the cookie is not cleared: %v", c)
			} else {
				checkCookie(w.t, c)
			}
			return b
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.login("alice", aliceWord)
			other := w.login("alice", aliceWord)
			for range 2 {
				b := c.out(w, a).want(t, 204, "")
				if b.header.Get("Clear-Site-Data") != `"cache"` {
					t.Errorf("Attack_D10: Clear-Site-Data %q", b.header.Get("Clear-Site-Data"))
				}
			}
			d := w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 401, "invalid_token") // Attack_F09
			if d.text("error_description") != "session ended" {
				t.Errorf("text %q", d.text("error_description"))
			}
			w.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token")}).want(t, 400, "invalid_grant")
			w.do("GET", "/me", nil, bearer(other.text("access_token"))).want(t, 200, "")
		})
	}
}

// What is no credential, or more than one, logs nobody out.
func TestLogoutRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord)
	access, refresh := a.text("access_token"), a.text("refresh_token")
	forged := access[:strings.LastIndexByte(access, '.')+1] + strings.Repeat("A", 86)
	for _, c := range []struct {
		name, path string
		body       any
		status     int
		code       string
		changes    []with
	}{
		{"nothing", "/logout", nil, 401, "missing_token", nil},
		{"empty object", "/logout", map[string]any{}, 401, "missing_token", nil},
		{"garbage token", "/logout", nil, 401, "invalid_token", []with{bearer("garbage")}},
		{"forged token", "/logout", nil, 401, "invalid_token", []with{bearer(forged)}},
		{"refresh token as Bearer", "/logout", nil, 401, "invalid_token", []with{bearer(refresh)}},
		{"access token as refresh token", "/logout", map[string]any{"refresh_token": access}, 400, "invalid_grant", nil},
		{"garbage refresh token", "/logout", map[string]any{"refresh_token": "dwr_x"}, 400, "invalid_grant", nil},
		{"Attack_C03 Standard_R02 Behaviour_B9 header and body", "/logout", map[string]any{"refresh_token": refresh}, 400, "invalid_request", []with{bearer(access)}},
		{"Attack_C03 header and cookie", "/logout", map[string]any{}, 400, "invalid_request", []with{bearer(access), refreshCookie(refresh)}},
		{"Attack_C03 body and cookie", "/logout", map[string]any{"refresh_token": refresh}, 400, "invalid_request", []with{refreshCookie(refresh)}},
		{"Attack_D01 cookie without JSON", "/logout", nil, 415, "unsupported_media_type", []with{refreshCookie(refresh)}},
		{"Attack_D01 cookie from another site", "/logout", map[string]any{}, 403, "cross_origin", []with{refreshCookie(refresh), header("Sec-Fetch-Site", "cross-site")}},
		{"malformed header", "/logout", nil, 400, "invalid_request", []with{header("Authorization", "Bearer a b")}},
		{"everywhere with the refresh token", "/logout?everywhere=true", map[string]any{"refresh_token": refresh}, 400, "invalid_request", []with{bearer(access)}},
		{"everywhere with nothing", "/logout?everywhere=true", nil, 401, "missing_token", nil},
		{"everywhere with the cookie alone", "/logout?everywhere=true", map[string]any{}, 401, "missing_token", []with{refreshCookie(refresh)}},
		{"everywhere=1", "/logout?everywhere=1", nil, 400, "invalid_request", []with{bearer(access)}},
		{"everywhere in a query that cannot be read", "/logout?everywhere=true;", nil, 400, "invalid_request", []with{bearer(access)}},
		{"everywhere twice", "/logout?everywhere=true&everywhere=false", nil, 400, "invalid_request", []with{bearer(access)}},
		{"Attack_C04 token in the query", "/logout?access_token=" + access, nil, 401, "missing_token", nil},
		{"form", "/logout", "refresh_token=" + refresh, 415, "unsupported_media_type", []with{media("application/x-www-form-urlencoded")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.do("POST", c.path, c.body, c.changes...).want(t, c.status, c.code)
		})
	}
	w.do("GET", "/me", nil, bearer(access)).want(t, 200, "")
}

// Attack_C05, Standard_R02: a header of another name carries the token where it is configured, and nowhere else.
func TestTokenHeader(t *testing.T) {
	t.Parallel()
	off, on := newWorld(t), newWorld(t, func(s *settings) { s.server.TokenHeader = "x-access-token" })
	token := off.login("alice", aliceWord).text("access_token")
	off.do("GET", "/me", nil, header("X-Access-Token", token)).want(t, 401, "missing_token")

	token = on.login("alice", aliceWord).text("access_token")
	on.do("GET", "/protected", nil, header("X-Access-Token", token)).want(t, 200, "")
	on.do("GET", "/me", nil, header("X-Access-Token", token), bearer(token)).want(t, 400, "invalid_request")
	on.do("GET", "/me", nil, bearer(token)).want(t, 200, "")
	on.do("POST", "/logout", nil, header("X-Access-Token", token)).want(t, 204, "")
	on.do("GET", "/me", nil, header("X-Access-Token", token)).want(t, 401, "invalid_token")
}

// Every session of the user ends, and so does a login that has begun; nobody else's session does.
func TestBehaviour_B37_LogoutEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, bob := w.login("alice", aliceWord), w.login("alice", aliceWord), w.login("bob", bobWord)
	attempt, err := w.issuer.Begin(t.Context(), w.alice)
	must(t, err)
	out := w.do("POST", "/logout?everywhere=true", nil, bearer(a.text("access_token")), refreshCookie(a.text("refresh_token"))).want(t, 204, "")
	if out.cookie() == nil || out.cookie().MaxAge >= 0 {
		t.Error("the cookie is not cleared")
	}
	for _, dead := range []answer{a, b} {
		w.do("GET", "/me", nil, bearer(dead.text("access_token"))).want(t, 401, "invalid_token")
		w.do("POST", "/refresh", map[string]any{"refresh_token": dead.text("refresh_token")}).want(t, 400, "invalid_grant")
	}
	if _, err := w.issuer.Login(t.Context(), attempt, issuer.LoginRequest{}); err == nil {
		t.Error("a login that had begun goes on")
	}
	w.do("GET", "/me", nil, bearer(bob.text("access_token"))).want(t, 200, "")
	w.login("alice", aliceWord)
	w.do("POST", "/logout?everywhere=true", nil, bearer(a.text("access_token"))).want(t, 401, "invalid_token")
}

// Standard_U26: one request logs out, also with a token that has expired. The whole test runs in a synctest bubble.
func TestLogoutExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(s *settings) { s.direct = true })
		a := w.login("alice", aliceWord)
		ctx := t.Context()
		time.Sleep(11 * time.Minute)
		go func() { _ = w.issuer.Run(ctx) }()
		time.Sleep(time.Second)
		b := w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 401, "invalid_token")
		if b.text("error_description") != "token expired" {
			t.Errorf("Behaviour_B4: %s", b.body)
		}
		w.do("POST", "/logout", nil, bearer(a.text("access_token"))).want(t, 204, "")
		w.do("POST", "/logout?everywhere=true", nil, bearer(a.text("access_token"))).want(t, 401, "invalid_token")
		w.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token")}).want(t, 400, "invalid_grant")
	})
}

// Revocations outlive the process: another one on the same store refuses too.
func TestBehaviour_B39_Restart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord)
	w.do("POST", "/logout", nil, bearer(a.text("access_token"))).want(t, 204, "")
	again := w.restarted()
	again.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 401, "invalid_token")
	again.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token")}).want(t, 400, "invalid_grant")
}

// A cookie that is no refresh token is of no use to its browser: it goes with the refusal. One that nobody could look up stays.
func TestLogoutClearsTheCookie(t *testing.T) {
	t.Parallel()
	store := &brokenLog{}
	w := newWorld(t, func(s *settings) { store.Store, s.issuer.Store = s.issuer.Store, store })
	refused := w.do("POST", "/logout", map[string]any{}, refreshCookie("planted")).want(t, 400, "invalid_grant")
	if c := refused.cookie(); c == nil || c.MaxAge >= 0 {
		t.Errorf("no token: %v, want the cookie cleared", c)
	}
	token := w.login("alice", aliceWord).text("refresh_token")
	store.lost.Store(true)
	down := w.do("POST", "/logout", map[string]any{}, refreshCookie(token)).want(t, 503, "unavailable")
	if c := down.cookie(); c != nil {
		t.Errorf("the store is down: %v, want no cookie", c)
	}
}
