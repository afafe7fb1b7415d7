package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/issuer"
)

// A link sets a password once, and all that is no good link gets one answer.
func TestReset_Attack_E12_Standard_U06(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const next = "blue kettle sings at noon"
	token, _, err := w.people.StartReset(t.Context(), w.alice, time.Hour, issuer.Event{Actor: "test"})
	must(t, err)
	w.secret(token, next)
	old := w.login("alice", aliceWord)
	body := func(token, next string) map[string]any { return map[string]any{"token": token, "new": next} }

	w.do("POST", "/password/reset", body("", next)).want(t, 400, "invalid_request")
	w.do("POST", "/password/reset", body(token, "")).want(t, 400, "invalid_request")
	w.do("POST", "/password/reset", map[string]any{"token": token, "new": next, "roles": []string{"admin"}}).want(t, 400, "invalid_request")
	w.do("POST", "/password/reset", "token="+token+"&new=x", media("application/x-www-form-urlencoded")).want(t, 415, "unsupported_media_type")
	w.do("GET", "/password/reset?token="+token, nil).want(t, 405, "method_not_allowed")
	w.do("POST", "/password/reset", body(token, "too short")).want(t, 400, "invalid_password")
	w.do("POST", "/password/reset", body(token, strings.Repeat("x", 1025))).want(t, 400, "invalid_password")

	// Unknown, of no form, replaced, of a disabled user: one answer.
	replaced, _, err := w.people.StartReset(t.Context(), w.bob, time.Hour, issuer.Event{Actor: "test"})
	must(t, err)
	disabled, _, err := w.people.StartReset(t.Context(), w.bob, time.Hour, issuer.Event{Actor: "test"})
	must(t, err)
	_, err = w.people.Disable(t.Context(), w.bob, issuer.Event{Actor: "test"})
	must(t, err)
	w.secret(replaced, disabled)
	one := ""
	for _, bad := range []string{"dwp_" + strings.Repeat("A", 43), "x", replaced, disabled} {
		got := w.do("POST", "/password/reset", body(bad, next)).want(t, 400, "invalid_reset")
		if text := got.text("error_description"); one == "" {
			one = text
		} else if text != one {
			t.Errorf("%.10s…: %q, want %q", bad, text, one)
		}
	}

	got := w.do("POST", "/password/reset", body(token, next)).want(t, 204, "")
	if len(got.body) != 0 || got.cookie() != nil {
		t.Errorf("204 with %q and the cookie %v", got.body, got.cookie())
	}
	w.do("GET", "/me", nil, bearer(old.text("access_token"))).want(t, 401, "invalid_token")
	w.do("POST", "/refresh", map[string]any{"refresh_token": old.text("refresh_token")}).want(t, 400, "invalid_grant")
	w.do("POST", "/login", map[string]any{"username": "alice", "password": aliceWord}).want(t, 401, "invalid_credentials")
	w.login("alice", next)
	if got := w.do("POST", "/password/reset", body(token, next)).want(t, 400, "invalid_reset"); got.text("error_description") != one {
		t.Errorf("used: %q, want %q", got.text("error_description"), one)
	}
}

// A flood of wrong links is told to wait, and keeps nobody out whose link is good.
func TestResetThrottled_Attack_E12(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	body := map[string]any{"token": "dwp_" + strings.Repeat("A", 43), "new": "blue kettle sings at noon"}
	for range 100 {
		w.do("POST", "/password/reset", body).want(t, 400, "invalid_reset")
	}
	got := w.do("POST", "/password/reset", body).want(t, 429, "too_many_requests")
	if got.header.Get("Retry-After") == "" {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
	token, _, err := w.people.StartReset(t.Context(), w.alice, time.Hour, issuer.Event{})
	must(t, err)
	w.secret(token)
	body["token"] = token
	w.do("POST", "/password/reset", body).want(t, 204, "")
	w.do("POST", "/password/reset", body).want(t, 429, "too_many_requests")
}
