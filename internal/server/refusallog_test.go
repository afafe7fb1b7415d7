package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/doorward/doorward/issuer"
	"github.com/google/go-cmp/cmp"
)

// refused is the record of a refusal, without what every one has.
func (w *world) refused(a answer) map[string]any {
	w.t.Helper()
	for _, record := range w.logs.about(a.text("request_id")) {
		if record["msg"] == "refused" {
			for _, name := range []string{"time", "level", "msg", "request_id", "status", "error"} {
				delete(record, name)
			}
			return record
		}
	}
	w.t.Fatalf("no record of %s", a.body)
	return nil
}

// The record of a refusal says of whom it is, as far as that is known for sure, and the precise reason. Attack_H02: and
// no secret, for which the world looks.
func TestRefusalsInTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ended, one := w.login("alice", aliceWord), w.login("alice", aliceWord).text("access_token")
	sid := w.do("GET", "/me", nil, bearer(ended.text("access_token"))).text("session")
	me := w.do("GET", "/me", nil, bearer(one)).text("session")
	must(t, w.issuer.RevokeSession(t.Context(), sid, issuer.Event{Actor: "cli:root"}))
	key := w.do("POST", "/keys", map[string]any{"name": "backup"}, bearer(one)).want(t, 201, "")
	w.do("DELETE", "/keys/"+key.text("id"), nil, bearer(one)).want(t, 204, "")
	p := w.program("orders", nil, nil)
	other := w.program("other", nil, nil)
	forged := one[:strings.LastIndexByte(one, '.')+1] + strings.Repeat("A", 86)
	w.secret(forged)

	tests := []struct {
		name string
		got  answer
		code string
		want map[string]any
	}{
		{
			"refresh", w.do("POST", "/refresh", map[string]any{"refresh_token": ended.text("refresh_token")}), "invalid_grant",
			map[string]any{"reason": "issuer: the session has ended", "sub": w.alice, "sid": sid, "end_reason": "admin"},
		},
		{
			"refresh by a client", w.form("/oauth/token", []string{"grant_type", "refresh_token", "refresh_token", ended.text("refresh_token")}, p.basic()), "invalid_grant",
			map[string]any{"reason": "issuer: the session belongs to another client", "sub": w.alice, "sid": sid, "end_reason": "admin"},
		},
		{
			"refresh with another's", w.do("POST", "/refresh", map[string]any{"refresh_token": "dwr_x"}), "invalid_grant",
			map[string]any{"reason": "issuer: not a token of this issuer"},
		},
		{
			"token of it", w.do("GET", "/me", nil, bearer(ended.text("access_token"))), "invalid_token",
			map[string]any{"reason": "doorward: token revoked", "sub": w.alice, "sid": sid, "client_id": "doorward"},
		},
		{
			"forged token", w.do("GET", "/me", nil, bearer(forged)), "invalid_token",
			map[string]any{"reason": "jwt: wrong signature"},
		},
		{
			"no admin", w.do("GET", "/admin/v1/users", nil, bearer(one)), "insufficient_scope",
			map[string]any{"reason": "doorward: role missing: wants \"admin\", has [\"staff\"]", "sub": w.alice, "sid": me},
		},
		{
			"API key", w.do("GET", "/me", nil, bearer(key.text("key"))), "invalid_token",
			map[string]any{"reason": "account: the API key is not valid: the API key was revoked", "sub": w.alice, "api_key_id": key.text("id")},
		},
		{
			"wrong secret", w.form("/oauth/token", []string{"grant_type", "client_credentials"}, basic(p.ID, other.secret)), "invalid_client",
			map[string]any{"reason": "account: client credentials are wrong: wrong client secret", "client_id": p.ID},
		},
		{
			"unknown client", w.form("/oauth/token", []string{"grant_type", "client_credentials"}, basic("dwc_nobody", other.secret)), "invalid_client",
			map[string]any{"reason": "account: client credentials are wrong: read client: no such client"},
		},
		{"nothing there", w.do("GET", "/nowhere", nil), "not_found", map[string]any{"reason": "there is nothing at this address"}},
	}
	for _, test := range tests {
		if test.got.text("error") != test.code {
			t.Errorf("%s: %d %s, want %s", test.name, test.got.status, test.got.body, test.code)
		}
		record := w.refused(test.got)
		delete(record, "jti")
		delete(record, "kid")
		if diff := cmp.Diff(test.want, record); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

// The record of a request names the resource as people write it, and how long the answer took in a unit that one sees.
func TestRequestInTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	a := w.do("PUT", "/", nil)
	a.want(t, http.StatusMethodNotAllowed, "method_not_allowed")
	for _, record := range w.logs.about(a.text("request_id")) {
		if took, ok := record["duration_ms"].(float64); record["msg"] == "request" && ok && took > 0 && took < 60_000 && record["route"] == "/" {
			return
		}
	}
	t.Errorf("%v", w.logs.about(a.text("request_id")))
}
