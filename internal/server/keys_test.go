package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

// People add, list and revoke keys of their own, and read the key once.
func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.login("alice", aliceWord).text("access_token"), w.login("bob", bobWord).text("access_token")
	made := w.do("POST", "/keys", map[string]any{"name": "backup", "everything": true, "audiences": []string{issuerURL}}, bearer(alice)).want(t, 201, "")
	key, id := made.text("key"), made.text("id")
	if got, err := account.ParseAPIKey(key); err != nil || got != id || made.text("name") != "backup" || made.object["everything"] != true ||
		made.object["last_used"] != nil || made.object["revoked_at"] != nil || made.text("expires_at") == "" {
		t.Errorf("%v, %s", err, made.body)
	}
	short := w.do("POST", "/keys", map[string]any{"name": "for an hour", "expires_in": 3600}, bearer(alice)).want(t, 201, "")
	if at, err := time.Parse(time.RFC3339, short.text("expires_at")); err != nil || time.Until(at) > time.Hour || time.Until(at) < 59*time.Minute {
		t.Errorf("expires %v, %v", at, err)
	}
	list := w.do("GET", "/keys", nil, bearer(alice)).want(t, 200, "")
	if entries, ok := list.object["keys"].([]any); !ok || len(entries) != 2 || strings.Contains(string(list.body), key) || strings.Contains(string(list.body), `"key"`) ||
		!strings.Contains(string(list.body), `"scope":""`) {
		t.Errorf("%s", list.body)
	}
	if list := w.do("GET", "/keys", nil, bearer(bob)).want(t, 200, ""); string(list.body) != `{"keys":[]}`+"\n" {
		t.Errorf("of somebody else: %s", list.body)
	}

	// The key opens /me, in either header, and nothing else of Doorward's; nor does a token that it was exchanged for.
	for _, with := range []with{bearer(key), header("X-API-Key", key)} {
		me := w.do("GET", "/me", nil, with).want(t, 200, "")
		if me.text("subject") != w.alice || me.text("client_id") != id || me.text("username") != "alice" || me.text("auth_time") != "" {
			t.Errorf("%s", me.body)
		}
	}
	w.do("GET", "/me", nil, bearer(key), header("X-API-Key", key)).want(t, 400, "invalid_request")
	w.do("GET", "/me", nil, bearer(key[:70])).want(t, 401, "invalid_token")
	set, err := w.keys.Exchange(t.Context(), w.issuer, key, account.KeyRequest{})
	must(t, err)
	w.secret(set.AccessToken)
	for _, e := range []struct{ method, path, code string }{
		{"GET", "/keys", "insufficient_scope"},
		{"GET", "/keys/" + id, "insufficient_scope"},
		{"DELETE", "/keys/" + id, "insufficient_scope"},
		{"POST", "/keys", "insufficient_user_authentication"},
		{"GET", "/sessions", "insufficient_scope"},
		{"DELETE", "/sessions/" + set.SessionID, "insufficient_scope"},
		{"POST", "/password", "insufficient_user_authentication"},
		{"POST", "/logout?everywhere=true", "insufficient_scope"},
		{"GET", "/admin/v1/users", "insufficient_scope"},
	} {
		w.do(e.method, e.path, nil, bearer(key)).want(t, 401, "invalid_token")
		if a := w.do(e.method, e.path, nil, bearer(set.AccessToken)); a.text("error") != e.code {
			t.Errorf("%s %s: %d %s", e.method, e.path, a.status, a.body)
		}
	}

	if one := w.do("GET", made.header.Get("Location"), nil, bearer(alice)).want(t, 200, ""); one.text("id") != id || one.text("key") != "" || one.object["last_used"] != nil {
		t.Errorf("%s", one.body)
	}
	w.do("GET", "/keys/"+id, nil, bearer(bob)).want(t, 404, "not_found")
	w.do("DELETE", "/keys/"+id, nil, bearer(bob)).want(t, 404, "not_found")
	w.do("GET", "/me", nil, bearer(key)).want(t, 200, "")
	for range 2 { // Doing it again changes nothing.
		w.do("DELETE", "/keys/"+id, nil, bearer(alice)).want(t, 204, "")
	}
	w.do("GET", "/me", nil, bearer(key)).want(t, 401, "invalid_token")
	w.do("GET", "/me", nil, bearer(set.AccessToken)).want(t, 401, "invalid_token")
	if list := w.do("GET", "/keys", nil, bearer(alice)); strings.Count(string(list.body), `"revoked_at":null`) != 1 {
		t.Errorf("%s", list.body)
	}
}

