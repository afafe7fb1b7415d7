package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Attack_D01, Attack_D02, Standard_W05, ASVS_3.5.1: nothing that a page of another origin makes a browser send
// has an effect. The browser adds cookies to it, and no token.
func TestAttack_D01_D02_CSRF(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord, map[string]any{"cookie": true})
	cookie, token := a.cookie(), a.text("access_token")
	elsewhere := map[string][]with{
		"cross-site":           {header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.example")},
		"same-site":            {header("Sec-Fetch-Site", "same-site"), header("Origin", "https://evil.auth.example")},
		"an old browser":       {header("Origin", "https://evil.example")},
		"a page without one":   {header("Origin", "null")},
		"our name, other port": {header("Origin", issuerURL+":8443")},
		"our name, in clear":   {header("Origin", "http://auth.example")},
	}
	// What uses the cookie or sets one, as scripts would send it.
	for name, from := range elsewhere {
		for _, c := range []struct {
			path string
			body map[string]any
			more []with
		}{
			{"/login", map[string]any{"username": "bob", "password": bobWord, "cookie": true}, nil}, // Attack_D02: as somebody else
			{"/refresh", map[string]any{}, nil},
			{"/logout", map[string]any{}, nil},
			{"/password", map[string]any{"current": aliceWord, "new": goodWord, "cookie": true}, []with{bearer(token)}},
		} {
			t.Run(name+c.path, func(t *testing.T) {
				got := w.do("POST", c.path, c.body, append(append([]with{refreshCookie(cookie.Value)}, from...), c.more...)...).want(t, 403, "cross_origin")
				if len(got.header.Values("Set-Cookie")) != 0 {
					t.Error("sets a cookie")
				}
			})
		}
	}
	// As forms and links send it: no preflight asks before these.
	for _, e := range endpoints {
		for _, form := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""} {
			body := any(`{"refresh_token":"x"}`)
			if form == "" {
				body = nil
			}
			for _, method := range []string{e.method, http.MethodGet, http.MethodPost, http.MethodHead} {
				got := w.do(method, e.path, body, media(form), refreshCookie(cookie.Value), header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "navigate"))
				safe := got.status < 300 && (method == http.MethodGet || method == http.MethodHead) && !e.token
				if got.status < 400 && !safe || len(got.header.Values("Set-Cookie")) != 0 {
					t.Errorf("%s %s as %q: %d %s", method, e.path, form, got.status, got.body)
				}
			}
		}
	}
	// All of it has changed nothing, and the page of this origin goes on.
	w.do("GET", "/me", nil, bearer(token)).want(t, 200, "")
	w.do("POST", "/refresh", map[string]any{}, refreshCookie(cookie.Value), header("Sec-Fetch-Site", "same-origin"), header("Origin", issuerURL)).want(t, 200, "")
	w.login("alice", aliceWord)
	if n := len(w.list(t, token)); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
}

// list returns the sessions of whoever has the token.
func (w *world) list(t *testing.T, token string) []any {
	t.Helper()
	sessions, ok := w.do("GET", "/sessions", nil, bearer(token)).want(t, 200, "").object["sessions"].([]any)
	if !ok {
		t.Fatal("no list of sessions")
	}
	return sessions
}

// Attack_H01, ASVS_16.4.1: what strangers send stands in one record for each request and in none of its own, escaped and cut.
func TestAttack_H01_LogInjection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	forged := `","level":"ERROR","msg":"forged"}` + "\r\n" + `{"level":"ERROR","msg":"forged"}` + "\n"
	hostile := []string{forged, "\x1b[2J\x1b]0;title\x07", "a\x00b", "\u202e\u2028\u0085", "\xff\xfe", fmt.Sprint("long", string(make([]byte, 9000)))}
	for i, text := range hostile {
		escaped := fmt.Sprintf("%q", text)
		w.do("POST", "/login", map[string]any{"username": text, "password": text + "x"})
		w.do("POST", "/login", map[string]any{"username": "alice", "password": aliceWord, "scope": text, "audience": text})
		w.do("POST", "/refresh", map[string]any{"refresh_token": text, "audience": text})
		w.do("GET", "/me", nil, func(r *http.Request) {
			r.URL.Path, r.URL.RawPath, r.Method = "/"+text, "", strings.Repeat("X", len(text))
			r.Header["User-Agent"], r.Header["X-Forwarded-For"] = []string{text}, []string{text}
			r.Header["Authorization"] = []string{"Bearer " + text}
		})
		w.do("GET", "/me", nil, bearer(`eyJhbGciOiJFZERTQSIsImtpZCI6IlxuIn0.`+escaped[:min(len(escaped), 20)]+`.x`), header("Origin", "https://x"+fmt.Sprint(i)))
	}
	for _, line := range w.logs.lines() { // checkLogs reads each as JSON
		if len(line) > 4096 {
			t.Errorf("a record of %d bytes: %.200s", len(line), line)
		}
		for _, c := range line {
			if c < ' ' {
				t.Errorf("a control character in %q", line)
				break
			}
		}
	}
	for _, line := range w.logs.lines() {
		if string(line[:min(20, len(line))]) == `{"level":"ERROR","ms` {
			t.Errorf("a forged record: %s", line)
		}
	}
}
