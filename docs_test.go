package doorward_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/remote"
)

// allow returns the request with its claims, or answers it and returns false.
func allow(v *doorward.Verifier, w http.ResponseWriter, r *http.Request, needs ...doorward.Need) (*http.Request, bool) {
	claims, refusal := v.Check(r, false, needs...)
	if refusal != nil {
		doorward.WriteRefusal(w, r, refusal)
		return r, false
	}
	return r.WithContext(doorward.WithClaims(r.Context(), claims)), true
}

// ask checks the metadata "authorization" of a call.
func ask(ctx context.Context, v *doorward.Verifier, method string, authorization []string, needs ...doorward.Need) (context.Context, *doorward.Refusal) {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: method}, Header: http.Header{"Authorization": authorization}}
	claims, refusal := v.Check(r.WithContext(ctx), false, needs...)
	return doorward.WithClaims(ctx, claims), refusal
}

// exchanged returns a session for a token of the old API.
func exchanged(r *http.Request, v *doorward.Verifier, secret *jwt.Key, iss *issuer.Issuer) (issuer.TokenSet, error) {
	raw, err := v.Token(r)
	if err != nil {
		return issuer.TokenSet{}, err
	}
	token, err := jwt.Verify(r.Context(), raw, secret, "JWT")
	if err != nil {
		return issuer.TokenSet{}, err
	}
	var claims struct {
		Subject string  `json:"sub"`
		Expires float64 `json:"exp"`
		Issued  float64 `json:"iat"`
	}
	if err := token.Decode(&claims); err != nil {
		return issuer.TokenSet{}, fmt.Errorf("%w: %w", doorward.ErrClaims, err)
	}
	if claims.Expires <= float64(time.Now().Unix()) { // also if it has none
		return issuer.TokenSet{}, doorward.ErrExpired
	}
	attempt, err := iss.Begin(r.Context(), claims.Subject)
	if err != nil {
		return issuer.TokenSet{}, err
	}
	// The time of the old login: this one is not recent.
	return iss.Login(r.Context(), attempt, issuer.LoginRequest{AuthTime: time.Unix(int64(claims.Issued), 0)})
}

// user is a row of your table.
type user struct {
	Active bool
	Tenant string
	Roles  []string
}

// people is your table, by an id that is random and never given to somebody else.
type people map[string]user

// Subject returns what the tokens of a user say.
func (p people) Subject(_ context.Context, id string) (issuer.Subject, error) {
	u, ok := p[id]
	if !ok {
		return issuer.Subject{}, issuer.ErrNotFound
	}
	return issuer.Subject{
		Active: u.Active, Roles: u.Roles, Scope: doorward.Scope{"orders:read"},
		Claims: map[string]any{"tenant": u.Tenant},
	}, nil
}

func bearer(t *testing.T, token string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestDocsOtherRouters(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.EdDSA, nil)
	for token, want := range map[string]int{s.token(t, nil): 200, "x": 401} {
		w := httptest.NewRecorder()
		r, ok := allow(s.v, w, bearer(t, token), doorward.HasScope("orders:read"))
		if _, has := doorward.ClaimsFrom(r.Context()); has != (want == 200) || ok != has || w.Code != want {
			t.Errorf("allowed %v, claims %v, status %d; want %d", ok, has, w.Code, want)
		}
		ctx, refusal := ask(t.Context(), s.v, "/shop.Orders/List", []string{"Bearer " + token}, doorward.HasScope("orders:read"))
		if _, has := doorward.ClaimsFrom(ctx); has != (want == 200) || (refusal == nil) != has || refusal != nil && refusal.Status != want {
			t.Errorf("asked: claims %v, refusal %+v; want %d", has, refusal, want)
		}
	}
	if _, refusal := ask(t.Context(), s.v, "/shop.Orders/List", nil); refusal == nil || !errors.Is(refusal.Err, doorward.ErrNoToken) {
		t.Errorf("without metadata: %+v", refusal)
	}
}

