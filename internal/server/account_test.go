package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

// ASVS_6.2.2, ASVS_7.4.3: a new password ends every session of the user, and the answer is a new one.
func TestPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.login("alice", aliceWord)
	a := w.login("alice", aliceWord)
	b := w.do("POST", "/password", map[string]any{"current": aliceWord, "new": goodWord}, bearer(a.text("access_token"))).want(t, 200, "")
	for _, dead := range []answer{old, a} { // Behaviour_B37, at once.
		w.do("GET", "/me", nil, bearer(dead.text("access_token"))).want(t, 401, "invalid_token")
		w.do("POST", "/refresh", map[string]any{"refresh_token": dead.text("refresh_token")}).want(t, 400, "invalid_grant")
	}
	w.do("GET", "/me", nil, bearer(b.text("access_token"))).want(t, 200, "")
	w.do("POST", "/refresh", map[string]any{"refresh_token": b.text("refresh_token")}).want(t, 200, "")
	w.do("POST", "/login", map[string]any{"username": "alice", "password": aliceWord}).want(t, 401, "invalid_credentials")
	w.login("alice", goodWord)
}

// ASVS_6.2.3, ASVS_7.5.1: the password is changed after a recent login, with the current one, and to a good one alone.
func TestPasswordRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.login("alice", aliceWord).text("access_token")
	stale := w.session(w.alice, issuer.LoginRequest{AuthTime: time.Now().Add(-6 * time.Minute)}).AccessToken
	for _, c := range []struct {
		name    string
		body    any
		status  int
		code    string
		changes []with
	}{
		{"no token", map[string]any{"current": aliceWord, "new": goodWord}, 401, "missing_token", nil},
		{"Behaviour_B6 Standard_U22 old login", map[string]any{"current": aliceWord, "new": goodWord}, 401, "insufficient_user_authentication", []with{bearer(stale)}},
		{"wrong current", map[string]any{"current": bobWord, "new": goodWord}, 401, "invalid_credentials", []with{bearer(good)}},
		{"short", map[string]any{"current": aliceWord, "new": "too short"}, 400, "invalid_password", []with{bearer(good)}},
		{"the same", map[string]any{"current": aliceWord, "new": aliceWord}, 400, "invalid_password", []with{bearer(good)}},
		{"too long", map[string]any{"current": aliceWord, "new": strings.Repeat("x", 1025)}, 400, "invalid_password", []with{bearer(good)}},
		{"current too long", map[string]any{"current": strings.Repeat("x", 1025), "new": goodWord}, 400, "invalid_request", []with{bearer(good)}},
		{"nothing", map[string]any{}, 400, "invalid_request", []with{bearer(good)}},
		{"Attack_E11 for somebody else", map[string]any{"current": aliceWord, "new": goodWord, "username": "bob"}, 400, "invalid_request", []with{bearer(good)}},
		{"cookie from another site", map[string]any{"current": aliceWord, "new": goodWord, "cookie": true}, 403, "cross_origin", []with{bearer(good), header("Sec-Fetch-Site", "cross-site")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.do("POST", "/password", c.body, c.changes...).want(t, c.status, c.code)
			if c.code == "invalid_password" && !strings.Contains(a.text("error_description"), "choose") {
				t.Errorf("does not say what to do: %q", a.text("error_description"))
			}
		})
	}
	w.do("GET", "/me", nil, bearer(good)).want(t, 200, "")
}

// Whoever guesses the current password with a token has no more tries than at a login.
func TestPasswordThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.login("alice", aliceWord).text("access_token")
	for range account.TryLimit {
		w.do("POST", "/password", map[string]any{"current": "wrong wrong wrong", "new": goodWord}, bearer(token)).want(t, 401, "invalid_credentials")
	}
	w.do("POST", "/password", map[string]any{"current": aliceWord, "new": goodWord}, bearer(token)).want(t, 429, "too_many_requests")
}

