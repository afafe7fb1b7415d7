package server_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
)

const (
	issuing    = "/admin/v1/tokens"
	inspecting = "/admin/v1/tokens/inspect"
)

// inspected asks what a text is.
func (w *world) inspected(token, audience string, root with) answer {
	w.t.Helper()
	body := map[string]any{"token": token}
	if audience != "" {
		body["audience"] = audience
	}
	return w.do("POST", inspecting, body, root).want(w.t, 200, "")
}

// A token that is issued is one of the user's, with what was asked for, in a session that somebody can end. It is as old as the
// login of the admin, never younger.
func TestAdminTokenIssue(t *testing.T) {
	t.Parallel()
	w, _, id := adminWorld(t)
	login := time.Now().Add(-4 * time.Minute).Truncate(time.Second)
	root := bearer(w.session(id, issuer.LoginRequest{AuthTime: login}).AccessToken)
	w.do("POST", "/admin/v1/roles", map[string]any{"name": "staff", "scope": "a b"}, root).want(t, 201, "")
	a := w.do("POST", issuing, map[string]any{"username": "Alice"}, root).want(t, 201, "")
	c := w.claims(a.text("access_token"), issuerURL)
	if c.Subject != w.alice || c.Scope.String() != "a b" || !c.AuthTime.Equal(login) || c.SessionID != a.text("session_id") ||
		a.header.Get("Location") != "/admin/v1/sessions/"+c.SessionID || a.text("refresh_token") != "" || a.text("subject") != w.alice {
		t.Errorf("issued %s at %q: %+v", a.body, a.header.Get("Location"), c)
	}
	other := w.do("POST", issuing, map[string]any{"username": "alice", "audience": otherName, "scope": "b", "expires_in": 7200}, root).want(t, 201, "")
	c = w.claims(other.text("access_token"), otherName)
	if life := c.ExpiresAt.Sub(c.IssuedAt); c.Scope.String() != "b" || life < 6800*time.Second || life > 7600*time.Second {
		t.Errorf("issued %s: %+v", other.body, c)
	}
	w.do("DELETE", other.header.Get("Location"), nil, root).want(t, 204, "")
	ended, err := w.store.RevocationsSince(t.Context(), "")
	must(t, err)
	if i := slices.IndexFunc(ended.Entries, func(r doorward.Revocation) bool { return r.ID == c.SessionID }); i < 0 || ended.Entries[i].ExpiresAt.Before(c.ExpiresAt) {
		t.Errorf("the end of its session is forgotten before %s: %+v", c.ExpiresAt, ended.Entries)
	}
	none := w.do("POST", issuing, map[string]any{"username": "alice", "scope": ""}, root).want(t, 201, "")
	if c = w.claims(none.text("access_token"), issuerURL); len(c.Scope) > 0 {
		t.Errorf("an empty scope is %q", c.Scope)
	}
	records, err := w.store.SearchAudit(t.Context(), audit.Query{Actor: id, Subject: w.alice, Kinds: []issuer.EventKind{issuer.EventLogin}})
	must(t, err)
	if len(records) != 3 || records[2].Reason != "issued" || records[2].Session != a.text("session_id") || len(w.logs.about(records[2].RequestID)) == 0 {
		t.Errorf("recorded %+v", records)
	}
	w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 200, "")
	w.do("DELETE", a.header.Get("Location"), nil, root).want(t, 204, "")
	w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 401, "invalid_token")
}

