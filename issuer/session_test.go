package issuer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// Standard_N04, N05, N06, N08: the claims of RFC 9068 §2.2.
func TestLoginMakesAnAccessToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *issuer.Config) { c.Username = true })
	proved := time.Now().Add(-time.Hour)
	set, err := w.loginWith("ada", issuer.LoginRequest{Claims: map[string]any{"tenant": "t1"}, AuthTime: proved})
	if err != nil {
		t.Fatal(err)
	}
	c := w.wantVerify(set.AccessToken, nil)
	if c.Subject != "ada" || set.Subject != "ada" || c.ClientID != issuer.FirstPartyClient || c.SessionID != set.SessionID || c.ID == "" {
		t.Errorf("claims = %+v", c)
	}
	if got := c.Scope.String(); got != "orders:read orders:write" {
		t.Errorf("scope = %q", got)
	}
	if !c.HasRole("editor") || c.AuthTime.Unix() != proved.Unix() {
		t.Errorf("roles = %v, auth_time = %v", c.Roles, c.AuthTime)
	}
	var tenant, name string
	if ok, err := c.Extra("tenant", &tenant); !ok || err != nil || tenant != "t1" {
		t.Errorf("tenant = %q, %v, %v", tenant, ok, err)
	}
	if ok, err := c.Extra("preferred_username", &name); !ok || err != nil || name != "Ada" {
		t.Errorf("preferred_username = %q, %v, %v", name, ok, err)
	}
	if again := w.wantVerify(w.mustRefresh(set.RefreshToken).AccessToken, nil); !again.AuthTime.Equal(c.AuthTime) {
		t.Errorf("auth_time %v after a refresh, want %v", again.AuthTime, c.AuthTime)
	}
	life := c.ExpiresAt.Sub(c.IssuedAt)
	if life < 9*time.Minute+29*time.Second || life > 10*time.Minute+31*time.Second {
		t.Errorf("lifetime = %v, want 10 minutes give or take 5 %%", life)
	}
	if set.ExpiresIn != life || set.TokenType != "Bearer" {
		t.Errorf("expires in %v, type %q", set.ExpiresIn, set.TokenType)
	}
}

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *issuer.Config) { c.Audiences = []string{"https://orders.example"} })
	w.people.set("bob", issuer.Subject{Name: "Bob"})
	tests := []struct {
		name    string
		subject string
		req     issuer.LoginRequest
		want    error
	}{
		{"unknown subject", "eve", issuer.LoginRequest{}, issuer.ErrInactive},
		{"disabled subject", "bob", issuer.LoginRequest{}, issuer.ErrInactive},
		{"empty subject", "", issuer.LoginRequest{}, issuer.ErrInactive},
		{"scope the subject does not have", "ada", issuer.LoginRequest{Scope: doorward.Scope{"admin"}}, issuer.ErrScope},
		{"unknown audience", "ada", issuer.LoginRequest{Audience: "https://evil.example"}, issuer.ErrAudience},
		{"Behaviour_B44 claim of the issuer", "ada", issuer.LoginRequest{Claims: map[string]any{"sub": "root"}}, issuer.ErrClaims},
		{"Behaviour_F36 claim that is no JSON", "ada", issuer.LoginRequest{Claims: map[string]any{"f": func() {}}}, issuer.ErrClaims},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set, err := w.loginWith(test.subject, test.req)
			if !errors.Is(err, test.want) || set.AccessToken != "" {
				t.Errorf("login: %v, want %v and no token", err, test.want)
			}
		})
	}
	set, err := w.loginWith("ada", issuer.LoginRequest{Audience: "https://orders.example"})
	if err != nil {
		t.Fatal(err)
	}
	w.wantVerify(set.AccessToken, doorward.ErrAudience)
}

// Whatever the audience of other services, a token for the issuer itself is to be had.
func TestAudienceOfTheIssuerItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *issuer.Config) { c.Audience = "orders" })
	w.wantVerify(w.login("ada").AccessToken, doorward.ErrAudience)
	set, err := w.loginWith("ada", issuer.LoginRequest{Audience: "orders"}) // as if none were named
	if err != nil {
		t.Fatal(err)
	}
	w.wantVerify(set.AccessToken, doorward.ErrAudience)
	set, err = w.loginWith("ada", issuer.LoginRequest{Audience: issuerURL})
	if err != nil {
		t.Fatal(err)
	}
	w.wantVerify(set.AccessToken, nil)
	set, err = w.Refresh(t.Context(), w.login("ada").RefreshToken, issuer.RefreshRequest{Audience: issuerURL})
	if err != nil {
		t.Fatal(err)
	}
	w.wantVerify(set.AccessToken, nil)
}

