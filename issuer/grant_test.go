package issuer_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/issuer"
)

const client = "dwc_orders"

func holder(scope ...string) issuer.Subject {
	return issuer.Subject{Active: true, Scope: scope}
}

func (w *world) grant(subject, client string, req issuer.GrantRequest) (issuer.TokenSet, error) {
	attempt, err := w.BeginGrant(w.t.Context(), subject, client)
	if err != nil {
		return issuer.TokenSet{}, err
	}
	return w.Grant(w.t.Context(), attempt, req)
}

func (w *world) mustGrant(subject, client string) issuer.TokenSet {
	w.t.Helper()
	set, err := w.grant(subject, client, issuer.GrantRequest{Holder: holder("a", "b")})
	if err != nil {
		w.t.Fatal(err)
	}
	return set
}

// Standard_N05: the sub of a client's token is the client. It has no auth_time, no refresh token and no session.
func TestGrant(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, nil)
		first, second := w.mustGrant(client, client), w.mustGrant(client, client)
		c := w.wantVerify(first.AccessToken, nil)
		if c.Subject != client || c.ClientID != client || c.Scope.String() != "a b" || !c.AuthTime.IsZero() ||
			c.SessionID != first.SessionID || len(c.Roles) > 0 || first.RefreshToken != "" {
			t.Errorf("%+v", c)
		}
		var extra any
		if found, _ := c.Extra("auth_time", &extra); found {
			t.Errorf("auth_time %v", extra)
		}
		if first.SessionID >= second.SessionID || c.ID == w.wantVerify(second.AccessToken, nil).ID {
			t.Errorf("%s, %s", first.SessionID, second.SessionID)
		}
		if list, err := w.Sessions(t.Context(), issuer.SessionQuery{}); err != nil || len(list) > 0 {
			t.Errorf("%d sessions, %v", len(list), err)
		}
		act := w.wantVerify(w.mustGrant("ada", "dwk_1").AccessToken, nil)
		if act.Subject != "ada" || act.ClientID != "dwk_1" {
			t.Errorf("%+v", act)
		}
	})
}

// One token, one client or all of a subject's tokens can be ended; what is granted later holds.
func TestGrantRevoked(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, nil)
		for _, tt := range []struct {
			name            string
			subject, client string
			end             func(sid string) error
			othersEnd       bool
		}{
			{"one", client, client, func(sid string) error { return w.RevokeSession(t.Context(), sid, issuer.Event{}) }, false},
			{"client", client, client, func(string) error { return w.RevokeClient(t.Context(), client, issuer.Event{}) }, true},
			{"key", "ada", "dwk_1", func(string) error { return w.RevokeClient(t.Context(), "dwk_1", issuer.Event{}) }, true},
			{"its subject", "ada", "dwk_1", func(string) error { return w.RevokeSubject(t.Context(), "ada", issuer.Event{}) }, true},
			{"by the token", client, client, func(string) error {
				return w.Logout(t.Context(), w.mustGrant(client, client).AccessToken, issuer.Event{})
			}, false},
		} {
			stranger := w.mustGrant("ada", "dwk_other")
			other, one := w.mustGrant(tt.subject, tt.client), w.mustGrant(tt.subject, tt.client)
			attempt, err := w.BeginGrant(t.Context(), tt.subject, tt.client)
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.end(one.SessionID); err != nil {
				t.Fatal(err)
			}
			for _, end := range []struct {
				token string
				ends  bool
			}{{one.AccessToken, tt.name != "by the token"}, {other.AccessToken, tt.othersEnd}, {stranger.AccessToken, tt.name == "its subject"}} {
				var want error
				if end.ends {
					want = doorward.ErrRevoked
				}
				w.wantVerify(end.token, want)
			}
			var want error
			if tt.othersEnd {
				want = issuer.ErrEpoch
			}
			if _, err := w.Grant(t.Context(), attempt, issuer.GrantRequest{Holder: holder()}); !errors.Is(err, want) {
				t.Errorf("%s: a grant that had begun: %v, want %v", tt.name, err, want)
			}
			w.wantVerify(w.mustGrant(tt.subject, tt.client).AccessToken, nil)
		}
	})
}

func TestGrantRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *issuer.Config) { c.Audience, c.Audiences = "https://api.example", []string{"https://b.example"} })
	two := []string{"https://b.example", "https://c.example"}
	for _, tt := range []struct {
		name         string
		req          issuer.GrantRequest
		wantErr      error
		audience     string
		wantScope    []string
		wantLifetime time.Duration
	}{
		{"nothing asked", issuer.GrantRequest{Holder: holder("a", "b")}, nil, "https://api.example", []string{"a", "b"}, 0},
		{"narrower", issuer.GrantRequest{Holder: holder("a", "b"), Scope: doorward.Scope{"b"}}, nil, "https://api.example", []string{"b"}, 0},
		{"no scope", issuer.GrantRequest{Holder: holder("a"), Scope: doorward.Scope{}}, nil, "https://api.example", nil, 0},
		{"wider", issuer.GrantRequest{Holder: holder("a"), Scope: doorward.Scope{"a", "b"}}, issuer.ErrScope, "", nil, 0},
		{"the first audience", issuer.GrantRequest{Holder: holder(), Audiences: two}, nil, two[0], nil, 0},
		{"another audience", issuer.GrantRequest{Holder: holder(), Audiences: two, Audience: two[1]}, nil, two[1], nil, 0},
		{"not its audience", issuer.GrantRequest{Holder: holder(), Audiences: two, Audience: issuerURL}, issuer.ErrAudience, "", nil, 0},
		{"without audiences the issuer's others", issuer.GrantRequest{Holder: holder(), Audience: two[0]}, issuer.ErrAudience, "", nil, 0},
		{"inactive", issuer.GrantRequest{Holder: issuer.Subject{Scope: doorward.Scope{"a"}}}, issuer.ErrInactive, "", nil, 0},
		{"reserved claims", issuer.GrantRequest{Holder: issuer.Subject{Active: true, Claims: map[string]any{"sub": "ada"}}}, issuer.ErrClaims, "", nil, 0},
		{"has ended", issuer.GrantRequest{Holder: holder(), NotAfter: time.Now()}, issuer.ErrInactive, "", nil, 0},
		{"ends soon", issuer.GrantRequest{Holder: holder(), NotAfter: time.Now().Add(time.Minute)}, nil, "https://api.example", nil, time.Minute},
	} {
		set, err := w.grant(client, client, tt.req)
		if !errors.Is(err, tt.wantErr) || (err != nil) != (set.AccessToken == "") {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.wantErr)
		}
		if err != nil {
			continue
		}
		v, err := doorward.NewVerifier(doorward.Config{Issuer: issuerURL, Audience: tt.audience, Keys: w.Keys(), Revocations: w.Revocations()})
		if err != nil {
			t.Fatal(err)
		}
		c, err := v.Verify(t.Context(), set.AccessToken)
		if err != nil || !slices.Equal(c.Scope, tt.wantScope) {
			t.Errorf("%s: %+v, %v", tt.name, c, err)
		}
		if tt.wantLifetime > 0 && (set.ExpiresIn > tt.wantLifetime || set.ExpiresIn < tt.wantLifetime-2*time.Second) {
			t.Errorf("%s: it lives for %v", tt.name, set.ExpiresIn)
		}
	}
	for _, ids := range [][2]string{{"", client}, {client, ""}, {"", ""}} {
		if _, err := w.grant(ids[0], ids[1], issuer.GrantRequest{Holder: holder()}); !errors.Is(err, issuer.ErrInactive) {
			t.Errorf("%q: %v, want ErrInactive", ids, err)
		}
	}
	attempt, err := w.Begin(t.Context(), "ada") // of a login, which names no client
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Grant(t.Context(), attempt, issuer.GrantRequest{Holder: holder()}); !errors.Is(err, issuer.ErrInactive) {
		t.Errorf("an attempt to log in: %v, want ErrInactive", err)
	}
}