// A key goes on when its owner changes the password or logs out everywhere.
func TestKeyOutlivesPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.login("alice", aliceWord).text("access_token")
	key := w.do("POST", "/keys", map[string]any{"name": "script"}, bearer(token)).want(t, 201, "").text("key")
	w.do("GET", "/me", nil, bearer(key)).want(t, 200, "")
	token = w.do("POST", "/password", map[string]any{"current": aliceWord, "new": goodWord}, bearer(token)).want(t, 200, "").text("access_token")
	w.do("GET", "/me", nil, bearer(key)).want(t, 200, "")
	w.do("POST", "/logout?everywhere=true", nil, bearer(token)).want(t, 204, "")
	w.do("GET", "/me", nil, bearer(token)).want(t, 401, "invalid_token")
	w.do("GET", "/me", nil, bearer(key)).want(t, 200, "")
	cut, err := w.people.Disable(t.Context(), w.alice, issuer.Event{})
	must(t, err)
	w.issuer.Apply(cut)
	w.do("GET", "/me", nil, bearer(key)).want(t, 401, "invalid_token")
}

// A session makes no key once it has ended, here or at another node, although its token was good when the request began.
func TestKeyOfEndedSession_Attack_F08(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, token string){
		"logged out": func(w *world, token string) { w.do("POST", "/logout", nil, bearer(token)).want(t, 204, "") },
		"disabled elsewhere": func(w *world, _ string) {
			_, err := w.people.Disable(t.Context(), w.alice, issuer.Event{}) // Nobody tells this process.
			must(t, err)
		},
	} {
		w := newWorld(t)
		token := w.login("alice", aliceWord).text("access_token")
		conn, err := net.Dial("tcp", w.address)
		must(t, err)
		defer conn.Close() //nolint:errcheck // nothing is lost
		const body = `{"name":"k"}`
		_, err = fmt.Fprintf(conn, "POST /keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", token, len(body))
		must(t, err)
		reader := bufio.NewReader(conn)
		awaitContinue(t, reader)
		end(w, token)
		_, err = io.WriteString(conn, body)
		must(t, err)
		response, err := http.ReadResponse(reader, nil)
		must(t, err)
		if response.StatusCode != 401 || !strings.Contains(response.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("%s: %s", name, response.Status)
		}
		must(t, response.Body.Close())
		if list, err := w.keys.List(t.Context(), account.APIKeyQuery{Owner: w.alice}); err != nil || len(list) > 0 {
			t.Errorf("%s: %d keys, %v", name, len(list), err)
		}
	}
}

// A login that asked for less than its user has makes no key that can do more.
func TestKeyOfNarrowLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.people.AddRole(t.Context(), "staff", []string{"a", "b"}, issuer.Event{})
	must(t, err)
	narrow, whole := w.session(w.alice, issuer.LoginRequest{Scope: []string{"a"}}).AccessToken, w.session(w.alice, issuer.LoginRequest{}).AccessToken
	for _, tt := range []struct {
		token string
		body  map[string]any
		want  int
	}{
		{narrow, map[string]any{"name": "k", "scope": "a"}, 201},
		{narrow, map[string]any{"name": "k", "scope": "a b"}, 400},
		{narrow, map[string]any{"name": "k", "everything": true}, 400},
		{whole, map[string]any{"name": "k", "scope": "b a"}, 201},
		{whole, map[string]any{"name": "k", "everything": true}, 201},
	} {
		if a := w.do("POST", "/keys", tt.body, bearer(tt.token)); a.status != tt.want || a.status == 400 && a.text("error") != "invalid_scope" {
			t.Errorf("%v: %d %s, want %d", tt.body, a.status, a.body, tt.want)
		}
	}
}