// A login whose password was checked before all sessions were ended comes to nothing.
func TestLoginInFlightDoesNotOutliveRevokeSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	attempt, err := w.Begin(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.RevokeSubject(t.Context(), "ada", issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Login(t.Context(), attempt, issuer.LoginRequest{}); !errors.Is(err, issuer.ErrEpoch) {
		t.Fatalf("login: %v, want ErrEpoch", err)
	}
	w.wantVerify(w.login("ada").AccessToken, nil)
}

func TestNoRefreshMakesAListedSessionWithoutRefreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	set, err := w.loginWith("ada", issuer.LoginRequest{NoRefresh: true})
	if err != nil || set.RefreshToken != "" {
		t.Fatalf("login: %v, refresh token %q", err, set.RefreshToken)
	}
	list, err := w.Sessions(t.Context(), issuer.SessionQuery{Subject: "ada", Live: true})
	if err != nil || len(list) != 1 || list[0].ID != set.SessionID {
		t.Fatalf("sessions = %+v, %v", list, err)
	}
	// It is over with its token: else a stream that began with that would go on for weeks, and it would count among its subject's sessions.
	if over := list[0].AbsoluteEnd.Sub(list[0].CreatedAt); over > 10*time.Minute || over < set.ExpiresIn {
		t.Errorf("a token of %v has a session of %v", set.ExpiresIn, over)
	}
	if err := w.RevokeSession(t.Context(), set.SessionID, issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	w.wantVerify(set.AccessToken, doorward.ErrRevoked)

	w = newWorld(t, func(c *issuer.Config) { c.AccessTTL, c.AbsoluteTTL = 2*time.Hour, time.Hour })
	if set, err = w.loginWith("ada", issuer.LoginRequest{NoRefresh: true}); err != nil || set.ExpiresIn > time.Hour {
		t.Errorf("a token of %v in sessions of an hour, %v", set.ExpiresIn, err)
	}
}

// Standard_S02, Standard_S03, Behaviour_B33, Behaviour_B34.
// It runs in bubbles.
func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, nil)
		first := w.login("ada")
		second := w.mustRefresh(first.RefreshToken)
		if second.RefreshToken == first.RefreshToken {
			t.Fatal("the token made by login was not rotated")
		}
		if second.SessionID != first.SessionID {
			t.Error("the session changed")
		}
		w.wantVerify(first.AccessToken, nil)
		again := w.mustRefresh(second.RefreshToken)
		if again.RefreshToken != second.RefreshToken {
			t.Error("a generation younger than the window was rotated")
		}
		time.Sleep(10 * time.Second)
		third := w.mustRefresh(second.RefreshToken)
		if third.RefreshToken == second.RefreshToken {
			t.Error("a generation older than the window was not rotated")
		}
		// Attack_F01: a token older than the predecessor ends the session.
		w.wantRefreshError(first.RefreshToken, issuer.ErrReuse)
		w.wantRefreshError(third.RefreshToken, issuer.ErrReuse)
		w.wantVerify(third.AccessToken, doorward.ErrRevoked)
	})
}

// Attack_F04, Behaviour_B35: one lost answer logs nobody out.
// It runs in bubbles.
func TestLostAnswerIsForgiven(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, nil)
		held := w.login("ada").RefreshToken
		for range 8 {
			w.mustRefresh(held) // This answer is lost.
			time.Sleep(time.Minute)
			late := w.mustRefresh(held) // Late: the successor is given out again.
			time.Sleep(time.Minute)
			held = w.mustRefresh(late.RefreshToken).RefreshToken
			time.Sleep(time.Minute)
			held = w.mustRefresh(held).RefreshToken // A clean generation.
			time.Sleep(time.Minute)
		}
	})
}

func TestStrictRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *issuer.Config) { c.StrictRefresh = true })
	first := w.login("ada")
	second := w.mustRefresh(first.RefreshToken)
	w.wantRefreshError(first.RefreshToken, issuer.ErrReuse)
	w.wantRefreshError(second.RefreshToken, issuer.ErrReuse)
}

func TestRefreshOfAGenerationTheStoreHasLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	set := w.login("ada")
	w.wantRefreshError(w.ForgeRefreshToken(set.RefreshToken, 7), issuer.ErrRollback)
	w.wantRefreshError(set.RefreshToken, issuer.ErrRollback)
	w.wantVerify(set.AccessToken, doorward.ErrRevoked)
}

// Every byte of a refresh token is authenticated, and the store is not asked.
func TestRefreshTokenIsAuthenticated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token := w.login("ada").RefreshToken
	mutants := []string{"", "dwr_", token + "A", token[:len(token)-1], strings.ToUpper(token), " " + token, token + "\n", "dwx_" + token[4:]}
	for i := range token {
		flipped := byte('A')
		if token[i] == flipped {
			flipped = 'B'
		}
		mutants = append(mutants, token[:i]+string(flipped)+token[i+1:])
	}
	for _, mutant := range mutants {
		w.wantRefreshError(mutant, issuer.ErrToken)
		if _, err := w.refresh(mutant); !errors.Is(err, issuer.ErrInvalidGrant) || issuer.RefreshReason(err) != "" {
			t.Fatalf("%v tells an outsider %q", err, issuer.RefreshReason(err))
		}
	}
	w.mustRefresh(token)
}

// Attack_F05, Attack_F07, Standard_S04, Standard_O15, Standard_O16.
func TestRefreshAsksAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *issuer.Config) { c.Audiences = []string{"https://orders.example"} })
	token := w.login("ada").RefreshToken

	_, err := w.Refresh(t.Context(), token, issuer.RefreshRequest{ClientID: "dwc_other"})
	if !errors.Is(err, issuer.ErrClient) || issuer.RefreshReason(err) != "" {
		t.Errorf("another client: %v", err)
	}
	_, err = w.Refresh(t.Context(), token, issuer.RefreshRequest{Audience: "https://evil.example"})
	if !errors.Is(err, issuer.ErrAudience) {
		t.Errorf("unknown audience: %v", err)
	}
	w.people.set("ada", issuer.Subject{Active: true, Roles: []string{"viewer"}, Scope: doorward.Scope{"orders:read", "billing"}})
	set := w.mustRefresh(token)
	claims := w.wantVerify(set.AccessToken, nil)
	if claims.HasRole("editor") || !claims.HasRole("viewer") || claims.Scope.String() != "orders:read billing" {
		t.Errorf("roles = %v, scope = %q: want today's, since the login named no scope", claims.Roles, claims.Scope)
	}
	for _, asked := range []doorward.Scope{{"orders:read"}, {}} {
		attempt, err := w.Begin(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		narrowed, err := w.Login(t.Context(), attempt, issuer.LoginRequest{Scope: asked})
		if err != nil {
			t.Fatal(err)
		}
		w.people.set("ada", issuer.Subject{Active: true, Scope: doorward.Scope{"billing", "orders:read", "more"}})
		if claims = w.wantVerify(w.mustRefresh(narrowed.RefreshToken).AccessToken, nil); claims.Scope.String() != asked.String() {
			t.Errorf("scope = %q, want %q: no scope beyond the one that the login named", claims.Scope, asked)
		}
	}
	w.people.set("ada", issuer.Subject{})
	w.wantRefreshError(set.RefreshToken, issuer.ErrInactive)
}

// Attack_F12: a user table that does not answer is nobody's fault: no login reads that its password is wrong, and no
// session is spent or refused.
func TestSubjectsThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	set, down := w.login("ada"), errors.New("no route to host")
	w.people.fail(down)
	_, login := w.loginWith("ada", issuer.LoginRequest{})
	_, refresh := w.refresh(set.RefreshToken)
	for name, err := range map[string]error{"login": login, "refresh": refresh} {
		if !errors.Is(err, down) || errors.Is(err, issuer.ErrInactive) || errors.Is(err, issuer.ErrCredentials) || errors.Is(err, issuer.ErrInvalidGrant) {
			t.Errorf("%s: %v, want %v", name, err, down)
		}
	}
	w.people.fail(nil)
	w.mustRefresh(set.RefreshToken)
}

