package server_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// makers are the endpoints whose answers hold tokens.
var makers = []string{"/login", "/refresh", "/password"}

// sweep asks every endpoint in every way that makes it answer differently: each method, with no token, with a good
// one and with a bad one, and with the cookie. It gives each answer to look.
func (w *world) sweep(look func(name, path string, a answer), always ...with) {
	w.t.Helper()
	a := w.login("alice", aliceWord)
	credentials := map[string][]with{
		"nothing": nil, "a token": {bearer(a.text("access_token"))}, "a bad token": {bearer("x.y.z")},
		"the cookie": {refreshCookie(w.login("alice", aliceWord).text("refresh_token"))},
	}
	bodies := map[string]any{
		"/login":    map[string]any{"username": "bob", "password": bobWord},
		"/refresh":  map[string]any{"refresh_token": w.login("bob", bobWord).text("refresh_token")},
		"/password": map[string]any{"current": aliceWord + "x", "new": goodWord},
	}
	for _, e := range endpoints {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
			if strings.HasPrefix(e.path, "/admin/v1/") && method != e.method {
				continue // There are many of them, and one of a kind is enough.
			}
			for kind, changes := range credentials {
				if e.path == "/logout" && method == "POST" && kind == "a token" {
					continue // it would end what the others use
				}
				for _, path := range []string{e.path, e.path + "?next=https%3A%2F%2Fevil.example&redirect_uri=//evil.example", e.path + "/"} {
					got := w.do(method, path, bodies[e.path], append(slices.Clone(changes), always...)...)
					look(method+" "+path+" with "+kind, e.path, got)
				}
			}
		}
	}
	look("POST /logout with a token", "/logout", w.do("POST", "/logout", nil, append([]with{bearer(a.text("access_token"))}, always...)...))
}

// Attack_D11, Attack_D13, Standard_S11, Standard_S12: nothing redirects, so that no token and no password can follow into an address, a history or
// a Referer. A token is in the body of the answer that makes it and in the cookie, nowhere else.
func TestNothingRedirects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := 0
	w.sweep(func(name, path string, a answer) {
		if a.status >= 300 && a.status < 400 {
			t.Errorf("%s: %d", name, a.status)
		}
		for header, values := range a.header {
			text := strings.Join(values, " ")
			if slices.Contains([]string{"Location", "Refresh", "Content-Location", "Link"}, header) || strings.Contains(text, "evil") {
				t.Errorf("%s: %s: %s", name, header, text)
			}
			if header != "Set-Cookie" && strings.Contains(text, "eyJ") || strings.Contains(text, "dwr_") && header != "Set-Cookie" {
				t.Errorf("%s: a token in %s", name, header)
			}
		}
		if a.text("access_token") != "" {
			made++
		}
		for member, value := range a.object { // what a client may follow
			if text, ok := value.(string); ok && strings.Contains(text, "://") {
				if u, err := url.Parse(text); err != nil || u.RawQuery != "" || u.Fragment != "" || !strings.HasPrefix(text, issuerURL) {
					t.Errorf("%s: %s is %q", name, member, text)
				}
			}
		}
	})
	if made == 0 {
		t.Error("no answer of the sweep made a token")
	}
	// A browser's form is not read, so that there is nothing to redirect after.
	form := "username=alice&password=" + url.QueryEscape(aliceWord)
	w.do("POST", "/login", form, media("application/x-www-form-urlencoded")).want(t, 415, "unsupported_media_type")
}

// Attack_H14: no answer is compressed, whatever the client would read, since its length would then tell of the
// secrets in it.
func TestNothingIsCompressed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sweep(func(name, _ string, a answer) {
		if coding := a.header.Get("Content-Encoding"); coding != "" || strings.HasPrefix(string(a.body), "\x1f\x8b") {
			t.Errorf("%s: coded as %q", name, coding)
		}
	}, header("Accept-Encoding", "gzip, deflate, br, zstd, *;q=0.1"), header("Te", "gzip"))
}

// Behaviour_B39b: nobody is given tokens who did not ask for them: not at the end of a token's life, and least of all
// at logout.
func TestNothingRefreshesByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sweep(func(name, path string, a answer) {
		if slices.Contains(makers, path) {
			return
		}
		for _, member := range []string{"access_token", "refresh_token", "token"} {
			if _, ok := a.object[member]; ok {
				t.Errorf("%s: the answer has %s", name, member)
			}
		}
		for _, c := range (&http.Response{Header: a.header}).Cookies() {
			if c.Value != "" || c.MaxAge >= 0 {
				t.Errorf("%s: sets the cookie %s", name, c.Raw)
			}
		}
	})
}