// Whoever asks in the wrong way, with an old login or for too many, gets no key.
func TestKeysRefuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.login("alice", aliceWord).text("access_token")
	for _, tt := range []struct {
		name string
		body any
		code string
	}{
		{"nothing", map[string]any{}, "invalid_request"},
		{"no JSON", "{", "invalid_request"},
		{"unknown member", map[string]any{"name": "a", "never_expires": true}, "invalid_request"},
		{"a scope that alice lacks", map[string]any{"name": "a", "scope": "orders:read"}, "invalid_scope"},
		{"no scope", map[string]any{"name": "a", "scope": "a  b"}, "invalid_scope"},
		{"scope and everything", map[string]any{"name": "a", "scope": "a", "everything": true}, "invalid_request"},
		{"for ever", map[string]any{"name": "a", "expires_in": -1}, "invalid_request"},
		{"too long", map[string]any{"name": "a", "expires_in": 366*86400 + 1}, "invalid_request"},
		{"beyond all numbers", `{"name":"a","expires_in":9223372036854775807}`, "invalid_request"},
		{"too short", map[string]any{"name": "a", "expires_in": 59}, "invalid_request"},
		{"a name with a line feed", map[string]any{"name": "a\nb"}, "invalid_request"},
		{"an audience with a space", map[string]any{"name": "a", "audiences": []string{"a b"}}, "invalid_request"},
		{"an audience of nobody", map[string]any{"name": "a", "audiences": []string{issuerURL, "nope"}}, "invalid_target"},
	} {
		if a := w.do("POST", "/keys", tt.body, bearer(token)); a.status != http.StatusBadRequest || a.text("error") != tt.code {
			t.Errorf("%s: %d %s", tt.name, a.status, a.body)
		}
	}
	for _, id := range []string{"dwk_", "dwk_aaaaaaaaaaaaaaaa", "dwk_AAAAAAAAAAAAAAAA", "nobody", "%00"} {
		w.do("GET", "/keys/"+id, nil, bearer(token)).want(t, 404, "not_found")
		w.do("DELETE", "/keys/"+id, nil, bearer(token)).want(t, 404, "not_found")
	}
	old := w.session(w.alice, issuer.LoginRequest{AuthTime: time.Now().Add(-6 * time.Minute)}).AccessToken
	w.do("POST", "/keys", map[string]any{"name": "a"}, bearer(old)).want(t, 401, "insufficient_user_authentication")
	w.do("GET", "/keys", nil, bearer(old)).want(t, 200, "")
	elsewhere := w.session(w.alice, issuer.LoginRequest{Audience: otherName}).AccessToken
	w.do("GET", "/keys", nil, bearer(elsewhere)).want(t, 401, "invalid_token")
	for range account.MaxAPIKeys {
		_, _, err := w.keys.Add(t.Context(), account.NewAPIKey{Owner: w.alice, Name: "k"}, issuer.Event{})
		must(t, err)
	}
	w.do("POST", "/keys", map[string]any{"name": "a"}, bearer(token)).want(t, 409, "conflict")
}

const (
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAPIKey    = "urn:doorward:params:oauth:token-type:api-key"
	typeAccess    = "urn:ietf:params:oauth:token-type:access_token"
)

// exchanged asks for a token in exchange for a key.
func (w *world) exchanged(key string, more ...string) answer {
	w.t.Helper()
	return w.form("/oauth/token", append([]string{"grant_type", grantExchange, "subject_token_type", typeAPIKey, "subject_token", key}, more...))
}

