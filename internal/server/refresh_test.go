package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
)

// A refresh makes new tokens, and the access token before it goes on.
func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord)
	b := w.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token")}).want(t, 200, "")
	if b.text("access_token") == a.text("access_token") || b.text("refresh_token") == "" || b.cookie() != nil {
		t.Errorf("answer: %s", b.body)
	}
	w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 200, "")
	w.do("GET", "/me", nil, bearer(b.text("access_token"))).want(t, 200, "")
}

// Attack_F19: a session that goes on from another network, in another program, is not ended for that: people travel. What
// tells a thief is a refresh token that two hold (F01).
func TestRefreshFromElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, behindProxy(server.Limits{}))
	a := w.do("POST", "/login", map[string]any{"username": "alice", "password": aliceWord},
		from("192.0.2.1"), header("User-Agent", "one")).want(t, 200, "")
	elsewhere := []with{from("198.51.100.7"), header("User-Agent", "another")}
	b := w.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token")}, elsewhere...).want(t, 200, "")
	for _, set := range []answer{a, b} {
		w.do("GET", "/me", nil, append(elsewhere, bearer(set.text("access_token")))...).want(t, 200, "")
	}
}

// What is no refresh token, or comes in the wrong way, is refused.
func TestRefreshRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord)
	token := a.text("refresh_token")
	flipped := token[:len(token)-1] + map[bool]string{true: "B", false: "A"}[strings.HasSuffix(token, "A")]
	for _, c := range []struct {
		name, body string
		status     int
		code       string
		changes    []with
	}{
		{"nothing", `{}`, 400, "invalid_request", nil},
		{"garbage", `{"refresh_token":"dwr_x"}`, 400, "invalid_grant", nil},
		{"wrong MAC", `{"refresh_token":"` + flipped + `"}`, 400, "invalid_grant", nil},
		{"access token", `{"refresh_token":"` + a.text("access_token") + `"}`, 400, "invalid_grant", nil},
		{"wrong type", `{"refresh_token":["` + token + `"]}`, 400, "invalid_request", nil},
		{"Attack_C03 body and cookie", `{"refresh_token":"` + token + `"}`, 400, "invalid_request", []with{refreshCookie(token)}},
		{"Standard_H07 Attack_D05 Behaviour_B9a two cookies", `{}`, 400, "invalid_request", []with{header("Cookie", cookieName+"="+token+"; "+cookieName+"=x")}},
		{"Attack_D05 two cookie lines", `{}`, 400, "invalid_request", []with{refreshCookie(token), refreshCookie("x")}},
		{"Attack_D05 name in capitals", `{}`, 400, "invalid_request", []with{header("Cookie", "__HOST-dw_refresh="+token)}},
		{"Attack_D05 name with a space", `{}`, 400, "invalid_request", []with{header("Cookie", "__Host-dw_refresh ="+token)}},
		{"Attack_D05 name without prefix", `{}`, 400, "invalid_request", []with{header("Cookie", "dw_refresh="+token)}},
		{"Attack_D05 $Version", `{}`, 400, "invalid_grant", []with{header("Cookie", `$Version=1; `+cookieName+`="x"; $Path=/`)}},
		{"Attack_D01 Standard_U19 cross-site with cookie", `{}`, 403, "cross_origin", []with{refreshCookie(token), header("Sec-Fetch-Site", "cross-site")}},
		{"Attack_D01 same-site with cookie", `{}`, 403, "cross_origin", []with{refreshCookie(token), header("Sec-Fetch-Site", "same-site")}},
		{"Attack_D01 old browser", `{}`, 403, "cross_origin", []with{refreshCookie(token), header("Origin", "https://evil.example")}},
		{"Attack_D01 null origin", `{}`, 403, "cross_origin", []with{refreshCookie(token), header("Origin", "null")}},
		{"Attack_D01 form with cookie", `a=b`, 415, "unsupported_media_type", []with{refreshCookie(token), media("text/plain")}},
		{"cookie alone, no body", ``, 415, "unsupported_media_type", []with{refreshCookie(token), media("")}},
		{"in the header", `{}`, 400, "invalid_request", []with{header("Authorization", "Bearer "+token)}},
		{"Attack_C04 token in the query", `{}`, 400, "invalid_request", []with{query("refresh_token=" + token)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.do("POST", "/refresh", c.body, c.changes...).want(t, c.status, c.code)
			if a.text("reason") != "" || a.cookie() != nil {
				t.Errorf("reason %q, cookie %v", a.text("reason"), a.cookie())
			}
			if c.name == "in the header" && a.text("error_description") != "refresh_token is required, in the body or in the cookie" {
				t.Error(a.text("error_description"))
			}
		})
	}
	w.do("POST", "/refresh", map[string]any{"refresh_token": token}).want(t, 200, "")
}