// home is an API with an issuer of its own, and its old secret.
func home(t *testing.T) (mux *http.ServeMux, iss *issuer.Issuer, v *doorward.Verifier) {
	t.Helper()
	iss, err := issuer.New(t.Context(), issuer.Config{
		Issuer: testIssuer, Store: doorwardtest.NewStore(), MasterKey: issuer.GenerateMasterKey(), Subjects: onlyAda{},
	})
	check(err)
	v, err = doorward.NewVerifier(doorward.Config{
		Issuer: testIssuer, Audience: testIssuer, Keys: iss.Keys(), Revocations: iss.Revocations(), Logger: quiet(),
	})
	check(err)
	return http.NewServeMux(), iss, v
}

func TestDocsTenant(t *testing.T) {
	t.Parallel()
	table := people{"u_1": {Active: true, Tenant: "red"}, "u_2": {Active: true}, "u_3": {Tenant: "red"}}
	iss, err := issuer.New(t.Context(), issuer.Config{
		Issuer: testIssuer, Store: doorwardtest.NewStore(), MasterKey: issuer.GenerateMasterKey(), Subjects: table,
	})
	check(err)
	v, err := doorward.NewVerifier(doorward.Config{
		Issuer: testIssuer, Audience: testIssuer, Keys: iss.Keys(), Revocations: iss.Revocations(), Logger: quiet(),
	})
	check(err)
	handler := v.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := doorward.ClaimsFrom(r.Context())
		var tenant string
		if _, err := claims.Extra("tenant", &tenant); err != nil || tenant == "" {
			v.Refuse(w, r, fmt.Errorf("%w: no tenant in the token", doorward.ErrRole)) // 403
			return
		}
		fmt.Fprint(w, tenant)
	}))
	login := func(w http.ResponseWriter, r *http.Request, id string, chosen map[string]any) (issuer.TokenSet, bool) {
		attempt, err := iss.Begin(r.Context(), id)
		var tokens issuer.TokenSet
		if err == nil {
			tokens, err = iss.Login(r.Context(), attempt, issuer.LoginRequest{Claims: chosen})
		}
		if err != nil {
			v.Refuse(w, r, err)
		}
		return tokens, err == nil
	}
	for _, tt := range []struct {
		id, tenant, want string
		status           int
	}{
		{"u_1", "", "red", 200},
		{"u_1", "blue", "red", 200},
		{"u_2", "", "insufficient_scope", 403},
		{"u_3", "", "invalid_credentials", 401},
		{"u_4", "", "invalid_credentials", 401},
		{"", "", "invalid_credentials", 401},
	} {
		w := httptest.NewRecorder()
		if tokens, ok := login(w, bearer(t, "x"), tt.id, map[string]any{"tenant": tt.tenant}); ok {
			handler.ServeHTTP(w, bearer(t, tokens.AccessToken))
		}
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%q: %d %s, want %d %s", tt.id, w.Code, w.Body, tt.status, tt.want)
		}
	}
	if _, ok := login(httptest.NewRecorder(), bearer(t, "x"), "u_1", map[string]any{"roles": "admin"}); ok {
		t.Error("the session has a claim that only the issuer sets")
	}
}

func TestDocsKeysForOthers(t *testing.T) {
	t.Parallel()
	mux, iss, _ := home(t)
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json") // remote.KeySet wants a type of JSON
		w.Header().Set("Cache-Control", "max-age=300")             // less than Config.PublishLead
		_ = json.NewEncoder(w).Encode(iss.JWKS())                  // the client may be gone
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	keys, err := remote.NewKeySet(remote.Config{URL: server.URL + "/.well-known/jwks.json"})
	check(err)
	defer keys.Close() //nolint:errcheck // it returns nil
	if err := keys.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDocsTests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // without it the clock is the real one
		iss := doorwardtest.NewIssuer(t)
		v := iss.Verifier() // for the API under test
		good, ended := iss.Token(map[string]any{"sub": "ann", "scope": "orders:read"}), iss.Token(nil)
		iss.Revoke(ended)
		_, err := v.Verify(t.Context(), ended) // doorward.ErrRevoked
		time.Sleep(10 * time.Minute)
		_, late := v.Verify(t.Context(), good) // doorward.ErrExpired
		if !errors.Is(err, doorward.ErrRevoked) || !errors.Is(late, doorward.ErrExpired) {
			t.Errorf("ended %v, late %v", err, late)
		}
		cfg := iss.Config()
		cfg.Revocations = doorward.NewRevocationSet(0)
		out, err := doorward.NewVerifier(cfg)
		check(err)
		if _, err := out.Verify(t.Context(), iss.Token(nil)); !errors.Is(err, doorward.ErrStale) {
			t.Errorf("error is %v, want ErrStale", err)
		}
	})
}

