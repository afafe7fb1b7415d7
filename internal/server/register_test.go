package server_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/account"
)

// Whoever registers gives a name, an address and a password, and no roles or rights.
func TestRegister_Attack_E11(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.server.Registration, s.server.Limits.Register.Each = true, 25 })
	const word = "blue kettle sings at noon"
	w.secret(word)
	body := map[string]any{"username": "Carol", "password": word}
	for _, more := range []string{"roles", "is_admin", "id", "disabled", "email_verified", "must_change", "verified"} {
		extra := map[string]any{"username": "Carol", "password": word, more: true}
		w.do("POST", "/register", extra).want(t, 400, "invalid_request")
	}
	w.do("POST", "/register", map[string]any{"username": "Carol"}).want(t, 400, "invalid_request")
	w.do("POST", "/register", map[string]any{"password": word}).want(t, 400, "invalid_request")
	for _, email := range []any{"carol", "carol@localhost", []string{"carol@example.com"}, 7, "carol@example.com\r\nBcc: x@example.com"} {
		code := "invalid_email"
		if _, text := email.(string); !text {
			code = "invalid_request"
		}
		w.do("POST", "/register", map[string]any{"username": "Carol", "password": word, "email": email}).want(t, 400, code)
	}
	w.do("POST", "/register", map[string]any{"username": "Carol", "password": "hargreaves, example.org", "email": "c.hargreaves@example.org"}).
		want(t, 400, "invalid_password")
	got := w.do("POST", "/register", body).want(t, 201, "")
	if got.text("username") != "Carol" || got.text("subject") == "" || len(got.object) != 2 {
		t.Errorf("201 with %s", got.body)
	}
	if who := `"sub":"` + got.text("subject"); !bytes.Contains(bytes.Join(w.logs.lines(), nil), []byte(who)) {
		t.Error("the log does not say who registered")
	}
	if me := w.do("GET", "/me", nil, bearer(w.login("carol", word).text("access_token"))).want(t, 200, ""); fmt.Sprint(me.object["roles"]) != "[]" {
		t.Errorf("the roles of somebody who registered are %v", me.object["roles"])
	}
	for _, tt := range []struct {
		name, email, password string
		status                int
		code, reason          string // for the caller, and for the log
	}{
		{"Carol", "", word, 409, "name_taken", account.ErrNameTaken.Error()},
		{"carol", "x@example.com", word, 409, "name_taken", account.ErrNameTaken.Error()},
		{"admin\u202e", "", word, 400, "invalid_name", "the character U+202E is not allowed"},
		{"dave", "dave", word, 400, "invalid_email", account.ErrEmail.Error()},
		{"dave", "", longWord, 400, "invalid_password", "the password has 1025 bytes"},
		{"dave", "", "too short", 400, "invalid_password", "the password has 9 characters"},
	} {
		no := w.do("POST", "/register", map[string]any{"username": tt.name, "email": tt.email, "password": tt.password}).want(t, tt.status, tt.code)
		if got := fmt.Sprint(w.refused(no)["reason"]); !strings.Contains(got, tt.reason) {
			t.Errorf("%s: the log says %s, want %s", tt.code, got, tt.reason)
		}
	}
	for range 25 {
		got = w.do("POST", "/register", map[string]any{"username": "root", "password": word})
	}
	if got.want(t, 429, "too_many_requests"); got.header.Get("Retry-After") == "" {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
}

// An address that somebody registers with is theirs at /me, and in no token. A token for another
// service does not read it.
func TestRegister_Email(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.server.Registration = true })
	const word, email = "blue kettle sings at noon", "Carol.C@example.org"
	got := w.do("POST", "/register", map[string]any{"username": "carol", "password": word, "email": "Carol.C@EXAMPLE.org"}).want(t, 201, "")
	if got.text("email") != email || len(got.object) != 3 {
		t.Errorf("201 with %s", got.body)
	}
	own, foreign := w.login("carol", word), w.login("carol", word, map[string]any{"audience": otherName})
	if me := w.do("GET", "/me", nil, bearer(own.text("access_token"))).want(t, 200, ""); me.text("email") != email {
		t.Errorf("/me says %s", me.body)
	}
	me := w.do("GET", "/me", nil, bearer(foreign.text("access_token"))).want(t, 200, "")
	if _, there := me.object["email"]; there || me.text("username") != "carol" {
		t.Errorf("/me says to another service %s", me.body)
	}
	for _, a := range []answer{own, foreign} {
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(a.text("access_token"), ".")[1])
		if must(t, err); strings.Contains(strings.ToLower(string(payload)), "example.org") || strings.Contains(string(payload), "email") {
			t.Errorf("a token has the address: %s", payload)
		}
	}
	must(t, w.file.Close())
	if me := w.do("GET", "/me", nil, bearer(own.text("access_token"))).want(t, 200, ""); me.text("email") != "" || me.text("username") != "carol" {
		t.Errorf("without the store /me says %s", me.body)
	}
}

// Unless the operator opens it, there is no registration.
func TestRegistrationIsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	w.do("POST", "/register", map[string]any{"username": "carol", "password": "blue kettle sings at noon"}).want(t, 404, "not_found")
}
