package server_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// brokenLog is a store whose record of cut-offs, and whose sessions, can be out of reach.
type brokenLog struct {
	issuer.Store
	down atomic.Bool // the log
	lost atomic.Bool // sessions cannot be looked up
}

func (s *brokenLog) SessionByHandle(ctx context.Context, digest issuer.Digest) (issuer.Session, time.Time, error) {
	if s.lost.Load() {
		return issuer.Session{}, time.Time{}, issuer.ErrUnavailable
	}
	return s.Store.SessionByHandle(ctx, digest)
}

func (s *brokenLog) RevocationsSince(ctx context.Context, c issuer.Cursor) (issuer.RevocationPage, error) {
	if s.down.Load() {
		return issuer.RevocationPage{}, issuer.ErrUnavailable
	}
	return s.Store.RevocationsSince(ctx, c)
}

func (s *brokenLog) EndSession(ctx context.Context, id, reason string, ev issuer.Event) (doorward.Revocation, error) {
	if s.down.Load() {
		return doorward.Revocation{}, issuer.ErrUnavailable
	}
	return s.Store.EndSession(ctx, id, reason, ev)
}

func (w *world) revoke(p program, token string, pairs ...string) answer {
	w.t.Helper()
	return w.form("/oauth/revoke", append([]string{"token", token}, pairs...), p.basic())
}

// wantRevoked wants 200 without a body.
func (w *world) wantRevoked(name string, a answer) {
	w.t.Helper()
	if a.status != 200 || len(a.body) > 0 {
		w.t.Errorf("%s: %d %s", name, a.status, a.body)
	}
}

// Standard_V01 Standard_V04 Standard_V05 Standard_V06 Standard_V07: a client ends its own tokens, of either kind and whatever
// the hint; that holds at once, of a session for all its tokens, and doing it again is no error.
func TestRevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.program("orders", nil, nil)
	for _, hint := range []string{"", "access_token", "refresh_token", "nonsense"} {
		one, other := w.granted(p).text("access_token"), w.granted(p).text("access_token")
		w.wantRevoked(hint, w.revoke(p, one, "token_type_hint", hint))
		w.do("GET", "/me", nil, bearer(one)).want(t, 401, "invalid_token")
		w.do("GET", "/me", nil, bearer(other)).want(t, 200, "")
		w.wantRevoked(hint+" again", w.revoke(p, one, "token_type_hint", hint))

		for name, token := range map[string]func(issuer.TokenSet) string{
			"refresh token": func(s issuer.TokenSet) string { return s.RefreshToken },
			"access token":  func(s issuer.TokenSet) string { return s.AccessToken },
		} {
			set := w.sessionOf(p)
			w.do("GET", "/me", nil, bearer(set.AccessToken)).want(t, 200, "")
			w.wantRevoked(name, w.revoke(p, token(set), "token_type_hint", hint))
			w.do("GET", "/me", nil, bearer(set.AccessToken)).want(t, 401, "invalid_token")
			a := w.form("/oauth/token", []string{"grant_type", "refresh_token", "refresh_token", set.RefreshToken}, p.basic())
			if a.want(t, 400, "invalid_grant"); a.text("reason") != "logout" {
				t.Errorf("%s: reason %q", name, a.text("reason"))
			}
		}
	}
	stranger := newWorld(t).login("alice", aliceWord)
	w.secret(stranger.text("access_token"), stranger.text("refresh_token"))
	for _, token := range []string{
		"x", "a.b.c", issuer.RefreshTokenPrefix + "x", stranger.text("access_token"), stranger.text("refresh_token"), strings.Repeat("x", 9000),
	} {
		w.wantRevoked("unknown", w.revoke(p, token))
	}
}

