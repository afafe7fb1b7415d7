package remote_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/remote"
)

// recorded is what one kind of issuer published and signed at the beginning of 2000, when the clock of a bubble begins.
// The keys were made for these files and thrown away.
type recorded struct {
	Issuer    string                     `json:"issuer"`
	Documents map[string]json.RawMessage `json:"documents"` // by URL
	Token     string                     `json:"token"`
	IDToken   string                     `json:"id_token"`
}

// kinds are the issuers and what a verifier must be told to take their access tokens, and nothing else of theirs.
var kinds = map[string]struct {
	audience       string
	types, require []string
	subject        string
	scope          doorward.Scope
	extra          string // a claim that the service reads itself
}{
	"doorward": {audience: "https://orders.example", subject: "01b4c1d0f3a64f0e9a3c", scope: doorward.Scope{"orders:read"}, extra: "preferred_username"},
	"keycloak": {
		"orders",
		[]string{"JWT"},
		[]string{"azp", "scope"}, // Keycloak's ID tokens have azp, but no scope
		"f3b0c442-98fc-4c14-9afb-f4c8996fb924",
		doorward.Scope{"openid", "profile", "email"},
		"realm_access",
	},
	"auth0": {
		"https://orders.example",
		[]string{"JWT"},
		[]string{"azp", "scope"},
		"auth0|507f1f77bcf86cd799439020",
		doorward.Scope{"openid", "profile", "orders:read"},
		"permissions",
	},
	"supabase": {
		"authenticated",
		[]string{"JWT"},
		[]string{"session_id", "role"},
		"2b1f4e8a-5c6d-4e7f-8a9b-0c1d2e3f4a5b", nil, "app_metadata",
	},
}

func record(t *testing.T, name string) recorded {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "issuers", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.Unmarshal(text, &r); err != nil || r.Token == "" || len(r.Documents) != 2 {
		t.Fatalf("%s: %v, %d documents", name, err, len(r.Documents))
	}
	return r
}

// verifier knows of the issuer its name alone: keys come by discovery.
func (r recorded) verifier(t *testing.T, name string) (*doorward.Verifier, *fixture) {
	t.Helper()
	f := newFixture(t, func(c *remote.Config) { c.URL, c.Issuer = "", r.Issuer })
	f.set(func(q *http.Request) (*http.Response, error) {
		if text, ok := r.Documents[q.URL.String()]; ok {
			return response(200, string(text)), nil
		}
		return response(404, ""), nil
	})
	k := kinds[name]
	v, err := doorward.NewVerifier(doorward.Config{
		Issuer: r.Issuer, Audience: k.audience, Keys: f.keys, Types: k.types, RequireClaims: k.require,
		Revocations: doorward.NoRevocations,
	})
	if err != nil {
		t.Fatal(err)
	}
	return v, f
}

// One service takes the tokens of Doorward, Keycloak, Auth0 and Supabase: each verifier alone takes its own, joined they
// take all four, and nobody's ID token passes.
func TestIssuers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records, verifiers := map[string]recorded{}, map[string]*doorward.Verifier{}
		var all []*doorward.Verifier
		for name := range kinds {
			records[name] = record(t, name)
			v, _ := records[name].verifier(t, name)
			verifiers[name] = v
			all = append(all, v)
		}
		any4, err := doorward.AnyOf(all...)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for name, r := range records {
			want := kinds[name]
			for _, v := range []*doorward.Verifier{verifiers[name], any4} {
				c, err := v.Verify(t.Context(), r.Token)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				var extra any
				if found, err := c.Extra(want.extra, &extra); !found || err != nil {
					t.Errorf("%s: claim %s: %v, %v", name, want.extra, found, err)
				}
				if c.Issuer != r.Issuer || c.Subject != want.subject || c.Scope.String() != want.scope.String() {
					t.Errorf("%s: %v %v %q", name, c.Issuer, c.Subject, c.Scope)
				}
				if r.IDToken == "" {
					continue
				}
				if _, err := v.Verify(t.Context(), r.IDToken); !errors.Is(err, doorward.ErrClaims) {
					t.Errorf("%s: an ID token: %v", name, err)
				}
			}
			for other, v := range verifiers {
				if _, err := v.Verify(t.Context(), r.Token); other != name && !errors.Is(err, jwt.ErrKey) {
					t.Errorf("%s takes a token of %s: %v", other, name, err)
				}
			}
		}
	})
}

// Attack_G04 as a client sees it: an issuer that is down is a 503 for its own new tokens only.
func TestIssuerDownIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, away := record(t, "doorward"), record(t, "keycloak")
		a, _ := up.verifier(t, "doorward")
		b, f := away.verifier(t, "keycloak")
		f.set(slow(time.Hour, down))
		v, err := doorward.AnyOf(b, a)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), up.Token); err != nil {
			t.Errorf("the first token of the issuer that is up: %v", err)
		}
		time.Sleep(time.Minute)
		begin := time.Now()
		if _, err := v.Verify(t.Context(), up.Token); err != nil || time.Since(begin) != 0 {
			t.Errorf("the issuer that is up: %v after %v", err, time.Since(begin))
		}
		if _, err := v.Verify(t.Context(), away.Token); !errors.Is(err, doorward.ErrNoKeys) {
			t.Errorf("the issuer that is down: %v", err)
		}
	})
}

// A key that the issuer withdraws takes its tokens with it, out of the verifier's cache too: Attack_A20.
func TestWithdrawnKeyLeavesTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t, "doorward")
		v, f := r.verifier(t, "doorward")
		for range 3 {
			if _, err := v.Verify(t.Context(), r.Token); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.keys.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Documents[r.Issuer+"/.well-known/jwks.json"] = json.RawMessage(kids(t, "another"))
		time.Sleep(5 * time.Minute) // the default max-age
		if _, err := v.Verify(t.Context(), r.Token); err != nil {
			t.Errorf("the token that has the set fetched: %v", err)
		}
		synctest.Wait()
		if _, err := v.Verify(t.Context(), r.Token); !errors.Is(err, jwt.ErrKey) || errors.Is(err, doorward.ErrNoKeys) {
			t.Errorf("after the fetch: %v", err)
		}
	})
}