// What is asked for in vain makes nothing.
func TestAdminTokenRefused(t *testing.T) {
	t.Parallel()
	w, root, id := adminWorld(t)
	w.addUser("second", goodWord, "staff", "admin")
	_, err := w.people.Add(t.Context(), account.NewUser{Name: "waits", Password: goodWord, Roles: []string{"admin"}, MustChange: true}, issuer.Event{})
	must(t, err)
	no := true
	_, _, err = w.people.Edit(t.Context(), w.bob, account.UserEdit{Disabled: &no}, issuer.Event{Actor: "test"})
	must(t, err)
	for _, c := range []struct {
		body   string
		status int
		code   string
	}{
		{`{}`, 400, "invalid_request"},
		{`{"username":""}`, 400, "invalid_request"},
		{`{"username":"alice","expires_in":9}`, 400, "invalid_request"},
		{`{"username":"alice","expires_in":79201}`, 400, "invalid_request"},
		{`{"username":"alice","expires_in":1e99}`, 400, "invalid_request"},
		{`{"username":"alice","auth_time":1}`, 400, "invalid_request"},
		{`{"username":"alice","roles":["admin"]}`, 400, "invalid_request"},
		{`{"username":"alice","claims":{"sub":"x"}}`, 400, "invalid_request"},
		{`{"username":"alice","audience":"nobody"}`, 400, "invalid_target"},
		{`{"username":"alice","scope":"everything"}`, 400, "invalid_scope"},
		{`{"username":"alice","scope":"a  b"}`, 400, "invalid_scope"},
		{`{"username":"nobody"}`, 404, "not_found"},
		{`{"username":"' OR 1=1 --"}`, 404, "not_found"},
		{`{"username":"` + w.alice + `"}`, 404, "not_found"},
		{`{"username":"bob"}`, 409, "conflict"},
		{`{"username":"root"}`, 403, "admin_user"},
		{`{"username":"second"}`, 403, "admin_user"},
		{`{"username":"waits"}`, 403, "admin_user"},
	} {
		a := w.do("POST", issuing, c.body, root)
		if a.status != c.status || a.text("error") != c.code {
			t.Errorf("%s: %d %s", c.body, a.status, a.body)
		}
	}
	w.do("POST", issuing+"?username=alice", `{"username":"alice"}`, root).want(t, 400, "invalid_request")
	list, err := w.issuer.Sessions(t.Context(), issuer.SessionQuery{Live: true})
	must(t, err)
	if len(list) != 1 || list[0].Subject != id {
		t.Errorf("sessions %+v", list)
	}
}

// What was seen to be no admin and is one when the token is made, gets none: it would enter this API with the login of another.
func TestAttack_F18_AdminMeanwhile(t *testing.T) {
	t.Parallel()
	roles := []string{"admin"}
	var promote func()
	w, root, _ := adminWorld(t, func(s *settings) { s.duringIssue = func() { promote() } })
	promote = func() {
		_, _, err := w.people.Edit(t.Context(), w.bob, account.UserEdit{Roles: &roles}, issuer.Event{Actor: "test"})
		must(t, err)
	}
	w.do("POST", issuing, map[string]any{"username": "bob"}, root).want(t, 403, "admin_user")
}

// A token that is issued while all sessions of its user are ended comes to nothing, and the caller is not told that they are the one.
func TestAttack_F18_EndedMeanwhile(t *testing.T) {
	t.Parallel()
	var end func()
	w, root, _ := adminWorld(t, func(s *settings) { s.duringIssue = func() { end() } })
	end = func() { must(t, w.issuer.RevokeSubject(t.Context(), w.bob, issuer.Event{})) }
	w.do("POST", issuing, map[string]any{"username": "bob"}, root).want(t, 409, "conflict")
}

// Whoever was an admin when they asked, and is none or logged out when their turn comes, is given no token.
func TestAttack_F18_IssuedLate(t *testing.T) {
	t.Parallel()
	for name, end := range overAdmin {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var over func()
			w, root, id := adminWorld(t, func(s *settings) { s.duringIssue = func() { over() } })
			w.addUser("second", goodWord, "admin")
			over = func() { end(w, root, id) }
			if a := w.do("POST", issuing, map[string]any{"username": "bob"}, root); a.text("error") != "insufficient_scope" && a.text("error") != "invalid_token" {
				t.Errorf("%d %s", a.status, a.body)
			}
			list, err := w.issuer.Sessions(t.Context(), issuer.SessionQuery{Subject: w.bob})
			must(t, err)
			if len(list) > 0 {
				t.Errorf("sessions %+v", list)
			}
		})
	}
}