// Standard_V02 Standard_V03 Standard_V08: what is refused, and then changes nothing.
func TestRevokeRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.program("orders", nil, nil), w.program("other", nil, nil)
	login := w.login("alice", aliceWord)
	theirs, session := w.granted(other).text("access_token"), w.sessionOf(other)
	for _, token := range []string{
		login.text("access_token"), login.text("refresh_token"), theirs, session.AccessToken, session.RefreshToken,
	} {
		w.revoke(p, token).want(t, 400, "invalid_grant")
	}
	for _, token := range []string{login.text("access_token"), theirs, session.AccessToken} {
		w.do("GET", "/me", nil, bearer(token)).want(t, 200, "")
	}
	w.do("POST", "/refresh", map[string]string{"refresh_token": login.text("refresh_token")}).want(t, 200, "")
	w.form("/oauth/token", []string{"grant_type", "refresh_token", "refresh_token", session.RefreshToken}, other.basic()).want(t, 200, "")

	w.form("/oauth/revoke", nil, p.basic()).want(t, 400, "invalid_request")
	w.form("/oauth/revoke", []string{"token", ""}, p.basic()).want(t, 400, "invalid_request")
	w.form("/oauth/revoke", []string{"token", theirs}).want(t, 401, "invalid_client")
	w.revoke(p, w.apiKey()).want(t, 400, "unsupported_token_type")
}

// Standard_V08: what cannot be stored is 503, and the token counts as live still.
func TestRevokeStoreDown(t *testing.T) {
	t.Parallel()
	store := &brokenLog{}
	w := newWorld(t, func(s *settings) { store.Store, s.issuer.Store = s.issuer.Store, store })
	p := w.program("orders", nil, nil)
	token := w.granted(p).text("access_token")
	store.down.Store(true)
	w.revoke(p, token).want(t, 503, "unavailable")
	store.down.Store(false)
	w.do("GET", "/me", nil, bearer(token)).want(t, 200, "")
	w.wantRevoked("later", w.revoke(p, token))
	w.do("GET", "/me", nil, bearer(token)).want(t, 401, "invalid_token")

	session := w.sessionOf(p)
	store.lost.Store(true)
	w.revoke(p, session.RefreshToken).want(t, 503, "unavailable")
	store.lost.Store(false)
	w.do("GET", "/me", nil, bearer(session.AccessToken)).want(t, 200, "")
}

// Attack_F05 Attack_F07 Standard_O15 Standard_O16 Standard_S04: a refresh token is good for its own client alone, and for no
// more than its session has; what is refused changes nothing.
func TestRefreshGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.program("orders", nil, []string{issuerURL, otherName}), w.program("other", nil, nil)
	login, set := w.login("alice", aliceWord), w.sessionOf(p)
	refresh := func(who program, token string, pairs ...string) answer {
		return w.form("/oauth/token", append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...), who.basic())
	}
	for _, tt := range []struct {
		name string
		a    answer
		code string
	}{
		{"of the first party", refresh(p, login.text("refresh_token")), "invalid_grant"},
		{"of another client", refresh(other, set.RefreshToken), "invalid_grant"},
		{"none", refresh(p, ""), "invalid_request"},
		{"not one", refresh(p, "x"), "invalid_grant"},
		{"an access token", refresh(p, set.AccessToken), "invalid_grant"},
		{"wider scope", refresh(p, set.RefreshToken, "scope", "admin"), "invalid_scope"},
		{"a target that the client may not have", refresh(p, set.RefreshToken, "resource", "https://x.example"), "invalid_target"},
	} {
		if tt.a.status != 400 || tt.a.text("error") != tt.code || tt.a.text("reason") != "" {
			t.Errorf("%s: %d %s", tt.name, tt.a.status, tt.a.body)
		}
	}
	if a := w.do("POST", "/refresh", map[string]string{"refresh_token": set.RefreshToken}); a.text("error") != "invalid_grant" {
		t.Errorf("a client's token at /refresh: %d %s", a.status, a.body)
	}
	w.do("POST", "/refresh", map[string]string{"refresh_token": login.text("refresh_token")}).want(t, 200, "")
	a := refresh(p, set.RefreshToken, "resource", otherName).want(t, 200, "")
	if c := w.claims(a.text("access_token"), otherName); c.ClientID != p.ID || c.SessionID != set.SessionID || c.Subject != w.alice {
		t.Errorf("%+v", c)
	}
	next := a.text("refresh_token")
	if next == "" || next == set.RefreshToken {
		t.Error("no other refresh token")
	}
	if _, err := w.set.server.Clients.SetDisabled(t.Context(), p.ID, true, issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	refresh(p, next).want(t, 401, "invalid_client")
}
