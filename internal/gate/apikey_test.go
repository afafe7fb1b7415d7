package gate_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/issuer"
)

// keyWorld is a world in which u_carl has keys.
type keyWorld struct {
	*world
	keys *account.APIKeys
}

func newKeyWorld(t *testing.T) *keyWorld {
	t.Helper()
	w := newWorld(t)
	_, err := w.store.CreateRole(t.Context(), "staff", []string{"reports:read", "reports:write"}, issuer.Event{})
	must(t, err)
	_, err = w.store.CreateUser(t.Context(), account.UserRow{ID: "u_carl", Name: "Carl", Canonical: "carl", Hash: "$", Roles: []string{"staff"}}, issuer.Event{})
	must(t, err)
	return &keyWorld{w, account.NewAPIKeys(account.APIKeysConfig{Store: w.store, Audiences: []string{issuerURL, ordersName, apiName}})}
}

func (w *keyWorld) key(n account.NewAPIKey) (account.APIKey, string) {
	w.t.Helper()
	n.Owner, n.Name = "u_carl", "k"
	key, text, err := w.keys.Add(w.t.Context(), n, issuer.Event{})
	must(w.t, err)
	return key, text
}

func (w *keyWorld) guard(cfg gate.Config) *gate.Guard {
	w.t.Helper()
	cfg.KeyHeader = "X-API-Key"
	cfg.Keys = apikey.New(apikey.Config{Keys: w.keys, Issuer: w.Issuer, Header: cfg.KeyHeader, TokenHeader: cfg.TokenHeader})
	return w.world.guard(cfg)
}

// A key is accepted where a token is, and the rules are asked about it.
func TestKeyRules(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	key, scoped := w.key(account.NewAPIKey{Scope: doorward.Scope{"reports:read"}})
	_, whole := w.key(account.NewAPIKey{Everything: true})
	_, elsewhere := w.key(account.NewAPIKey{Everything: true, Audiences: []string{apiName}})
	outcomes := map[string]int{}
	g := w.guard(gate.Config{Audience: ordersName, Observe: func(o doorward.Outcome) { outcomes[o.Reason]++ }, Routes: []gate.Route{
		{Path: "/reports/**", Scope: []string{"reports:read"}},
		{Path: "/write", Scope: []string{"reports:write"}},
		{Path: "/staff", Roles: []string{"staff"}},
		{Path: "/recent", Recent: 1 << 40},
		{Path: "/optional", Access: gate.AccessOptional},
		{Path: "/public", Access: gate.AccessPublic},
	}})
	for _, tt := range []struct {
		path, key string
		want      int
	}{
		{"/any", scoped, 0},
		{"/reports/1", scoped, 0},
		{"/write", scoped, 403},
		{"/staff", scoped, 403},
		{"/recent", whole, 401},
		{"/write", whole, 0},
		{"/staff", whole, 0},
		{"/any", elsewhere, 401},
		{"/any", scoped[:70], 401},
		{"/any", "dwk_", 401},
		{"/optional", scoped, 0},
		{"/optional", scoped[:70], 401},
		{"/public", scoped[:70], 0},
	} {
		for _, header := range [][]string{bearer(tt.key), {"X-Api-Key", tt.key}} {
			v := g.Decide(ask(t, "GET", tt.path, header...))
			got := 0
			if v.Refusal != nil {
				got = v.Refusal.Status
				if strings.Contains(v.Refusal.Err.Error()+v.Refusal.Description, tt.key) {
					t.Errorf("%s: the refusal repeats the key", tt.path)
				}
			}
			if got != tt.want || (v.Claims != nil) != (got == 0 && tt.path != "/public") {
				t.Errorf("%s with %v: %d, want %d; %+v", tt.path, header[0], got, tt.want, v.Refusal)
			}
			if tt.path != "/public" && !strings.Contains(v.Vary, "Authorization") || tt.path != "/public" && !strings.Contains(v.Vary, "X-API-Key") {
				t.Errorf("%s: Vary is %q", tt.path, v.Vary)
			}
		}
	}
	if outcomes["api_key"] != 8 || outcomes["ok"] == 0 {
		t.Errorf("observed %v", outcomes)
	}
	if v := g.Decide(ask(t, "GET", "/any", "X-Api-Key", scoped, "Authorization", "Bearer "+w.token("u_alice"))); v.Refusal == nil || v.Refusal.Status != 400 {
		t.Errorf("a key and a token: %+v", v.Refusal)
	}
	if v := g.Decide(ask(t, "GET", "/any", bearer(w.token("u_alice"))...)); v.Refusal != nil {
		t.Errorf("a token where keys are accepted: %+v", v.Refusal)
	}
	cut, err := w.keys.Revoke(t.Context(), key.ID, "", issuer.Event{})
	must(t, err)
	w.Apply(cut)
	if v := g.Decide(ask(t, "GET", "/any", bearer(scoped)...)); v.Refusal == nil || v.Refusal.Status != 401 {
		t.Errorf("a revoked key: %+v", v.Refusal)
	}
}