// Tokens are made one after the other, and who waits for their turn for too long is told to come again, and has no token that nobody
// receives. It runs in a synctest bubble.
func TestAdminTokenTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, root, _ := adminWorld(t, func(s *settings) {
			s.direct, s.issuer.MaxStaleness, s.server.RecentLogin = true, time.Hour, time.Hour
			s.duringIssue = func() { time.Sleep(25 * time.Second) }
		})
		var first sync.WaitGroup
		first.Go(func() { w.do("POST", issuing, map[string]any{"username": "bob"}, root).want(t, 201, "") })
		time.Sleep(time.Second)
		begun := time.Now()
		if a := w.do("POST", issuing, map[string]any{"username": "alice"}, root).want(t, 503, "busy"); a.header.Get("Retry-After") == "" || time.Since(begun) != 10*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), a.header)
		}
		first.Wait()
		w.do("POST", issuing, map[string]any{"username": "alice"}, root).want(t, 201, "")
		list, err := w.issuer.Sessions(t.Context(), issuer.SessionQuery{Subject: w.alice})
		if must(t, err); len(list) != 1 {
			t.Errorf("sessions %+v", list)
		}
	})
}

// Who may not log in anew, cannot have others do so with a token of theirs: it enters nothing of this API, and where a recent login
// is wanted it is good for no longer than the login of the admin.
func TestAttack_H06_TokenOfAnother(t *testing.T) {
	t.Parallel()
	w, _, id := adminWorld(t)
	root := bearer(w.session(id, issuer.LoginRequest{AuthTime: time.Now().Add(-5*time.Minute + 10*time.Second)}).AccessToken)
	issued := bearer(w.do("POST", issuing, map[string]any{"username": "bob"}, root).want(t, 201, "").text("access_token"))
	w.do("GET", "/admin/v1/users", nil, issued).want(t, 403, "insufficient_scope")
	w.do("POST", issuing, map[string]any{"username": "alice"}, issued).want(t, 403, "insufficient_scope")
	old := bearer(w.session(id, issuer.LoginRequest{AuthTime: time.Now().Add(-6 * time.Minute)}).AccessToken)
	w.do("POST", issuing, map[string]any{"username": "bob"}, old).want(t, 401, "insufficient_user_authentication")
	w.do("POST", inspecting, map[string]any{"token": "x"}, old).want(t, 200, "")
}

