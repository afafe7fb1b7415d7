package server_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/issuer"
)

func (w *world) introspect(p program, token string, pairs ...string) answer {
	w.t.Helper()
	return w.form("/oauth/introspect", append([]string{"token", token}, pairs...), p.basic())
}

// wantInactive wants the one answer for every token that is not active.
func (w *world) wantInactive(name string, a answer) {
	w.t.Helper()
	if a.status != 200 || strings.TrimSpace(string(a.body)) != `{"active":false}` {
		w.t.Errorf("%s: %d %s", name, a.status, a.body)
	}
}

// sessionOf makes a session of a client, as a program that embeds an issuer can.
func (w *world) sessionOf(p program) issuer.TokenSet {
	w.t.Helper()
	return w.session(w.alice, issuer.LoginRequest{ClientID: p.ID})
}

// apiKey makes an API key of alice's.
func (w *world) apiKey() string {
	w.t.Helper()
	_, text, err := account.NewAPIKeys(account.APIKeysConfig{Store: w.store}).Add(w.t.Context(),
		account.NewAPIKey{Owner: w.alice, Name: "cron", Everything: true}, issuer.Event{})
	must(w.t, err)
	w.secret(text)
	return text
}

// Standard_I03 Standard_I06 Standard_I07 Standard_I10: what is said of a live token, whatever the hint.
func TestIntrospectActive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here := w.program("here", []string{account.ScopeIntrospect}, nil)
	there := w.program("there", []string{account.ScopeIntrospect, "read"}, []string{"https://x.example", otherName})
	alice := w.login("alice", aliceWord).text("access_token")
	for _, hint := range []string{"", "access_token", "refresh_token", "nonsense"} {
		a := w.introspect(here, alice, "token_type_hint", hint, "other", "x").want(t, 200, "")
		c := w.claims(alice, issuerURL)
		for name, want := range map[string]any{
			"active": true, "iss": issuerURL, "sub": w.alice, "aud": issuerURL, "client_id": "doorward", "username": "alice",
			"jti": c.ID, "sid": c.SessionID, "token_type": "Bearer", "exp": float64(c.ExpiresAt.Unix()), "iat": float64(c.IssuedAt.Unix()),
			"auth_time": float64(c.AuthTime.Unix()),
		} {
			if got := a.object[name]; got != want {
				t.Errorf("hint %q: %s is %v, want %v", hint, name, got, want)
			}
		}
		for name, value := range a.object {
			if n, ok := value.(float64); ok && n != math.Trunc(n) {
				t.Errorf("%s is %v", name, value)
			}
		}
		var roles struct{ Roles []string }
		if err := json.Unmarshal(a.body, &roles); err != nil || !slices.Equal(roles.Roles, []string{"staff"}) {
			t.Errorf("roles %q, %v", roles.Roles, err)
		}
	}
	own := w.granted(there, "resource", otherName).text("access_token")
	a := w.introspect(there, own).want(t, 200, "")
	if a.object["active"] != true || a.text("client_id") != there.ID || a.text("sub") != there.ID || a.text("scope") != "read" ||
		a.text("aud") != otherName || a.object["auth_time"] != nil || a.object["username"] != nil {
		t.Errorf("%s", a.body)
	}
	w.wantInactive("for another audience", w.introspect(here, own))
	session := w.sessionOf(there)
	a = w.introspect(there, session.RefreshToken).want(t, 200, "")
	if a.object["active"] != true || a.text("client_id") != there.ID || a.text("sub") != w.alice || a.text("sid") != session.SessionID ||
		a.object["token_type"] != nil || a.object["exp"] == nil {
		t.Errorf("%s", a.body)
	}
}