// The upstream reads who is asking, and never the key.
func TestKeyIsNotForwarded(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	key, text := w.key(account.NewAPIKey{Scope: doorward.Scope{"reports:read"}})
	var seen http.Header
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() }))
	t.Cleanup(upstream.Close)
	g := w.guard(gate.Config{Audience: ordersName, TokenHeader: "X-Access-Token", Routes: []gate.Route{
		{Path: "/own", ForwardToken: true},
		{Path: "/public", Access: gate.AccessPublic, ForwardAuthorization: true},
	}})
	proxy, err := gate.NewProxy(gate.ProxyConfig{Guard: g, Upstream: gate.Upstream{URL: upstream.URL}, Streams: gate.NewStreams(w.Issuer, nil)})
	must(t, err)
	t.Cleanup(proxy.Close)
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	for _, header := range [][2]string{{"Authorization", "Bearer " + text}, {"X-Api-Key", text}, {"X_Api_Key", text}, {"X-Access-Token", text}} {
		for _, path := range []string{"/any", "/own", "/public"} {
			seen = nil
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+path, nil)
			must(t, err)
			r.Header[header[0]] = []string{header[1]}
			res, err := front.Client().Do(r)
			must(t, err)
			must(t, res.Body.Close())
			if header[0] == "X_Api_Key" && path != "/public" {
				if res.StatusCode != http.StatusUnauthorized || seen != nil {
					t.Errorf("a header that is spelled in another way: %d", res.StatusCode)
				}
				continue
			}
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s %s: %d", path, header[0], res.StatusCode)
				continue
			}
			for name, values := range seen {
				if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, text) }) {
					t.Errorf("%s: the upstream reads the key of %s in %s", path, header[0], name)
				}
			}
			if path == "/public" {
				continue
			}
			if seen.Get("Doorward-Subject") != "u_carl" || seen.Get("Doorward-Scope") != "reports:read" || seen.Get("Doorward-Roles") != "" || seen.Get("Doorward-Assertion") == "" {
				t.Errorf("%s: the upstream reads %v", path, seen)
			}
			token, _ := strings.CutPrefix(seen.Get("Authorization"), "Bearer ")
			if path != "/own" && token != "" {
				t.Errorf("%s: a token is forwarded", path)
			}
			if path == "/own" {
				v, err := doorward.NewVerifier(doorward.Config{Issuer: issuerURL, Audience: ordersName, Keys: w.Keys(), Revocations: w.Revocations()})
				must(t, err)
				if c, err := v.Verify(t.Context(), token); err != nil || c.ClientID != key.ID {
					t.Errorf("the token of the upstream: %+v, %v", c, err)
				}
			}
		}
	}
}

// Forward-auth names the header for keys among those that a proxy must overwrite.
func TestKeyTell(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	_, text := w.key(account.NewAPIKey{})
	g := w.guard(gate.Config{})
	r := ask(t, "GET", "/any", "X-Api-Key", text)
	v := g.Decide(r)
	answer := http.Header{}
	g.Blank(answer)
	if refused := g.Tell(answer, &v, r); refused != nil {
		t.Fatal(refused.Err)
	}
	if got, ok := answer["X-Api-Key"]; !ok || len(got) != 1 || got[0] != "" || answer.Get("Doorward-Subject") != "u_carl" {
		t.Errorf("%v", answer)
	}
}

// Without Keys a key is no credential, and is not forwarded either.
func TestNoKeys(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	_, text := w.key(account.NewAPIKey{})
	g := w.world.guard(gate.Config{})
	if v := g.Decide(ask(t, "GET", "/any", bearer(text)...)); v.Refusal == nil || v.Refusal.Status != 401 {
		t.Errorf("%+v", v.Refusal)
	}
}
