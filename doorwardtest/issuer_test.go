package doorwardtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/jwt"
)

func TestIssuer(t *testing.T) {
	t.Parallel()
	iss := doorwardtest.NewIssuer(t)
	v := iss.Verifier()
	stranger, err := jwt.GenerateKey(jwt.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	ended := iss.Token(nil)
	iss.Revoke(ended)
	endedSubject := iss.Token(map[string]any{"sub": "bob"})
	iss.RevokeSubject("bob")
	rotated := iss.Token(nil)
	iss.RotateKey()
	tests := []struct {
		name    string
		token   string
		wantErr error
	}{
		{"good", iss.Token(map[string]any{"sub": "ann", "scope": "a b"}), nil},
		{"signed before the rotation", rotated, nil},
		{"a new session of a subject whose sessions were ended", iss.Token(map[string]any{"sub": "bob"}), nil},
		{"expired", iss.Token(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), doorward.ErrExpired},
		{"expired, as an int", iss.Token(map[string]any{"exp": 1_000_000_000}), doorward.ErrExpired},
		{"expired, as a time", iss.Token(map[string]any{"exp": time.Now().Add(-time.Minute)}), doorward.ErrExpired},
		{"good until a time", iss.Token(map[string]any{"exp": time.Now().Add(time.Minute), "auth_time": time.Now().Add(-time.Hour)}), nil},
		{"from a time on", iss.Token(map[string]any{"nbf": time.Now().Add(time.Minute)}), doorward.ErrNotYet},
		{"made at a time", iss.Token(map[string]any{"iat": time.Now().Add(time.Minute)}), doorward.ErrNotYet},
		{"another audience", iss.Token(map[string]any{"aud": "https://other.example.com"}), doorward.ErrAudience},
		{"another issuer", iss.Token(map[string]any{"iss": "https://other.example.com"}), doorward.ErrIssuer},
		{"no exp", iss.Token(map[string]any{"exp": nil}), doorward.ErrClaims},
		{"an ID token", iss.TokenOf(stranger, "JWT", nil), jwt.ErrKey},
		{"a stranger's key", iss.TokenOf(stranger, "at+jwt", nil), jwt.ErrKey},
		{"ended", ended, doorward.ErrRevoked},
		{"of a subject whose sessions were ended", endedSubject, doorward.ErrRevoked},
	}
	for _, tt := range tests {
		claims, err := v.Verify(t.Context(), tt.token)
		if !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: error is %v, want %v", tt.name, err, tt.wantErr)
		}
		if tt.name == "good" && (claims == nil || claims.Subject != "ann" || !claims.Scope.Has("b")) {
			t.Errorf("claims are %+v", claims)
		}
	}
}

// In a bubble of testing/synctest an issuer must not wait for the network, or no time passes there.
func TestIssuerInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := doorwardtest.NewIssuer(t)
		v := iss.Verifier()
		token := iss.Token(nil)
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, doorward.ErrExpired) {
			t.Errorf("error is %v, want ErrExpired", err)
		}
	})
}

func TestIssuerServesItsKeys(t *testing.T) {
	t.Parallel()
	iss := doorwardtest.NewIssuer(t)
	iss.RotateKey()
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(get(t, iss.URL()+"/.well-known/oauth-authorization-server"), &metadata); err != nil {
		t.Fatal(err)
	}
	if metadata.Issuer != iss.URL() {
		t.Errorf("issuer is %q, want %q", metadata.Issuer, iss.URL())
	}
	set, err := jwt.ParseSet(get(t, metadata.JWKSURI))
	if err != nil || len(set.Keys()) != 2 {
		t.Fatalf("key set %v, %v", set, err)
	}
	cfg := iss.Config()
	cfg.Keys = set
	v, err := doorward.NewVerifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), iss.Token(nil)); err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", url, resp.Status, err)
	}
	return body
}

func ExampleNewIssuer() {
	var t *testing.T // that of your test

	iss := doorwardtest.NewIssuer(t)
	handler := iss.Verifier().Require(doorward.HasScope("orders:read"))(http.NotFoundHandler()) // yours
	token := iss.Token(map[string]any{"sub": "ann", "scope": "orders:read"})

	r := httptest.NewRequest(http.MethodGet, "/orders", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	handler.ServeHTTP(httptest.NewRecorder(), r)
}
