package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
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
}