// In cookie mode the refresh token of the new session is in the cookie alone.
func TestPasswordCookieMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord, map[string]any{"cookie": true})
	b := w.do("POST", "/password", map[string]any{"current": aliceWord, "new": goodWord, "cookie": true},
		bearer(a.text("access_token")), refreshCookie(a.cookie().Value)).want(t, 200, "")
	if b.cookie() == nil || b.text("refresh_token") != "" {
		t.Fatalf("not in the cookie: %s", b.body)
	}
	w.do("POST", "/refresh", map[string]any{}, refreshCookie(b.cookie().Value)).want(t, 200, "")
}

// The first admin has no rights until the password is changed, and is told how.
func TestAttack_E10_InitialPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.people.Add(t.Context(), account.NewUser{
		Name: "admin", Password: adminWord, Roles: []string{"admin"}, MustChange: true, Lifetime: account.InitialLifetime,
	}, issuer.Event{Actor: "test"})
	must(t, err)
	a := w.login("admin", adminWord)
	b := w.do("GET", "/admin/v1/users", nil, bearer(a.text("access_token"))).want(t, 403, "insufficient_scope")
	if !strings.Contains(b.text("error_description"), "POST /password") || !strings.Contains(b.header.Get("WWW-Authenticate"), `error="insufficient_scope"`) {
		t.Errorf("does not say how: %s %q", b.body, b.header.Get("WWW-Authenticate"))
	}
	me := w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 200, "")
	if me.object["password_change_required"] != true {
		t.Errorf("/me: %s", me.body)
	}
	c := w.do("POST", "/password", map[string]any{"current": adminWord, "new": goodWord}, bearer(a.text("access_token"))).want(t, 200, "")
	list := w.do("GET", "/admin/v1/users", nil, bearer(c.text("access_token"))).want(t, 200, "")
	if users, _ := list.object["users"].([]any); len(users) != 3 {
		t.Errorf("users: %s", list.body)
	}
	if strings.Contains(string(list.body), "argon2") {
		t.Error("the list holds hashes")
	}
}

// Admins alone read the list of users, in pages, and a question that cannot be read is refused.
func TestAdminUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addUser("root", adminWord, "admin")
	token := w.login("root", adminWord).text("access_token")
	for i := range 100 {
		_, err := w.store.CreateUser(t.Context(), account.UserRow{ID: fmt.Sprint("u_", i), Name: fmt.Sprintf("x%03d", i), Canonical: fmt.Sprintf("x%03d", i)}, issuer.Event{})
		must(t, err)
	}
	a := w.do("GET", "/admin/v1/users", nil, bearer(token)).want(t, 200, "")
	if list, _ := a.object["users"].([]any); len(list) != 100 || a.text("next") == "" {
		t.Fatalf("%d users, next %q", len(list), a.text("next"))
	}
	b := w.do("GET", "/admin/v1/users?cursor="+a.text("next"), nil, bearer(token)).want(t, 200, "")
	if list, _ := b.object["users"].([]any); len(list) != 3 || b.text("next") != "" {
		t.Errorf("%d users, next %q", len(list), b.text("next"))
	}
	w.do("GET", "/admin/v1/users?cursor=AA", nil, bearer(token)).want(t, 400, "invalid_request")
	w.do("GET", "/admin/v1/users?cursor=_w", nil, bearer(token)).want(t, 400, "invalid_request")
	w.do("GET", "/admin/v1/users", nil, bearer(w.login("alice", aliceWord).text("access_token"))).want(t, 403, "insufficient_scope") // Standard_R08 Behaviour_B5
	w.do("GET", "/admin/v1/users", nil).want(t, 401, "missing_token")
	w.do("GET", "/admin/v1/users?cursor="+a.text("next")+"=", nil, bearer(token)).want(t, 400, "invalid_request")
	w.do("GET", "/admin/v1/users?limit=501", nil, bearer(token)).want(t, 400, "invalid_request")
	w.do("GET", "/admin/v1/users?limit=1&limit=2", nil, bearer(token)).want(t, 400, "invalid_request")
	w.do("GET", "/admin/v1/users?order_by=hash", nil, bearer(token)).want(t, 400, "invalid_request")
}

