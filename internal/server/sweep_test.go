package server_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Standard_S14, Standard_S17: what every answer must be is asserted by the harness; here every endpoint is
// asked in every way that a crawler, a browser or a proxy might.
func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord)
	for _, c := range []struct {
		name   string
		change with
	}{
		{"Attack_D11 Attack_D13 redirects", header("X-Forwarded-Proto", "http")},
		{"Attack_H14 compression", header("Accept-Encoding", "gzip, br")},
		{"Attack_D09 a browser that wants a page", header("Accept", "text/html")},
		{"Attack_H16 Range", header("Range", "bytes=0-1")},
		{"method override", header("X-HTTP-Method-Override", "DELETE")},
		{"Standard_H06 with a token", bearer(a.text("access_token"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, e := range endpoints {
				got := w.do(e.method, e.path, nil, c.change)
				if got.status >= 500 || got.status >= 300 && got.status < 400 || got.status == http.StatusPartialContent {
					t.Errorf("%s %s: %d", e.method, e.path, got.status)
				}
				text := string(got.body)
				if strings.Contains(text, "OpenAPI") || strings.HasPrefix(text, "openapi:") {
					continue // It tells of its own form, and of no program.
				}
				if regexp.MustCompile(`(?i)go1\.|go-http|doorward/|v?\d+\.\d+\.\d+[^.]`).MatchString(text) {
					t.Errorf("Attack_H16: %s %s tells of a version: %s", e.method, e.path, text)
				}
			}
		})
	}
	w.do("GET", "/me", nil, bearer(strings.Repeat("x", 9000))).want(t, 401, "invalid_token")
}
