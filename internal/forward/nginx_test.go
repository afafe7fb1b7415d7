package forward_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/forward"
	"github.com/doorward/doorward/internal/proxytest"
)

// TestWhatClientsOfNginxRead: nginx knows 401 and 403 alone. With the configuration of examples/nginx clients read the true status.
func TestWhatClientsOfNginxRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withLogin("/login.html"))
	stale := newWorldAlone(t, shortly)
	stale.waitForStale()
	door := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Original-Uri") {
		case "/limited": // as the server refuses what it does not hand on
			w.asked.(*forward.Handler).Refuse(rw, r, &doorward.Refusal{
				Status: 429, Code: "too_many_requests", Description: "too many requests", Err: io.EOF,
				Header: http.Header{"Retry-After": {"17"}, "Cache-Control": {"no-store"}},
			})
		case "/stale":
			stale.asked.ServeHTTP(rw, r)
		case "/away":
			panic(http.ErrAbortHandler)
		default:
			w.asked.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(door.Close)
	reached := 0
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	t.Cleanup(api.Close)
	front := proxytest.Nginx(t, door.URL, api.URL)
	browser := []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate"}
	for _, test := range []struct {
		name, method, path string
		header             []string
		status             int
		code               string
		want               map[string]string
	}{
		{"bad path", "GET", "/a//b", nil, 400, "invalid_request", nil},
		{"two tokens", "GET", "/x", []string{"Authorization", "Bearer x", "Authorization", "Bearer x"}, 400, "", nil},
		{"no token", "GET", "/x", nil, 401, "missing_token", map[string]string{"WWW-Authenticate": `Bearer realm="doorward"`}},
		{"no role", "GET", "/admin/x", []string{"Authorization", "Bearer " + w.alice}, 403, "insufficient_scope", map[string]string{"WWW-Authenticate": "Bearer "}},
		{"denied", "GET", "/never", nil, 404, "not_found", nil},
		{"wrong method", "POST", "/read", nil, 405, "method_not_allowed", map[string]string{"Allow": "GET, HEAD"}},
		{"too many", "GET", "/limited", nil, 429, "too_many_requests", map[string]string{"Retry-After": "17"}},
		{"stale", "GET", "/stale", []string{"Authorization", "Bearer " + stale.alice}, 503, "unavailable", map[string]string{"Retry-After": "5"}},
		{"Doorward is away", "GET", "/away", []string{"Authorization", "Bearer " + w.alice}, 503, "unavailable", map[string]string{"Retry-After": "5"}},
		{"browser", "GET", "/x?y=1", browser, 302, "", map[string]string{"Location": "/login.html?return_to=%2Fx%3Fy%3D1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), test.method, front+test.path, nil)
			must(t, err)
			for i := 0; i < len(test.header); i += 2 {
				req.Header.Add(test.header[i], test.header[i+1])
			}
			res, err := http.DefaultTransport.RoundTrip(req)
			must(t, err)
			text, err := io.ReadAll(res.Body)
			must(t, err)
			must(t, res.Body.Close())
			if res.StatusCode != test.status {
				t.Errorf("%d, want %d: %s", res.StatusCode, test.status, text)
			}
			var body struct {
				Error string `json:"error"`
				ID    string `json:"request_id"`
			}
			if test.code != "" && (json.Unmarshal(text, &body) != nil || body.Error != test.code || body.ID == "" ||
				res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Cache-Control") != "no-store") {
				t.Errorf("%v %s", res.Header, text)
			}
			for name, value := range test.want {
				if got := res.Header.Values(name); len(got) != 1 || !strings.HasPrefix(got[0], value) {
					t.Errorf("%s: %q, want %q", name, got, value)
				}
			}
			for name := range res.Header {
				if strings.HasPrefix(name, "Doorward-") {
					t.Errorf("the client reads %s", name)
				}
			}
		})
	}
	if reached != 0 {
		t.Errorf("%d refused requests reached the API", reached)
	}
}

// Attack_C10: TestSendfileOfClients is about X-Accel-Redirect, by which the API has nginx open another path after the decision. Rack
// before 2.2.20 lets the client write it.
func TestSendfileOfClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	door := httptest.NewServer(w.asked)
	t.Cleanup(door.Close)
	reached := make(chan string, 10)
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		reached <- r.URL.Path
		if r.URL.Path == "/open/x" && (r.Header.Get("X-Sendfile-Type") != "" || r.Header.Get("X-Accel-Mapping") != "") {
			rw.Header().Set("X-Accel-Redirect", "/admin/x")
		}
	}))
	t.Cleanup(api.Close)
	front := proxytest.Nginx(t, door.URL, api.URL)
	for name, value := range map[string]string{"X-Sendfile-Type": "X-Accel-Redirect", "X-Accel-Mapping": "/srv=/admin"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front+"/open/x", nil)
		must(t, err)
		req.Header.Set(name, value)
		res, err := http.DefaultTransport.RoundTrip(req)
		must(t, err)
		must(t, res.Body.Close())
		if path := <-reached; path != "/open/x" || len(reached) > 0 {
			t.Errorf("%s: %s, and %d more", name, path, len(reached))
		}
	}
}