// /me says who is asking, with the name from the token or, where tokens have none, from the store.
func TestMe(t *testing.T) {
	t.Parallel()
	for _, username := range []bool{true, false} {
		w := newWorld(t, func(s *settings) { s.issuer.Username = username })
		a := w.login("alice", aliceWord)
		claims := w.claims(a.text("access_token"), issuerURL)
		me := w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 200, "")
		if me.text("subject") != w.alice || me.text("username") != "alice" || me.text("session") != claims.SessionID || me.text("client_id") != "doorward" {
			t.Errorf("username %v: %s", username, me.body)
		}
		if roles, _ := me.object["roles"].([]any); len(roles) != 1 || roles[0] != "staff" {
			t.Errorf("roles: %s", me.body)
		}
	}
}

// ASVS_7.5.2: users see and end their own sessions, and nobody else's.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.login("alice", aliceWord)
	second := w.login("alice", aliceWord)
	bob := w.login("bob", bobWord)
	token := second.text("access_token")
	ids := sessionIDs(w.do("GET", "/sessions", nil, bearer(token)).want(t, 200, ""))
	mine, bobs := w.claims(token, issuerURL).SessionID, w.claims(bob.text("access_token"), issuerURL).SessionID
	if len(ids) != 2 || ids[0] != mine || ids[1] != w.claims(first.text("access_token"), issuerURL).SessionID {
		t.Fatalf("sessions %v", ids)
	}
	a := w.do("GET", "/sessions", nil, bearer(token))
	entry := a.object["sessions"].([]any)[0].(map[string]any)
	if used, err := time.Parse(time.RFC3339, entry["last_used"].(string)); err != nil || !used.Equal(used.Truncate(time.Hour)) && entry["last_used"] != entry["created_at"] || entry["current"] != true {
		t.Errorf("entry %v", entry)
	}
	for _, path := range []string{"/sessions/" + bobs, "/sessions/" + strings.ToUpper(mine), "/sessions/x", "/sessions/a%2Fb", "/sessions/..%2f" + mine} {
		w.do("DELETE", path, nil, bearer(token)).want(t, 404, "not_found")
	}
	w.do("GET", "/me", nil, bearer(bob.text("access_token"))).want(t, 200, "")
	for range 2 {
		w.do("DELETE", "/sessions/"+ids[1], nil, bearer(token)).want(t, 204, "")
	}
	w.do("GET", "/me", nil, bearer(first.text("access_token"))).want(t, 401, "invalid_token")
	w.do("DELETE", "/sessions/"+mine, nil, bearer(token)).want(t, 204, "")
	w.do("GET", "/sessions", nil, bearer(token)).want(t, 401, "invalid_token")
}

func sessionIDs(a answer) []string {
	var ids []string
	list, _ := a.object["sessions"].([]any)
	for _, entry := range list {
		ids = append(ids, entry.(map[string]any)["id"].(string))
	}
	return ids
}

// The sessions beyond the first hundred are on the next page.
func TestSessionsPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := ""
	for range 101 {
		token = w.session(w.alice, issuer.LoginRequest{}).AccessToken
	}
	a := w.do("GET", "/sessions", nil, bearer(token)).want(t, 200, "")
	b := w.do("GET", "/sessions?before="+a.text("next"), nil, bearer(token)).want(t, 200, "")
	if len(sessionIDs(a)) != 100 || len(sessionIDs(b)) != 1 || b.text("next") != "" {
		t.Errorf("%d and %d sessions", len(sessionIDs(a)), len(sessionIDs(b)))
	}
	w.do("GET", "/sessions?before=x", nil, bearer(token)).want(t, 400, "invalid_request")
	w.do("GET", "/sessions?before="+a.text("next")+"&before=", nil, bearer(token)).want(t, 400, "invalid_request")
	w.do("GET", "/sessions?before=%zz", nil, bearer(token)).want(t, 400, "invalid_request")
}