func TestLoginAndGrantAreRecorded(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		var logs bytes.Buffer
		w := newWorld(t, func(c *issuer.Config) { c.Logger = slog.New(slog.NewTextHandler(&logs, nil)) })
		madeUp := issuer.Event{Kind: "x", Subject: "eve", Session: "y", Address: "192.0.2.1"}
		login, err := w.loginWith("ada", issuer.LoginRequest{Event: madeUp})
		if err != nil {
			t.Fatal(err)
		}
		first := w.mustGrant("ada", "dwk_1")
		madeUp.Actor = "bob"
		set, err := w.grant("ada", "dwk_1", issuer.GrantRequest{Holder: holder(), Event: madeUp})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.RevokeClient(t.Context(), "dwk_1", issuer.Event{Actor: "cli:root"}); err != nil {
			t.Fatal(err)
		}
		if line := `event=client_end reason="" sub=dwk_1 sid="" actor=cli:root`; !strings.Contains(logs.String(), line) {
			t.Errorf("the log lacks %q:\n%s", line, logs.String())
		}
		store, ok := w.cfg.Store.(interface{ Events() []issuer.Event })
		if !ok {
			return // SQLite's are read by its own tests
		}
		want := []issuer.Event{
			{Kind: issuer.EventLogin, Address: "192.0.2.1", Subject: "ada", Session: login.SessionID},
			{Kind: issuer.EventGrant, Actor: "dwk_1", Subject: "ada", Session: first.SessionID},
			{Kind: issuer.EventGrant, Actor: "bob", Address: "192.0.2.1", Subject: "ada", Session: set.SessionID},
			{Kind: issuer.EventClientEnd, Actor: "cli:root", Subject: "dwk_1"},
		}
		if got := store.Events(); len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
			t.Errorf("%+v", got)
		}
	})
}

// Attack_F07, Standard_O16: scope narrows one access token, never the session; what the session does not have is refused
// and changes nothing. In a bubble of time.
func TestRefreshScope(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, nil)
		set := w.login("ada")
		ask := func(token string, scope doorward.Scope, want string, wantErr error) issuer.TokenSet {
			t.Helper()
			got, err := w.Refresh(t.Context(), token, issuer.RefreshRequest{Scope: scope})
			if !errors.Is(err, wantErr) {
				t.Fatalf("%v: %v, want %v", scope, err, wantErr)
			}
			if err == nil && (got.Scope.String() != want || w.wantVerify(got.AccessToken, nil).Scope.String() != want) {
				t.Errorf("%v: %v, want %q", scope, got.Scope, want)
			}
			return got
		}
		ask(set.RefreshToken, doorward.Scope{"orders:read", "admin"}, "", issuer.ErrScope)
		set = ask(set.RefreshToken, doorward.Scope{"orders:read"}, "orders:read", nil)
		time.Sleep(15 * time.Second)
		set = ask(set.RefreshToken, doorward.Scope{}, "", nil)
		time.Sleep(15 * time.Second)
		set = ask(set.RefreshToken, nil, "orders:read orders:write", nil)
		w.people.set("ada", issuer.Subject{Active: true, Scope: doorward.Scope{"orders:read"}})
		time.Sleep(15 * time.Second)
		ask(set.RefreshToken, doorward.Scope{"orders:write"}, "", issuer.ErrScope) // had it at the login
		ask(set.RefreshToken, nil, "orders:read", nil)
	})
}