// Attack_F05: another client ends no session with a token of it, spent or newer than the store, and is not told how one
// ended. In a bubble of time.
func TestRefreshByAnotherClient(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, nil)
		refused := func(token string) {
			t.Helper()
			_, err := w.Refresh(t.Context(), token, issuer.RefreshRequest{ClientID: "dwc_other"})
			if !errors.Is(err, issuer.ErrClient) || issuer.RefreshReason(err) != "" {
				t.Errorf("%v, reason %q, want ErrClient and none", err, issuer.RefreshReason(err))
			}
		}
		own, err := w.loginWith("ada", issuer.LoginRequest{ClientID: "dwc_own"})
		if err != nil {
			t.Fatal(err)
		}
		refused(own.RefreshToken)
		w.wantRefreshError(own.RefreshToken, issuer.ErrClient)
		next, err := w.Refresh(t.Context(), own.RefreshToken, issuer.RefreshRequest{ClientID: "dwc_own"})
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range []issuer.TokenSet{own, next} {
			if c := w.wantVerify(set.AccessToken, nil); c.ClientID != "dwc_own" || set.Subject != "ada" {
				t.Errorf("client_id %q, subject %q", c.ClientID, set.Subject)
			}
		}
		first := w.login("ada")
		second := w.mustRefresh(first.RefreshToken)
		time.Sleep(time.Minute)
		third := w.mustRefresh(second.RefreshToken)
		time.Sleep(time.Minute)
		before, err := w.Sessions(t.Context(), issuer.SessionQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{first.RefreshToken, second.RefreshToken, third.RefreshToken, w.ForgeRefreshToken(first.RefreshToken, 9)} {
			refused(token)
		}
		after, err := w.Sessions(t.Context(), issuer.SessionQuery{})
		if diff := cmp.Diff(before, after); diff != "" || err != nil {
			t.Errorf("the session changed, %v (-before +after):\n%s", err, diff)
		}
		w.wantRefreshError(first.RefreshToken, issuer.ErrReuse)
		refused(third.RefreshToken)
	})
}

// TestRefreshIsLimited runs in bubbles.
func TestRefreshIsLimited(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		w := newWorld(t, func(c *issuer.Config) { c.RefreshLimit = 3 })
		token := w.login("ada").RefreshToken
		for range 3 {
			token = w.mustRefresh(token).RefreshToken
		}
		w.wantRefreshError(token, issuer.ErrTooMany)
		time.Sleep(time.Minute)
		w.mustRefresh(token)
	})
}

// Attack_F02 in its short form: parallel refreshes leave one successor and nobody out.
func TestParallelRefreshes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *issuer.Config) { c.RefreshLimit = 200 })
	token := w.login("ada").RefreshToken
	const callers = 50
	got := make(chan string, callers)
	for range callers {
		go func() {
			set, err := w.refresh(token)
			if err != nil {
				t.Errorf("refresh: %v", err)
			}
			got <- set.RefreshToken
		}()
	}
	successors := map[string]int{}
	for range callers {
		successors[<-got]++
	}
	if len(successors) != 1 || successors[token] != 0 {
		t.Errorf("%d successors, of which the token itself %d times; want one other", len(successors), successors[token])
	}
}