// Attack_F15 Standard_I04 Standard_I05 Standard_I09: whatever is not a live token for the one who asks gets one answer.
// It is never a way to find out about tokens: not of another's, not of one that has ended, not of the reason.
func TestIntrospectIsNoOracle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	judge := w.program("judge", []string{account.ScopeIntrospect}, nil)
	poor := w.program("poor", []string{"read"}, nil)
	foreign := w.program("foreign", []string{account.ScopeIntrospect}, []string{otherName})
	login := w.login("alice", aliceWord)
	live, refresh := login.text("access_token"), login.text("refresh_token")
	parts := strings.Split(live, ".")
	stranger := newWorld(t)
	theirs := stranger.login("alice", aliceWord).text("access_token")
	w.secret(theirs)
	for name, token := range map[string]string{
		"not a token": "x", "empty parts": "..", "signature of another issuer": theirs,
		"cut short": live[:len(live)-4], "signature swapped": parts[0] + "." + parts[1] + ".AAAA" + parts[2][4:],
		"a refresh token of the first party": refresh, "a refresh token that is none": issuer.RefreshTokenPrefix + "x",
		"an API key":      w.apiKey(),
		"a client secret": judge.secret, "long": strings.Repeat("a.", 7000), "hostile": "\"}<script>\r\n",
	} {
		w.wantInactive(name, w.introspect(judge, token))
	}
	w.wantInactive("for another audience", w.introspect(foreign, live))
	if a := w.introspect(judge, live); a.object["active"] != true {
		t.Fatalf("the token is not live: %s", a.body)
	}
	for name, a := range map[string]answer{
		"without the scope":   w.introspect(poor, live).want(t, 403, "insufficient_scope"),
		"unauthenticated":     w.form("/oauth/introspect", []string{"token", live}).want(t, 401, "invalid_client"),
		"with a user's token": w.form("/oauth/introspect", []string{"token", live}, bearer(live)).want(t, 401, "invalid_client"),
		"without a token":     w.form("/oauth/introspect", nil, judge.basic()).want(t, 400, "invalid_request"),
		"with two tokens":     w.form("/oauth/introspect", []string{"token", live, "token", "x"}, judge.basic()).want(t, 400, "invalid_request"),
	} {
		if strings.Contains(string(a.body), "active") {
			t.Errorf("%s: %s", name, a.body)
		}
	}
}

// What has ended is not active from the moment on at which it ended, at every node.
func TestIntrospectAfterEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node := w.restarted()
	judge := w.program("judge", []string{account.ScopeIntrospect}, nil)
	p := w.program("orders", nil, nil)
	user := func(word string) func() string {
		return func() string { return w.login("bob", word).text("access_token") }
	}
	for _, tt := range []struct {
		name  string
		token func() string
		end   func(token string) error
	}{
		{"logout", user(bobWord), func(token string) error { return w.issuer.Logout(t.Context(), token, issuer.Event{}) }},
		{"everywhere", user(bobWord), func(string) error { return w.issuer.RevokeSubject(t.Context(), w.bob, issuer.Event{}) }},
		{"client", func() string { return w.granted(p).text("access_token") }, func(string) error {
			_, err := w.set.server.Clients.Revoke(t.Context(), p.ID, issuer.Event{})
			return err
		}},
		{"one token of a client", func() string { return w.granted(p).text("access_token") }, func(token string) error {
			return w.issuer.Logout(t.Context(), token, issuer.Event{})
		}},
		{"refresh token of a client's session", func() string { return w.sessionOf(judge).RefreshToken }, func(token string) error {
			return w.issuer.Logout(t.Context(), token, issuer.Event{})
		}},
		{"user disabled", user(bobWord), func(string) error {
			_, err := w.people.Disable(t.Context(), w.bob, issuer.Event{})
			return err
		}},
	} {
		token := tt.token()
		for _, at := range []*world{w, node} {
			if a := at.introspect(judge, token); a.object["active"] != true {
				t.Fatalf("%s: %s", tt.name, a.body)
			}
		}
		must(t, tt.end(token))
		w.wantInactive(tt.name+" here", w.introspect(judge, token))
		node.wantInactive(tt.name+" at another node", node.introspect(judge, token))
	}
}

// Answers that a token is not active are limited, to each client by itself. What is active is said all the same, so
// that nobody's garbage keeps a service from its callers.
func TestIntrospectLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct, s.server.Limits.Inactive = true, quota.Limits{Each: 5, All: 8} })
	one, two := w.program("one", []string{account.ScopeIntrospect}, nil), w.program("two", []string{account.ScopeIntrospect}, nil)
	live := w.granted(one).text("access_token")
	for i, who := range []program{one, one, one, one, one, one, two, two, two, two} {
		a := w.introspect(who, fmt.Sprint("token", i))
		if refused := i == 5 || i == 9; refused {
			a.want(t, 429, "too_many_requests")
		} else {
			w.wantInactive(fmt.Sprint(i), a)
		}
	}
	for _, who := range []program{one, two} {
		if a := w.introspect(who, live); a.object["active"] != true {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// While the store does not answer nothing is known, and nothing is said.
func TestIntrospectStoreDown(t *testing.T) {
	t.Parallel()
	store := &brokenLog{}
	w := newWorld(t, func(s *settings) { store.Store, s.issuer.Store = s.issuer.Store, store })
	judge := w.program("judge", []string{account.ScopeIntrospect}, nil)
	live := w.granted(judge).text("access_token")
	store.down.Store(true)
	w.introspect(judge, live).want(t, 503, "unavailable")
	store.down.Store(false)
	session := w.sessionOf(judge).RefreshToken
	store.lost.Store(true)
	w.introspect(judge, session).want(t, 503, "unavailable")
	store.lost.Store(false)
	for _, token := range []string{live, session} {
		if a := w.introspect(judge, token); a.object["active"] != true {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}