// Whoever holds a key gets a token for it, for one audience and as little as is asked for (RFC 8693).
func TestKeyExchange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, _, err := w.set.server.Clients.Add(t.Context(), account.NewClient{Name: "c", Scope: []string{"a", "b"}, Audiences: []string{issuerURL, otherName}}, issuer.Event{})
	must(t, err)
	key, text, err := w.keys.Add(t.Context(), account.NewAPIKey{Owner: client.ID, Name: "k", Scope: []string{"a", "b"}}, issuer.Event{})
	must(t, err)
	w.secret(text)
	for _, tt := range []struct {
		name            string
		more            []string
		audience, scope string
	}{
		{"all", nil, issuerURL, "a b"},
		{"less", []string{"scope", "b"}, issuerURL, "b"},
		{"resource", []string{"resource", otherName}, otherName, "a b"},
		{"audience", []string{"audience", otherName, "requested_token_type", typeAccess}, otherName, "a b"},
		{"both", []string{"audience", otherName, "resource", otherName, "client_id", "whoever"}, otherName, "a b"},
	} {
		a := w.exchanged(text, tt.more...).want(t, 200, "")
		c := w.claims(a.text("access_token"), tt.audience)
		if c.Subject != client.ID || c.ClientID != key.ID || c.Scope.String() != tt.scope || a.text("scope") != tt.scope || a.text("issued_token_type") != typeAccess ||
			a.text("token_type") != "Bearer" || a.object["expires_in"].(float64) < 500 || a.text("refresh_token") != "" || a.header.Get("Pragma") != "no-cache" {
			t.Errorf("%s: %+v %s", tt.name, c, a.body)
		}
	}
	for _, tt := range []struct {
		name string
		more []string
		code string
	}{
		{"more", []string{"scope", "a c"}, "invalid_scope"},
		{"scope that is none", []string{"scope", "a  b"}, "invalid_scope"},
		{"elsewhere", []string{"resource", "https://else.example"}, "invalid_target"},
		{"two resources", []string{"resource", otherName, "resource", issuerURL}, "invalid_target"},
		{"two names", []string{"resource", otherName, "audience", issuerURL}, "invalid_target"},
		{"another type", []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"},
		{"delegation", []string{"actor_token", text}, "invalid_request"},
		{"delegation by its type", []string{"actor_token_type", typeAccess}, "invalid_request"},
		{"a secret too", []string{"client_id", client.ID, "client_secret", "s"}, "invalid_request"},
		{"an assertion too", []string{"client_assertion", "s"}, "invalid_request"},
		{"the key twice", []string{"subject_token", text}, "invalid_request"},
	} {
		w.exchanged(text, tt.more...).want(t, 400, tt.code)
	}
	for _, bad := range []string{"", "x", text[:70], text + "x", "dwk_aaaaaaaaaaaaaaaa", w.login("alice", aliceWord).text("access_token")} {
		w.exchanged(bad).want(t, 400, "invalid_request")
	}
	w.form("/oauth/token", []string{"grant_type", grantExchange, "subject_token", text}).want(t, 400, "invalid_request")
	w.form("/oauth/token", []string{"grant_type", grantExchange, "subject_token_type", typeAccess, "subject_token", text}).want(t, 400, "invalid_request")
	w.form("/oauth/token", []string{"grant_type", grantExchange, "subject_token_type", typeAPIKey, "subject_token", text}, bearer(text)).want(t, 400, "invalid_request")

	token := w.exchanged(text).text("access_token")
	cut, err := w.keys.Revoke(t.Context(), key.ID, "", issuer.Event{})
	must(t, err)
	w.issuer.Apply(cut)
	w.exchanged(text).want(t, 400, "invalid_request")
	w.do("GET", "/me", nil, bearer(token)).want(t, 401, "invalid_token")
	meta := w.do("GET", "/.well-known/oauth-authorization-server", nil).want(t, 200, "")
	if !strings.Contains(string(meta.body), grantExchange) {
		t.Errorf("the metadata does not name the grant: %s", meta.body)
	}
}
