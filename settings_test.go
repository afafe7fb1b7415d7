package doorward_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// Behaviour_B40: a verifier accepts what its configuration said when it was made: nothing is added, and what
// happens to the caller's lists later changes nothing.
func TestSettingsAreCopied(t *testing.T) {
	t.Parallel()
	types, required := []string{"JWT"}, []string{"client_id"}
	extractors := []doorward.Extractor{doorward.Header("X-Token")}
	old, next := newKey(t, jwt.EdDSA), newKey(t, jwt.EdDSA)
	keys := []*jwt.Key{old}
	set, err := jwt.NewSet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) {
		c.Types, c.RequireClaims, c.Extractors, c.Keys = types, required, extractors, set
	})
	types[0], required[0], extractors[0], keys[0] = "at+jwt", "sub", doorward.BearerHeader(), next
	for _, tt := range []struct {
		name, token string
		wantErr     error
	}{
		{"as configured", sign(t, old, "JWT", goodClaims()), nil},
		{"a type set later", sign(t, old, "at+jwt", goodClaims()), jwt.ErrType},
		{"a claim required no longer", sign(t, old, "JWT", changed(map[string]any{"client_id": remove})), doorward.ErrClaims},
		{"a key put in later", sign(t, next, "JWT", goodClaims()), jwt.ErrKey},
	} {
		if _, err := s.v.Verify(t.Context(), tt.token); !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.wantErr)
		}
	}
	for name, want := range map[string]int{"X-Token": http.StatusOK, "Authorization": http.StatusUnauthorized} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set(name, map[string]string{"X-Token": "", "Authorization": "Bearer "}[name]+sign(t, old, "JWT", goodClaims()))
		w := httptest.NewRecorder()
		s.v.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("a token in %s: %d, want %d", name, w.Code, want)
		}
	}
	needs := []doorward.Need{doorward.HasScope("admin")}
	admin := newSubject(t, jwt.EdDSA, nil)
	guard := admin.v.Require(needs...)
	needs[0] = doorward.YoungWhenStale(0)
	if got := statusOf(guard, admin.token(t, nil)); got != http.StatusForbidden {
		t.Errorf("a need taken away later: %d", got)
	}
}

// Behaviour_B40, Behaviour_F39: after the change from a shared secret to a key pair only tokens of the key pair
// pass, under the same kid too. The two cannot be in one set.
func TestAlgorithmChanged(t *testing.T) {
	t.Parallel()
	secret := newSubject(t, jwt.HS256, nil)
	pair := newSubject(t, jwt.RS256, nil)
	same, err := secret.key.WithID(pair.key.ID())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		key   *jwt.Key
		want  error
		check *doorward.Verifier
	}{
		{"old token before", secret.key, nil, secret.v},
		{"old token after", secret.key, jwt.ErrKey, pair.v},
		{"old token with the new kid", same, jwt.ErrKey, pair.v},
		{"new token", pair.key, nil, pair.v},
		{"new token where the change is not known", pair.key, jwt.ErrKey, secret.v},
	} {
		if _, err := tt.check.Verify(t.Context(), sign(t, tt.key, "at+jwt", goodClaims())); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := jwt.NewSet(secret.key, pair.key); !errors.Is(err, jwt.ErrKey) {
		t.Errorf("a set of both: %v, want ErrKey", err)
	}
}

// Behaviour_F27: a key set of one's own finds the key. It is asked with the kid alone: before the signature is
// checked nothing else of a token is worth asking about.
func TestOwnKeySet(t *testing.T) {
	t.Parallel()
	right, wrong := newKey(t, jwt.HS256), newKey(t, jwt.HS256)
	right, err := right.WithID("k1")
	if err != nil {
		t.Fatal(err)
	}
	if wrong, err = wrong.WithID("k1"); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		answer *jwt.Key
		want   error
	}{"the key that signed": {right, nil}, "another of its name": {wrong, jwt.ErrSignature}} {
		var asked []string
		s := newSubject(t, jwt.HS256, func(c *doorward.Config) {
			c.Keys = keysFunc(func(_ context.Context, kid string) (*jwt.Key, error) {
				asked = append(asked, kid)
				return tt.answer, nil
			})
		})
		_, err := s.v.Verify(t.Context(), sign(t, right, "at+jwt", goodClaims()))
		if !errors.Is(err, tt.want) || fmt.Sprint(asked) != "[k1]" {
			t.Errorf("%s: %v, want %v; asked for %q", name, err, tt.want, asked)
		}
	}
}

// Behaviour_F97: what is revoked passes where a verifier was told so by name, and nowhere else.
func TestWithoutRevocations(t *testing.T) {
	t.Parallel()
	revoked := doorward.NewRevocationSet(0)
	revoked.Add(doorward.Revocation{Kind: doorward.KindSession, ID: testSession})
	s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Revocations = revoked })
	blind := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Keys = s.key })
	for name, tt := range map[string]struct {
		v    *doorward.Verifier
		want error
	}{"asks": {s.v, doorward.ErrRevoked}, "does not ask": {blind.v, nil}} {
		if _, err := tt.v.Verify(t.Context(), s.token(t, nil)); !errors.Is(err, tt.want) {
			t.Errorf("a verifier that %s: %v, want %v", name, err, tt.want)
		}
	}
}

// Behaviour_F17: a claim that is nobody's business here stays readable.
func TestClaimNamedType(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.HS256, nil)
	c, err := s.v.Verify(t.Context(), s.token(t, map[string]any{"type": "app"}))
	if err != nil {
		t.Fatal(err)
	}
	var typ string
	if found, err := c.Extra("type", &typ); !found || err != nil || typ != "app" {
		t.Errorf("type %q, %v, %v", typ, found, err)
	}
}
