package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/server"
)

// results is an observer that keeps how each request ended, by the pattern of its path.
type results struct {
	mu  sync.Mutex // guards all
	all map[string]string
}

func (o *results) Verified(doorward.Outcome) {}

func (o *results) Answered(a server.Answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all[a.Route] = a.Result
}

// What somebody behind this server refuses was not cut off.
func TestResults(t *testing.T) {
	t.Parallel()
	observer := &results{all: map[string]string{}}
	statuses := map[string]int{"/no": 403, "/fails": 502, "/fine": 204}
	w := newWorld(t, func(s *settings) {
		s.direct, s.server.Observer = true, observer
		s.server.Upstream = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(statuses[r.URL.Path]) })
	})
	for path, want := range map[string]string{"/no": "refused", "/fails": "refused", "/fine": "ok", "/login": "method_not_allowed"} {
		clear(observer.all)
		w.server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		route := "upstream"
		if path == "/login" {
			route = path
		}
		if got := observer.all[route]; got != want {
			t.Errorf("%s ended as %v, want %q", path, observer.all, want)
		}
	}
}

// Who has gone is no failure of ours, and an answer without a body is an answer.
func TestResultsWithoutBody(t *testing.T) {
	t.Parallel()
	observer := &results{all: map[string]string{}}
	w, root, _ := adminWorld(t, func(s *settings) { s.direct, s.server.Observer = true, observer })
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, test := range []struct {
		ctx                context.Context
		method, path, want string
	}{
		{t.Context(), http.MethodHead, "/admin/v1/audit/export", "ok"},
		{t.Context(), http.MethodGet, "/admin/v1/users", "ok"},
		{gone, http.MethodGet, "/admin/v1/users", "gone"},
	} {
		clear(observer.all)
		r := httptest.NewRequestWithContext(test.ctx, test.method, test.path, nil)
		root(r)
		func() {
			defer func() {
				if cut := recover() != nil; cut != (test.want == "gone") {
					t.Errorf("%s %s: cut off is %v", test.method, test.path, cut)
				}
			}()
			w.server.ServeHTTP(httptest.NewRecorder(), r)
		}()
		if got := observer.all[test.path]; got != test.want {
			t.Errorf("%s %s ended as %v, want %q", test.method, test.path, observer.all, test.want)
		}
	}
}