// Attack_F09, Behaviour_B36, Standard_V06.
func TestLogout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		byAccess, byRefresh, other := w.login("ada"), w.login("ada"), w.login("ada")
		for range 2 { // The second time changes nothing.
			if err := w.Logout(t.Context(), byAccess.AccessToken, issuer.Event{}); err != nil {
				t.Fatal(err)
			}
			if err := w.Logout(t.Context(), byRefresh.RefreshToken, issuer.Event{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, set := range []issuer.TokenSet{byAccess, byRefresh} {
			w.wantVerify(set.AccessToken, doorward.ErrRevoked)
			w.wantRefreshError(set.RefreshToken, issuer.ErrSessionEnded)
		}
		w.wantVerify(other.AccessToken, nil)

		set := w.login("ada")
		time.Sleep(time.Hour)
		w.wantVerify(set.AccessToken, doorward.ErrExpired)
		if err := w.Logout(t.Context(), set.AccessToken, issuer.Event{}); err != nil {
			t.Errorf("logout with an expired token: %v", err)
		}
		w.wantRefreshError(set.RefreshToken, issuer.ErrSessionEnded)

		renamed := w.cfg
		renamed.Issuer = "https://other.example"
		elsewhere, err := issuer.New(t.Context(), renamed)
		if err != nil {
			t.Fatal(err)
		}
		if err := elsewhere.Logout(t.Context(), other.AccessToken, issuer.Event{}); !errors.Is(err, issuer.ErrToken) {
			t.Errorf("logout at another issuer: %v, want ErrToken", err)
		}
		for _, stranger := range []string{"", "dwr_", "a.b.c", other.AccessToken + "A"} {
			if err := w.Logout(t.Context(), stranger, issuer.Event{}); !errors.Is(err, issuer.ErrToken) {
				t.Errorf("logout with %q: %v, want ErrToken", stranger, err)
			}
		}
	})
}

// Behaviour_B39: what was revoked stays revoked after a restart.
func TestRevocationsSurviveARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	w := newWorldOn(t, path, nil)
	ended, live := w.login("ada"), w.login("ada")
	if err := w.Logout(t.Context(), ended.AccessToken, issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	if err := w.cfg.Store.(*sqlite.Store).Close(); err != nil {
		t.Fatal(err)
	}
	again := newWorldOn(t, path, nil)
	again.wantVerify(ended.AccessToken, doorward.ErrRevoked)
	again.wantRefreshError(ended.RefreshToken, issuer.ErrSessionEnded)
	again.wantVerify(live.AccessToken, nil)
	again.mustRefresh(live.RefreshToken)
}

// Attack_F10: cut-offs have an exact order, also within one second.
func TestRevokeSubjectHasAnExactOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	defer w.start(t)() // On a slow machine it takes longer than what is known of revocations stays fresh.
	for range 200 {
		before := w.login("ada")
		if err := w.RevokeSubject(t.Context(), "ada", issuer.Event{}); err != nil {
			t.Fatal(err)
		}
		after := w.login("ada")
		w.wantVerify(before.AccessToken, doorward.ErrRevoked)
		w.wantVerify(after.AccessToken, nil)
	}
}

// An id that a program has lost on the way ends nothing, and nobody is told that it did.
func TestRevokeNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, revoke := range map[string]func(context.Context, string, issuer.Event) error{
		"session": w.RevokeSession, "subject": w.RevokeSubject, "client": w.RevokeClient, "key": w.RevokeKey,
	} {
		if err := revoke(t.Context(), "", issuer.Event{}); !errors.Is(err, issuer.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
	if err := w.RevokeSubject(t.Context(), "never seen", issuer.Event{}); err != nil {
		t.Errorf("a subject without sessions: %v", err)
	}
}

// Attack_F12, Behaviour_B38: without Run nobody follows the store, and the tokens are refused.
func TestWithoutRunVerifiersGoStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		set := w.login("ada")
		time.Sleep(time.Minute + time.Second)
		w.wantVerify(set.AccessToken, doorward.ErrStale)
	})
}

// What one process revokes, another refuses.
func TestRunFollowsOtherProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	here, there := newWorldOn(t, path, nil), newWorldOn(t, path, nil)
	done := make(chan error, 1)
	go func() { done <- there.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})

	set := here.login("ada")
	there.wantVerify(set.AccessToken, nil)
	if err := here.Logout(t.Context(), set.AccessToken, issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	kid, err := here.RotateKey(t.Context(), issuer.Event{})
	if err != nil {
		t.Fatal(err)
	}
	within(t, 2*time.Second, "the logout holds in the other process", func() bool {
		_, err := there.verifier.Verify(t.Context(), set.AccessToken)
		return errors.Is(err, doorward.ErrRevoked)
	})
	within(t, 2*time.Second, "the new key is in the other process's set", func() bool {
		_, err := there.Keys().Key(t.Context(), kid)
		return err == nil
	})
}

// busyPruning is a store in which there is so much to delete that it never ends.
type busyPruning struct{ issuer.Store }