func TestDocsFromGolangJWT(t *testing.T) {
	t.Parallel()
	_, iss, v := home(t)
	oldSecret := []byte("Zr4u7x!A%D*G-KaPdSgVkYp3s6v9y$B&E")
	secret, err := jwt.NewKey(jwt.HS256, oldSecret) // 32 bytes at least, or ErrKey
	check(err)
	old, err := doorward.NewVerifier(doorward.Config{
		Issuer: "old-api", Audience: "old-api", Keys: secret, Revocations: doorward.NoRevocations,
		Types: []string{"JWT"}, RequireClaims: []string{"sub"}, // a claim that sets them apart, if the secret signs other tokens, too
		MaxLifetime: 7 * 24 * time.Hour,
	})
	check(err)
	both, err := doorward.AnyOf(v, old)
	check(err)

	now := time.Now().Unix()
	token := func(claims map[string]any) string { return sign(t, secret, "JWT", claims) }
	full := token(map[string]any{"sub": "ada", "iss": "old-api", "aud": "old-api", "iat": now - 3600, "exp": now + 6*24*3600})
	bare := token(map[string]any{"sub": "ada", "exp": now + 3600})
	if _, err := both.Verify(t.Context(), full); err != nil {
		t.Error(err)
	}
	if _, err := both.Verify(t.Context(), bare); !errors.Is(err, doorward.ErrIssuer) {
		t.Errorf("error is %v, want ErrIssuer", err)
	}
	for _, one := range []string{full, bare} {
		tokens, err := exchanged(bearer(t, one), v, secret, iss)
		check(err)
		if claims, err := both.Verify(t.Context(), tokens.AccessToken); err != nil || claims.Subject != "ada" {
			t.Errorf("claims %+v, %v", claims, err)
		}
		if _, refusal := v.Check(bearer(t, tokens.AccessToken), false, doorward.LoggedInWithin(time.Minute)); refusal == nil || !errors.Is(refusal.Err, doorward.ErrLoginAge) {
			t.Errorf("an exchanged token counts as a recent login: %+v", refusal)
		}
	}
	for bad, wantErr := range map[string]error{
		token(map[string]any{"sub": "ada", "exp": now - 1}): doorward.ErrExpired,
		token(map[string]any{"sub": "ada"}):                 doorward.ErrExpired,
		token(map[string]any{"sub": 1, "exp": now + 60}):    doorward.ErrClaims,
		token(map[string]any{"exp": now + 60}):              issuer.ErrInactive,
		bare + "x":                                          jwt.ErrSignature,
		"":                                                  doorward.ErrRequest,
	} {
		_, err := exchanged(bearer(t, bad), v, secret, iss)
		if !errors.Is(err, wantErr) {
			t.Errorf("%q: error is %v, want %v", bad, err, wantErr)
		}
		w, want := httptest.NewRecorder(), 401
		if bad == "" {
			want = 400
		}
		if v.Refuse(w, bearer(t, bad), err); w.Code != want {
			t.Errorf("%q: %d, want %d", bad, w.Code, want)
		}
	}
}

// The Go blocks of docs/go.md are in this file, line by line.
func TestDocsOfGo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/go.md")
	check(err)
	source, err := os.ReadFile("docs_test.go")
	check(err)
	has := make(map[string]bool)
	for line := range strings.Lines(string(source)) {
		has[strings.TrimSpace(line)] = true
	}
	blocks := strings.Split(string(text), "```go\n")[1:]
	if len(blocks) != 8 {
		t.Errorf("docs/go.md has %d Go blocks, want 8", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		for line := range strings.Lines(block) {
			if !has[strings.TrimSpace(line)] {
				t.Errorf("docs_test.go does not run this line of docs/go.md: %s", line)
			}
		}
	}
}