// media sets the media type of a request; "" removes it.
func media(name string) with {
	return func(r *http.Request) {
		r.Header.Del("Content-Type")
		if name != "" {
			r.Header.Set("Content-Type", name)
		}
	}
}

func query(raw string) with { return func(r *http.Request) { r.URL.RawQuery = raw } }

// A refusal of a token whose MAC is good says why, and leaves the cookie to
// whoever has set it since.
func TestRefreshReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord, map[string]any{"cookie": true})
	token := a.cookie().Value
	w.do("POST", "/logout", map[string]any{}, refreshCookie(token)).want(t, 204, "")
	b := w.do("POST", "/refresh", map[string]any{}, refreshCookie(token)).want(t, 400, "invalid_grant")
	if b.text("reason") != "logout" {
		t.Errorf("reason %q", b.text("reason"))
	}
	if b.cookie() != nil {
		t.Error("Attack_F04: a late refusal clears the cookie of a new login")
	}
	gone := w.session(w.bob, issuer.LoginRequest{})
	cut, err := w.people.Disable(t.Context(), w.bob, issuer.Event{Actor: "test"})
	must(t, err)
	w.issuer.Apply(cut)
	c := w.do("POST", "/refresh", map[string]any{"refresh_token": gone.RefreshToken}).want(t, 400, "invalid_grant")
	if c.text("reason") != "admin" {
		t.Errorf("reason %q", c.text("reason"))
	}
}

// Each refresh replaces the cookie, and one that was replaced ends the session where refresh is strict.
func TestRefreshCookieMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) {
		s.issuer.StrictRefresh = true
		s.server.CredentialOrigins = []string{"https://app.example"}
	})
	a := w.login("alice", aliceWord, map[string]any{"cookie": true})
	b := w.do("POST", "/refresh", map[string]any{}, refreshCookie(a.cookie().Value), header("Sec-Fetch-Site", "same-origin")).want(t, 200, "")
	if _, ok := b.object["refresh_token"]; ok || b.cookie() == nil || b.cookie().Value == a.cookie().Value {
		t.Fatalf("not rotated in the cookie: %s", b.body)
	}
	checkCookie(t, b.cookie())
	c := w.do("POST", "/refresh", map[string]any{}, refreshCookie(b.cookie().Value), // the app's own origin, on the same site
		header("Origin", "https://app.example"), header("Sec-Fetch-Site", "same-site")).want(t, 200, "")
	d := w.do("POST", "/refresh", map[string]any{}, refreshCookie(c.cookie().Value), header("Origin", issuerURL)).want(t, 200, "")
	e := w.do("POST", "/refresh", map[string]any{}, refreshCookie(c.cookie().Value)).want(t, 400, "invalid_grant")
	if e.text("reason") != "refresh_reuse" {
		t.Errorf("Behaviour_B34: reason %q", e.text("reason"))
	}
	w.do("POST", "/refresh", map[string]any{}, refreshCookie(d.cookie().Value)).want(t, 400, "invalid_grant")
	w.do("GET", "/me", nil, bearer(d.text("access_token"))).want(t, 401, "invalid_token")
}

// A session that is refreshed too often in a minute is told to wait.
func TestRefreshTooOften(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.issuer.RefreshLimit = 2 })
	token := w.login("alice", aliceWord).text("refresh_token")
	for range 2 {
		token = w.do("POST", "/refresh", map[string]any{"refresh_token": token}).want(t, 200, "").text("refresh_token")
	}
	a := w.do("POST", "/refresh", map[string]any{"refresh_token": token}).want(t, 429, "too_many_requests")
	if a.header.Get("Cache-Control") != "no-store" {
		t.Error("Standard_H04: a 429 that may be cached")
	}
}