func (busyPruning) Prune(ctx context.Context) (int64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// Attack_F12: what has expired and waits to be deleted keeps nobody from hearing of revocations.
func TestRunFollowsWhilePruning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "doorward.db")
		here := newWorldOn(t, path, nil)
		there := newWorldOn(t, path, func(c *issuer.Config) { c.Store = busyPruning{c.Store} })
		stop := there.start(t)
		set, ended := here.login("ada"), here.login("ada")
		time.Sleep(2 * time.Minute)
		there.wantVerify(set.AccessToken, nil)
		if err := here.Logout(t.Context(), ended.AccessToken, issuer.Event{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		there.wantVerify(ended.AccessToken, doorward.ErrRevoked)
		stop()
	})
}

// pruned is a store that counts how often it is pruned, and fails the first time. The third time takes as long as its caller lives,
// and a second more.
type pruned struct {
	issuer.Store
	began, ended atomic.Int64
}

// Prune runs in a bubble of time.
func (s *pruned) Prune(ctx context.Context) (int64, error) {
	defer s.ended.Add(1)
	switch s.began.Add(1) {
	case 1:
		return 0, issuer.ErrUnavailable
	case 3:
		<-ctx.Done()
		time.Sleep(time.Second)
	}
	return 0, ctx.Err()
}

// Run deletes at once and each hour, or after a minute if that failed, and leaves nothing behind that still deletes. In a
// bubble of time.
func TestRunPrunes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &pruned{Store: doorwardtest.NewStore()}
		stop := newWorldWith(t, s, nil).start(t)
		for _, step := range []struct {
			wait time.Duration
			want int64
		}{{time.Second, 1}, {58 * time.Second, 1}, {2 * time.Second, 2}, {59 * time.Minute, 2}, {time.Minute, 3}} {
			time.Sleep(step.wait)
			if got := s.began.Load(); got != step.want {
				t.Errorf("%v later it was pruned %d times, want %d", step.wait, got, step.want)
			}
		}
		stop()
		if s.ended.Load() != 3 {
			t.Error("Run returned, and something still deletes")
		}
	})
}

// Attack_F12, Behaviour_B38: that the store does not answer is said once, and so are that tokens cannot be judged any more
// and that all is well again. What cannot be written is no better than what cannot be read. In a bubble of time.
func TestRunTellsOfTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		store := &unread{Store: doorwardtest.NewStore()}
		w := newWorldWith(t, store, func(c *issuer.Config) {
			c.Logger, c.KeyTTL, c.PublishLead = slog.New(slog.NewTextHandler(&logs, nil)), time.Hour, 10*time.Minute
		})
		stop := w.start(t)
		for n, step := range []struct {
			down int32
			wait time.Duration
			want []string
		}{
			{up, 5 * time.Minute, nil},
			{notWaitedFor, 50 * time.Second, []string{"level=ERROR msg=\"the store cannot be read; trying again\""}},
			{notWaitedFor, 5 * time.Minute, []string{"level=ERROR msg=\"revocations are out of date"}},
			{up, 5 * time.Minute, []string{"level=INFO msg=\"the store can be read again\"", "level=INFO msg=\"revocations are up to date again\""}},
			{notRead, 50 * time.Second, []string{"level=ERROR msg=\"the store cannot be read; trying again\""}},
			{up, 31 * time.Minute, []string{"level=INFO msg=\"the store can be read again\""}},
			{notWritten, 5 * time.Minute, []string{"level=ERROR msg=\"the store cannot be read; trying again\""}}, // a key is due
			{up, 270 * time.Second, []string{"level=INFO msg=\"the store can be read again\""}},
			{noKeys, 5 * time.Second, []string{"level=ERROR msg=\"the store cannot be read; trying again\""}},
		} {
			logs.Reset()
			store.asked.Store(0)
			store.down.Store(step.down)
			time.Sleep(step.wait)
			synctest.Wait()
			if strings.Count(logs.String(), "\n") != len(step.want) {
				t.Errorf("%d: want %d lines of\n%s", n, len(step.want), logs.String())
			}
			if n := time.Duration(store.asked.Load()); step.down != up && (n*5*time.Second < step.wait || n*750*time.Millisecond > step.wait) {
				t.Errorf("asked %d times in %v", n, step.wait)
			}
			for _, part := range step.want {
				if !strings.Contains(logs.String(), part) {
					t.Errorf("%d: the log lacks %s:\n%s", n, part, logs.String())
				}
			}
		}
		stop()
	})
}

