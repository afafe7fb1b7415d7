package server_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/server"
)

// TestUpstreamPaths keeps what an upstream has at this server's own paths hidden, however they are escaped; all else is the upstream's.
func TestUpstreamPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) {
		s.direct = true
		s.server.Upstream = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	})
	for path, theirs := range map[string]bool{
		"/login": false, "/%6cogin": false, "/log%69n": false, "/password/reset": false, "/%70assword/rese%74": false, "/sessions/x": false,
		"/%73essions/a%2Fb": false, "/.well-known/oauth-authorization-server": false,
		"/": true, "/logins": true, "/Login": true, "/login/x": true, "/x/login": true, "/login%2Fx": true, "/sessions/x/y": true, "/%2Flogin": true,
	} {
		answer := httptest.NewRecorder()
		w.server.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if got := answer.Code == http.StatusTeapot; got != theirs {
			t.Errorf("%s: %d, the upstream's: %t, want %t", path, answer.Code, got, theirs)
		}
	}
	// Its pages would share the origin of a cookie.
	login := fmt.Sprintf(`{"username":"alice","password":%q,"cookie":true}`, aliceWord)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", strings.NewReader(login))
	r.Header.Set("Content-Type", jsonMedia)
	answer := httptest.NewRecorder()
	w.server.ServeHTTP(answer, r)
	if answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), "no cookie mode") || len(answer.Header().Values("Set-Cookie")) != 0 {
		t.Errorf("a login with a cookie: %d %s", answer.Code, answer.Body)
	}
}

// TestHides compares what Hides says with what a server does that has all endpoints, or a prefix.
func TestHides(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "/auth"} {
		for _, url := range []string{issuerURL, issuerURL + "/realm/"} {
			w := newWorld(t, func(s *settings) {
				s.direct, s.issuer.Issuer = true, url
				s.server.Prefix, s.server.Registration = prefix, prefix == ""
				s.server.ForwardAuth = asked{}
				s.server.Upstream = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
			})
			hidden := func(path string) bool {
				answer := httptest.NewRecorder()
				w.server.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
				return answer.Code != http.StatusTeapot
			}
			hides := server.Hides(w.set.server, url)
			paths := []string{"/", "/auth", "/auth/x", "/authx", "/login", "/register", "/forward-auth", "/forward-auth/x", "/Login", "/login/x", "/keys/x/y", "/protected", "/admin/v1/users", "/.well-known"}
			for _, path := range w.server.Paths() {
				path = strings.ReplaceAll(path, "{id}", "x")
				paths = append(paths, path, path+"x", path+"/")
				if !hides(path, false) {
					t.Errorf("%q %s: Paths has %s", prefix, url, path)
				}
			}
			for _, path := range paths {
				if strings.Contains(path, "//") { // no rule is for it
					continue
				}
				if got, want := hides(path, false), hidden(path); got != want {
					t.Errorf("%q %s: %s: %t, want %t", prefix, url, path, got, want)
				}
				if got, want := hides(path, true), hidden(path) && hidden(path+"/x") && hidden(path+"/x/y/z"); got != want && !strings.HasPrefix(path, server.ForwardAuthPath) {
					t.Errorf("%q %s: below %s: %t, want %t", prefix, url, path, got, want)
				}
			}
		}
	}
}

// asked answers proxies.
type asked struct{}

func (asked) ServeHTTP(http.ResponseWriter, *http.Request)                 {}
func (asked) Refuse(http.ResponseWriter, *http.Request, *doorward.Refusal) {}

// A handler that panics leaves nothing of its half of an answer in ours but what CORS lets a page read.
func TestAttack_H05_PanicBehindAHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) {
		s.direct = true
		s.server.Upstream = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for name, value := range map[string]string{
				"Content-Length": "2", "Set-Cookie": "theirs=1", "Cache-Control": "public", "X-Theirs": "1", "Vary": "Origin",
				"Access-Control-Allow-Origin": "https://app.example.com",
			} {
				w.Header().Set(name, value)
			}
			panic("half way")
		})
	})
	answer := httptest.NewRecorder()
	w.server.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", http.NoBody))
	for name, want := range map[string]string{
		"Content-Length": "", "Set-Cookie": "", "X-Theirs": "", "Cache-Control": "no-store", "Content-Type": "application/json",
		"Vary": "Origin", "Access-Control-Allow-Origin": "https://app.example.com",
	} {
		if got := answer.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if answer.Code != http.StatusInternalServerError || !strings.Contains(answer.Body.String(), "server_error") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

// TestBrokenAnswer breaks off an answer whose length was not said: to a client of HTTP/1.0, too, it is not whole.
func TestBrokenAnswer(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]any{"given up": http.ErrAbortHandler, "panic": "half way"} {
		w := newWorld(t, func(s *settings) {
			s.server.Upstream = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "half")
				_ = http.NewResponseController(w).Flush()
				panic(how)
			})
		})
		conn, err := net.Dial("tcp", w.address)
		must(t, err)
		defer conn.Close()
		must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = io.WriteString(conn, "GET /x HTTP/1.0\r\nHost: x\r\n\r\n")
		must(t, err)
		if text, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
