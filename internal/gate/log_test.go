package gate_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/issuer"
	"github.com/google/go-cmp/cmp"
)

// The record of a refusal names the rule and what it wanted of whom; at level debug the path too. Attack_H01, Attack_H02: without
// the query, escaped, and bounded.
func TestRefusalsInTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	set := w.login("u_alice")
	alice := bearer(set.AccessToken)
	ended := w.login("u_alice")
	must(t, w.RevokeSession(t.Context(), ended.SessionID, issuer.Event{}))
	cfg := gate.Config{Issuer: w.Issuer, Routes: []gate.Route{
		{Path: "/admin/**", Roles: []string{"admin", "chief"}},
		{Path: "/reports/**", Methods: []string{"GET"}, Scope: []string{"reports:read", "reports:sign"}},
		{Path: "/never", Access: gate.AccessDeny},
	}}
	who := func(sid string, more ...any) map[string]any {
		want := map[string]any{"sub": "u_alice", "sid": sid, "client_id": "doorward"}
		for i := 0; i < len(more); i += 2 {
			want[more[i].(string)] = more[i+1]
		}
		return want
	}
	long := "/x//" + strings.Repeat("y", 600)
	tests := []struct {
		target string
		method string
		header []string
		path   string // at level debug
		want   map[string]any
	}{
		{
			"/Admin/a%20b?token=SECRET", "GET", alice, "/Admin/a%20b",
			who(set.SessionID, "error", "insufficient_scope", "reason", "doorward: role missing: wants one of [\"admin\" \"chief\"], has [\"staff\"]", "rule", "/admin/**"),
		},
		{
			"/reports/7", "GET", alice, "/reports/7",
			who(set.SessionID, "error", "insufficient_scope", "reason", "doorward: scope missing: wants [\"reports:read\" \"reports:sign\"], has [\"reports:read\" \"reports:write\"]", "rule", "/reports/**"),
		},
		{"/x", "GET", bearer(ended.AccessToken), "/x", who(ended.SessionID, "error", "invalid_token", "reason", "doorward: token revoked", "rule", "default")},
		{"/x?a=b", "GET", nil, "/x", map[string]any{"error": "missing_token", "reason": "doorward: no token", "rule": "default"}},
		{"/reports/7", "POST", alice, "/reports/7", map[string]any{"error": "method_not_allowed", "reason": "gate: no rule names the method", "rule": "/reports/**"}},
		{"/never", "GET", alice, "/never", map[string]any{"error": "not_found", "reason": "gate: no rule lets it pass", "rule": "/never"}},
		{long, "GET", alice, long[:512] + "…", map[string]any{"error": "invalid_request", "reason": "gate: the path can be read in more than one way"}},
		{"/x%0a%1b[31m//", "GET", alice, "/x%0a%1b[31m//", map[string]any{"error": "invalid_request", "reason": "gate: the path can be read in more than one way"}},
	}
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelDebug} {
		var logs bytes.Buffer
		cfg.Logger = slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: level}))
		p, err := gate.NewProxy(gate.ProxyConfig{
			Guard: w.guard(cfg), Streams: gate.NewStreams(w.Issuer, cfg.Logger), Upstream: gate.Upstream{URL: "http://127.0.0.1:1"},
		})
		must(t, err)
		for _, test := range tests {
			logs.Reset()
			p.ServeHTTP(httptest.NewRecorder(), ask(t, test.method, test.target, test.header...))
			var record map[string]any
			must(t, json.Unmarshal(logs.Bytes(), &record))
			for _, name := range []string{"time", "level", "msg", "request_id", "status", "jti", "kid"} {
				delete(record, name)
			}
			delete(test.want, "path")
			if level == slog.LevelDebug {
				test.want["path"] = test.path
			}
			if diff := cmp.Diff(test.want, record); diff != "" {
				t.Errorf("%s %s: %s", test.method, test.target, diff)
			}
			if strings.Contains(logs.String(), "SECRET") {
				t.Errorf("the query is in the log: %s", &logs)
			}
		}
	}
}
