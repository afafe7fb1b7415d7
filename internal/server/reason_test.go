package server_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/issuer"
)

// Attack_H04: What is no token of ours is refused without a reason, and touches no session. The
// public sid, which other services read, addresses none.
func TestRefreshForged(t *testing.T) {
	t.Parallel()
	// Without a socket: over one, the answer to a megabyte may be lost in the reset that ends it.
	w := newWorld(t, func(s *settings) { s.direct = true })
	a := w.login("alice", aliceWord)
	token := a.text("refresh_token")
	sid := w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 200, "").text("session")
	for name, c := range map[string]struct {
		token  string
		status int
		code   string
	}{
		"truncated":            {token[:len(token)-1], 400, "invalid_grant"},
		"public sid":           {sid, 400, "invalid_grant"},
		"public sid as handle": {issuer.RefreshTokenPrefix + sid, 400, "invalid_grant"},
		"8 KiB":                {issuer.RefreshTokenPrefix + strings.Repeat("A", 8<<10), 400, "invalid_grant"},
		"a megabyte":           {issuer.RefreshTokenPrefix + strings.Repeat("A", 1<<20), 413, "too_large"},
	} {
		got := w.do("POST", "/refresh", map[string]any{"refresh_token": c.token}).want(t, c.status, c.code)
		if got.text("reason") != "" {
			t.Errorf("%s: reason %q", name, got.text("reason"))
		}
	}
	if sid == "" {
		t.Error("no sid to try")
	}
	w.do("POST", "/refresh", map[string]any{"refresh_token": token}).want(t, 200, "")
}

// Standard_S06, Standard_U17: each way to end a session over HTTP is told to the client that held it, and logged.
func TestRefreshReasons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for reason, end := range map[string]func(access, refresh string){
		issuer.ReasonLogout: func(access, _ string) {
			w.do("POST", "/logout", nil, bearer(access)).want(t, 204, "")
		},
		issuer.ReasonEverywhere: func(access, _ string) {
			w.do("POST", "/logout?everywhere=true", nil, bearer(access)).want(t, 204, "")
		},
		issuer.ReasonPassword: func(access, _ string) {
			w.do("POST", "/password", map[string]any{"current": aliceWord, "new": goodWord}, bearer(access)).want(t, 200, "")
			_, err := w.people.SetPassword(t.Context(), w.alice, aliceWord, false, issuer.Event{Actor: "test"})
			must(t, err)
		},
		issuer.ReasonAdmin: func(_, _ string) {
			_, err := w.people.SetPassword(t.Context(), w.alice, aliceWord, false, issuer.Event{Actor: "test"})
			must(t, err)
		},
		issuer.ReasonKeyRemoved: func(_, _ string) {
			keys, err := w.issuer.KeyList(t.Context())
			must(t, err)
			stolen := slices.IndexFunc(keys, func(k issuer.KeyInfo) bool { return k.Purpose == issuer.PurposeRefresh })
			must(t, w.issuer.RevokeKey(t.Context(), keys[stolen].ID, issuer.Event{Actor: "test"}))
		},
	} {
		a := w.login("alice", aliceWord)
		end(a.text("access_token"), a.text("refresh_token"))
		b := w.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token")}).want(t, 400, "invalid_grant")
		if b.text("reason") != reason {
			t.Errorf("reason %q, want %q", b.text("reason"), reason)
		}
	}
	a := w.login("alice", aliceWord)
	own := w.do("GET", "/me", nil, bearer(a.text("access_token"))).text("session")
	w.do("DELETE", "/sessions/"+own, nil, bearer(a.text("access_token"))).want(t, 204, "")
	b := w.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token")}).want(t, 400, "invalid_grant")
	if b.text("reason") != issuer.ReasonLogout {
		t.Errorf("one's own session ended at /sessions: reason %q", b.text("reason"))
	}
}

// Attack_F01: the reuse of a spent token is a warning in the log, with the session and the request.
func TestReuseIsLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.issuer.StrictRefresh = true })
	token := w.login("alice", aliceWord).text("refresh_token")
	w.do("POST", "/refresh", map[string]any{"refresh_token": token}).want(t, 200, "")
	a := w.do("POST", "/refresh", map[string]any{"refresh_token": token}).want(t, 400, "invalid_grant")
	if a.text("reason") != issuer.ReasonReuse {
		t.Errorf("reason %q", a.text("reason"))
	}
	for _, record := range w.logs.about(a.text("request_id")) {
		if record["level"] == "WARN" && record["event"] == "refresh_reuse" && record["sid"] != nil && record["sub"] != nil && record["remote"] != "" {
			return
		}
	}
	t.Errorf("the log does not tell the reuse: %v", w.logs.about(a.text("request_id")))
}