// unread is a store of which a part does not answer while it is down. It counts how often it is asked then.
type unread struct {
	issuer.Store
	down  atomic.Int32 // one of the following
	asked atomic.Int64
}

const (
	up int32 = iota
	notWaitedFor
	notRead
	notWritten
	noKeys
)

func (s *unread) WaitChange(ctx context.Context) error {
	if s.down.Load() != notWaitedFor {
		return s.Store.WaitChange(ctx)
	}
	return s.refuse(ctx)
}

func (s *unread) RevocationsSince(ctx context.Context, after issuer.Cursor) (issuer.RevocationPage, error) {
	if s.down.Load() != notRead {
		return s.Store.RevocationsSince(ctx, after)
	}
	return issuer.RevocationPage{}, s.refuse(ctx)
}

func (s *unread) KeyRing(ctx context.Context) (issuer.KeyRing, error) {
	if s.down.Load() != noKeys {
		return s.Store.KeyRing(ctx)
	}
	return issuer.KeyRing{}, s.refuse(ctx)
}

func (s *unread) SwapKeys(ctx context.Context, rev int64, keys []issuer.StoredKey, revoked []string, ev issuer.Event) error {
	if s.down.Load() != notWritten {
		return s.Store.SwapKeys(ctx, rev, keys, revoked, ev)
	}
	return s.refuse(ctx)
}

func (s *unread) refuse(ctx context.Context) error {
	if s.asked.Add(1) > 1000 {
		<-ctx.Done()
	}
	return issuer.ErrUnavailable
}

func TestTokenSetPrintsNoToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	set := w.login("ada")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, secret := range []any{set, &set, masterKey, []any{set, masterKey}} {
			text := fmt.Sprintf(verb, secret)
			if strings.Contains(text, set.AccessToken) || strings.Contains(text, set.RefreshToken) || strings.Contains(text, masterKey.Text()) {
				t.Errorf("%s prints a secret: %s", verb, text)
			}
		}
	}
}

// Standard_O08, Behaviour_B58.
func TestRespond(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	set := w.login("ada")
	answer := httptest.NewRecorder()
	if err := set.Respond(answer); err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"access_token": set.AccessToken, "token_type": "Bearer", "expires_in": set.ExpiresIn.Seconds(),
		"refresh_token": set.RefreshToken, "scope": "orders:read orders:write",
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
	if got := answer.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q", got)
	}
}

// within waits for a condition that another goroutine brings about.
func within(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// What the store says of a failure is not said again.
func TestFailuresAreSaidOnce(t *testing.T) {
	t.Parallel()
	store := openSQLite(t, filepath.Join(t.TempDir(), "doorward.db"))
	w := newWorldWith(t, store, nil)
	attempt, err := w.Begin(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	grant, err := w.BeginGrant(t.Context(), "ada", "dwc_1")
	if err != nil {
		t.Fatal(err)
	}
	set, err := w.Login(t.Context(), attempt, issuer.LoginRequest{})
	if err = errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	for what, do := range map[string]func() error{
		"login": func() error { _, err := w.Login(t.Context(), attempt, issuer.LoginRequest{}); return err },
		"grant": func() error {
			_, err := w.Grant(t.Context(), grant, issuer.GrantRequest{Holder: issuer.Subject{Active: true}})
			return err
		},
		"refresh": func() error { _, err := w.Refresh(t.Context(), set.RefreshToken, issuer.RefreshRequest{}); return err },
		"session": func() error { _, _, err := w.SessionOf(t.Context(), set.RefreshToken); return err },
		"end":     func() error { return w.RevokeSession(t.Context(), set.SessionID, issuer.Event{}) },
		"rotate":  func() error { _, err := w.RotateKey(t.Context(), issuer.Event{}); return err },
	} {
		err := do()
		said := strings.Split(err.Error(), ": ")
		if once := slices.Compact(slices.Clone(said)); !errors.Is(err, issuer.ErrUnavailable) || len(once) != len(said) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