// The answer says what a text is, and why it would be refused. A refresh token that was looked at is still good.
func TestAdminTokenInspect(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	alice := w.session(w.alice, issuer.LoginRequest{})
	orders := w.session(w.alice, issuer.LoginRequest{Audience: otherName})
	parts := strings.Split(alice.AccessToken, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	twice := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"a","sub":"b"}`))
	latin := base64.RawURLEncoding.EncodeToString([]byte("{\"sub\":\"\xff\"}"))
	key := w.apiKeyOf(w.bob, root)
	text := key.text("key")
	ended := w.session(w.alice, issuer.LoginRequest{})
	must(t, w.issuer.RevokeSession(t.Context(), ended.SessionID, issuer.Event{}))
	for _, c := range []struct {
		name, token, audience, kind, why string
	}{
		{"a good token", alice.AccessToken, "", "access_token", ""},
		{"a good token of another audience", orders.AccessToken, otherName, "access_token", ""},
		{"another audience", orders.AccessToken, "", "access_token", "token for another audience"},
		{"ended", ended.AccessToken, "", "access_token", "token revoked"},
		{"other claims", parts[0] + "." + strings.Split(orders.AccessToken, ".")[1] + "." + parts[2], "", "access_token", "wrong signature"},
		{"no algorithm", none + "." + parts[1] + ".", "", "access_token", "no usable key: the token is not signed (alg none)"},
		{"a name twice", parts[0] + "." + twice + "." + parts[2], "", "unknown", "this is no token: part 2 is not one JSON object in base64url"},
		{"no UTF-8", parts[0] + "." + latin + "." + parts[2], "", "unknown", "this is no token: part 2 is not one JSON object in base64url"},
		{"two parts", parts[0] + "." + parts[1], "", "unknown", "this is no token: want three parts with dots between them, got 2"},
		{"dots", "..", "", "unknown", "this is no token: part 1 is not one JSON object in base64url"},
		{"numbers", "MQ.MQ.MQ", "", "unknown", "this is no token: part 1 is not one JSON object in base64url"},
		{"nothing of the kind", "hello\x00", "", "unknown", "this is no token: want three parts with dots between them, got 1"},
		{"a long text", strings.Repeat("a.", 7000), "", "unknown", "this is no token: want three parts with dots between them, got 7001"},
		{"a refresh token", alice.RefreshToken, "", "refresh_token", ""},
		{"of a session that has ended", ended.RefreshToken, "", "refresh_token", "its session has ended: "},
		{"no refresh token", alice.RefreshToken + "A", "", "refresh_token", "not a token of this issuer"},
		{"an API key", text, "", "api_key", ""},
		{"half an API key", text[:30], "", "api_key", "the text has not the form of an API key"},
		{"an API key that was mistyped", strings.Replace(text, "_", "_0", 2)[:len(text)], "", "api_key", "the text has not the form of an API key"},
		{"an API key with another checksum", text[:len(text)-6] + "000000", "", "api_key", "the checksum of the API key is wrong"},
	} {
		a := w.inspected(c.token, c.audience, root)
		if a.text("kind") != c.kind || a.object["verified"] != (c.why == "") || !strings.HasPrefix(a.text("why"), c.why) || c.why == "" && a.text("why") != "" {
			t.Errorf("%s: %s", c.name, a.body)
		}
		if (a.object["claims"] != nil) != (c.kind == "access_token") || (a.object["header"] != nil) != (c.kind == "access_token") {
			t.Errorf("%s: %s", c.name, a.body)
		}
	}
	a := w.inspected(alice.AccessToken, "", root)
	if claims, _ := a.object["claims"].(map[string]any); claims["sub"] != w.alice || claims["sid"] != alice.SessionID {
		t.Errorf("claims %s", a.body)
	}
	a = w.inspected(alice.RefreshToken, "", root)
	if s, _ := a.object["session"].(map[string]any); s["id"] != alice.SessionID {
		t.Errorf("session %s", a.body)
	}
	w.do("POST", "/refresh", map[string]any{"refresh_token": alice.RefreshToken}).want(t, 200, "")
	for _, body := range []string{`{}`, `{"token":""}`, `{"token":1}`, `{"token":"x","tokens":[]}`, `{"token":"x","token":"y"}`, `{"audience":"x"}`} {
		w.do("POST", inspecting, body, root).want(t, 400, "invalid_request")
	}
	w.do("POST", inspecting, `{"token":"`+strings.Repeat("x", 16<<10)+`"}`, root).want(t, 413, "too_large")
	w.do("POST", inspecting+"?token="+text, `{"token":"x"}`, root).want(t, 400, "invalid_request")
	w.do("GET", inspecting, nil, root).want(t, 405, "method_not_allowed")
}

// An API key shows whose it is to who holds all of it, and says why it is refused; looking at it is no use of it.
func TestAdminAPIKeyInspect(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	made := w.apiKeyOf(w.bob, root)
	id, text := made.text("id"), made.text("key")
	other := w.apiKeyOf(w.alice, root)
	shown := func(text string) (key map[string]any, why string) {
		t.Helper()
		a := w.inspected(text, "", root)
		if a.text("kind") != "api_key" || a.object["verified"] != (a.text("why") == "") {
			t.Errorf("inspected %s", a.body)
		}
		key, _ = a.object["api_key"].(map[string]any)
		return key, a.text("why")
	}
	if key, why := shown(text); key["id"] != id || key["owner"] != w.bob || key["name"] == "" || key["last_used"] != nil || why != "" {
		t.Errorf("%v %q", key, why)
	}
	elsewhere, otherRoot, _ := adminWorld(t)
	unknown := elsewhere.apiKeyOf(elsewhere.bob, otherRoot).text("key")
	w.secret(unknown)
	if key, why := shown(unknown); key != nil || why != "no such API key" {
		t.Errorf("an unknown key: %v %q", key, why)
	}
	no := true
	_, _, err := w.people.Edit(t.Context(), w.alice, account.UserEdit{Disabled: &no}, issuer.Event{Actor: "test"})
	must(t, err)
	if key, why := shown(other.text("key")); key["owner"] != w.alice || why != "its owner is disabled" {
		t.Errorf("of a disabled user: %v %q", key, why)
	}
	w.do("DELETE", "/admin/v1/api-keys/"+id, nil, root).want(t, 204, "")
	if key, why := shown(text); key["revoked_at"] == nil || why != "the API key was revoked" {
		t.Errorf("a revoked key: %v %q", key, why)
	}
	records, err := w.store.SearchAudit(t.Context(), audit.Query{Kinds: []issuer.EventKind{account.EventAPIKeyFailed}})
	must(t, err)
	if len(records) > 0 {
		t.Errorf("recorded %+v", records)
	}
}