// SessionOf changes nothing, and tells a token that Refresh would answer from one that it would not. In a bubble of time.
func TestSessionOf(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, nil)
		want := func(name, token, sid string, live bool, wantErr error) {
			t.Helper()
			for range 2 {
				s, is, err := w.SessionOf(t.Context(), token)
				if s.ID != sid || is != live || !errors.Is(err, wantErr) {
					t.Errorf("%s: session %q, live %v, %v", name, s.ID, is, err)
				}
			}
		}
		set := w.login("ada")
		first, sid := set.RefreshToken, set.SessionID
		want("of a login", first, sid, true, nil)
		time.Sleep(time.Minute)
		second := w.mustRefresh(first).RefreshToken
		want("the predecessor", first, sid, true, nil)
		want("the current one", second, sid, true, nil)
		time.Sleep(time.Minute)
		w.mustRefresh(second)
		want("a spent one", first, sid, false, nil)
		want("one that is newer than the store", w.ForgeRefreshToken(first, 9), sid, false, nil)
		want("none", "dwr_x", "", false, issuer.ErrToken)
		want("an access token", set.AccessToken, "", false, issuer.ErrToken)
		lapsing := w.login("ada")
		if err := w.RevokeSession(t.Context(), sid, issuer.Event{}); err != nil {
			t.Fatal(err)
		}
		want("of one that ended", second, sid, false, nil)
		time.Sleep(15 * 24 * time.Hour)
		want("of one that lapsed", lapsing.RefreshToken, lapsing.SessionID, false, nil)
		time.Sleep(31 * 24 * time.Hour)
		if _, err := w.cfg.Store.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		want("of one that was deleted", second, "", false, nil)

		w = newWorld(t, func(c *issuer.Config) { c.StrictRefresh = true })
		first = w.login("ada").RefreshToken
		time.Sleep(time.Minute)
		set = w.mustRefresh(first)
		want("a predecessor where each token works once", first, set.SessionID, false, nil)
		want("the current one there", set.RefreshToken, set.SessionID, true, nil)
	})
}

// askedLog counts how often the record of cut-offs is read.
type askedLog struct {
	issuer.Store
	asked atomic.Int64
}

func (l *askedLog) RevocationsSince(ctx context.Context, c issuer.Cursor) (issuer.RevocationPage, error) {
	l.asked.Add(1)
	return l.Store.RevocationsSince(ctx, c)
}

// What another process has revoked holds after CatchUp, which asks the store and nobody's memory.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	store := &askedLog{Store: doorwardtest.NewStore()}
	w, other := newWorldWith(t, store, nil), newWorldWith(t, store, nil)
	for range 3 {
		token := w.login("ada")
		if err := other.RevokeSession(t.Context(), token.SessionID, issuer.Event{}); err != nil {
			t.Fatal(err)
		}
		w.wantVerify(token.AccessToken, nil)
		before := store.asked.Load()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := w.CatchUp(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		w.wantVerify(token.AccessToken, doorward.ErrRevoked)
		if n := store.asked.Load() - before; n < 1 || n > 50 {
			t.Errorf("50 calls at once read %d times", n)
		}
	}
}

// hanging is a store whose record of revocations does not answer while hang is set.
type hanging struct {
	issuer.Store
	hang chan struct{}
}

func (s *hanging) RevocationsSince(ctx context.Context, after issuer.Cursor) (issuer.RevocationPage, error) {
	if s.hang != nil {
		<-s.hang
	}
	return s.Store.RevocationsSince(ctx, after)
}

// Whoever waits for another's read waits no longer than it has time, and those who have waited share the next. In a
// bubble of time.
func TestCatchUpBehindAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &askedLog{Store: doorwardtest.NewStore()}
		s := &hanging{Store: log}
		w := newWorldWith(t, s, nil)
		s.hang = make(chan struct{})
		var reading sync.WaitGroup
		read := func() {
			if err := w.CatchUp(t.Context()); err != nil {
				t.Error(err)
			}
		}
		reading.Go(read)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begun := time.Now()
		if err := w.CatchUp(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		for range 50 {
			reading.Go(read)
		}
		time.Sleep(time.Millisecond)
		before := log.asked.Load()
		close(s.hang)
		if reading.Wait(); log.asked.Load() != before+2 {
			t.Errorf("one call and 50 behind it read %d times", log.asked.Load()-before)
		}
	})
}
