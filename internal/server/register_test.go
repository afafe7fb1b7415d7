package server_test

import (
	"fmt"
	"testing"
)

func TestRegister_Attack_E11(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.server.Registration = true })
	const word = "blue kettle sings at noon"
	w.secret(word)
	body := map[string]any{"username": "Carol", "password": word}
	for _, more := range []string{"roles", "is_admin", "id", "disabled", "email_verified", "must_change"} {
		extra := map[string]any{"username": "Carol", "password": word, more: true}
		w.do("POST", "/register", extra).want(t, 400, "invalid_request")
	}
	w.do("POST", "/register", map[string]any{"username": "Carol"}).want(t, 400, "invalid_request")
	got := w.do("POST", "/register", body).want(t, 201, "")
	if got.text("username") != "Carol" || got.text("subject") == "" || len(got.object) != 2 {
		t.Errorf("201 with %s", got.body)
	}
	if me := w.do("GET", "/me", nil, bearer(w.login("carol", word).text("access_token"))).want(t, 200, ""); fmt.Sprint(me.object["roles"]) != "[]" {
		t.Errorf("the roles of somebody who registered are %v", me.object["roles"])
	}
	w.do("POST", "/register", body).want(t, 409, "name_taken")
	w.do("POST", "/register", map[string]any{"username": "admin\u202e", "password": word}).want(t, 400, "invalid_name")
	w.do("POST", "/register", map[string]any{"username": "dave", "password": "too short"}).want(t, 400, "invalid_password")
	for range 10 {
		got = w.do("POST", "/register", map[string]any{"username": "root", "password": word})
	}
	if got.want(t, 429, "too_many_requests"); got.header.Get("Retry-After") == "" {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
}

func TestRegistrationIsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	w.do("POST", "/register", map[string]any{"username": "carol", "password": "blue kettle sings at noon"}).want(t, 404, "not_found")
}
