package forward_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/forward"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/origin"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/issuer"
)

// Tokens that the issuer never made are limited by the network of the client that the proxy names. Neighbours with a
// good token, or with one that has ended, notice nothing.
func TestBudget_Attack_E06_E08(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(g *gate.Config, f *forward.Config) {
		f.Failures, g.LoginPage = quota.NewBudget[netip.Prefix](quota.Limits{Each: 3, All: 5}), "/login.html"
	})
	proxies := origin.Proxies{netip.MustParsePrefix("192.0.2.0/24")}
	ended := w.alice
	must(t, w.Logout(t.Context(), ended, issuer.Event{}))
	attempt, err := w.Begin(t.Context(), "u_alice")
	must(t, err)
	set, err := w.Login(t.Context(), attempt, issuer.LoginRequest{})
	must(t, err)
	garbage := set.AccessToken[:len(set.AccessToken)-4] + "AAAA"
	for i, step := range []struct {
		client, path, token string
		want                int
	}{
		{"203.0.113.1", "/x", "", 401}, // without a token nothing is looked at
		{"203.0.113.1", "/x", garbage, 401},
		{"203.0.113.2", "/x", "x.y.z", 401},
		{"203.0.113.3", "/x", strings.Repeat("x", 9000), 401},
		{"203.0.113.3", "/x", ended, 401},
		{"203.0.113.4", "/x", garbage, 429},
		{"198.51.100.9, 203.0.113.4", "/x", garbage, 429}, // a name that the client has made up
		{"203.0.113.4", "/", garbage, 200},                // a public path looks at no token
		{"203.0.113.4", "/x", "", 401},
		{"203.0.113.4", "/x", ended, 401},
		{"203.0.113.4", "/x", set.AccessToken, 200},
		{"198.51.100.1", "/x", garbage, 401},
		{"2001:db8::1", "/x", garbage, 401},
		{"2001:db8:1::1", "/x", garbage, 429}, // all are spent
		{"2001:db8:1::1", "/x", set.AccessToken, 200},
	} {
		for _, proxy := range []string{"caddy", "nginx"} {
			if proxy == "nginx" && step.want != 429 {
				continue
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path+proxy, http.NoBody)
			r.RemoteAddr = trusted
			for _, name := range map[string][]string{
				"caddy": {"X-Forwarded-Method:GET", "X-Forwarded-Uri:" + step.path, "X-Forwarded-Host:a.example", "X-Forwarded-Proto:https"},
				"nginx": {"X-Original-Method:GET", "X-Original-Uri:" + step.path, "X-Original-Host:a.example", "X-Original-Proto:https"},
			}[proxy] {
				name, value, _ := strings.Cut(name, ":")
				r.Header.Set(name, value)
			}
			r.Header.Set("X-Forwarded-For", step.client)
			if step.token != "" {
				r.Header.Set("Authorization", "Bearer "+step.token)
			}
			answer := httptest.NewRecorder()
			_, r = endpoint.Begin(answer, r, proxies.Of)
			w.asked.ServeHTTP(answer, r)
			got, want := answer.Result(), step.want
			if proxy == "nginx" {
				want = 403
				if status := got.Header.Get("Doorward-Status"); status != "429" {
					t.Errorf("step %d: Doorward-Status is %q", i, status)
				}
			}
			if got.StatusCode != want || (step.want == 429) != (got.Header.Get("Retry-After") != "") || got.Header.Get("Location") != "" {
				t.Errorf("step %d: %d %v, want %d", i, got.StatusCode, got.Header, want)
			}
		}
	}
	if logs := w.logs.String(); strings.Contains(logs, garbage) || !strings.Contains(logs, "error=too_many_requests reason=\"jwt: wrong signature") {
		t.Errorf("the log has no reason, or a token: %.500s", logs)
	}
}
