package gate_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/gate"
)

// TestLoginPage sends browsers that open pages through the reverse proxy to the login page, and nobody else.
func TestLoginPage_Attack_D08(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	here := gate.Config{
		LoginPage: "/login.html", LoginHosts: []string{"app.example.com"}, TokenCookie: "app_token",
		Routes: []gate.Route{{Path: "/admin/**", Roles: []string{"admin"}}, {Path: "/open", Access: gate.AccessPublic}, {Path: "/raw/**", RawPath: true}},
	}
	behind := here
	behind.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	elsewhere := gate.Config{LoginPage: "https://login.example.com/?app=1", LoginHosts: here.LoginHosts}
	direct, hop, far, none := newFront(w, here, api), newFront(w, behind, api), newFront(w, elsewhere, api), newFront(w, gate.Config{}, api)
	browser := []string{"Accept", "text/html,*/*;q=0.8", "Sec-Fetch-Mode", "navigate"}
	named := []string{"X-Forwarded-Host", "app.example.com", "X-Forwarded-Proto", "https"}
	for _, test := range []struct {
		name           string
		f              *front
		method, target string
		header         []string
		status         int
		location       string
	}{
		{"a browser", direct, "GET", "/orders?x=1&y=2", browser, 302, "/login.html?return_to=%2Forders%3Fx%3D1%26y%3D2"},
		{"a browser that named another host", direct, "GET", "/orders", append(named, browser...), 302, "/login.html?return_to=%2Forders"},
		{"a browser behind a proxy", hop, "GET", "/orders", append(named, browser...), 302, "/login.html?return_to=https%3A%2F%2Fapp.example.com%2Forders"},
		{"a browser with a bad token", direct, "GET", "/orders", append([]string{"Cookie", "app_token=rubbish"}, browser...), 302, "/login.html?return_to=%2Forders"},
		{"a path with two slashes", direct, "GET", "/raw//evil.example", browser, 302, "/login.html?return_to=%2F"},
		{"a long path", direct, "GET", "/" + strings.Repeat("a", 3<<10), browser, 302, "/login.html?return_to=%2F"},
		{"a page elsewhere", far, "GET", "/orders", browser, 302, "https://login.example.com/?app=1&return_to=%2Forders"},
		{"no page", none, "GET", "/orders", browser, 401, ""},
		{"an API client", direct, "GET", "/orders", nil, 401, ""},
		{"a script", direct, "GET", "/orders", []string{"Accept", "text/html", "Sec-Fetch-Mode", "cors"}, 401, ""},
		{"a form", direct, "POST", "/orders", browser, 401, ""},
		{"without the role", direct, "GET", "/admin/x", append(bearer(w.token("u_alice")), browser...), 403, ""},
		{"the page itself", direct, "GET", "/login.html", browser, 401, ""},
		{"a public page", direct, "GET", "/open", browser, 418, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			res, body := test.f.call(test.method, test.target, nil, test.header...)
			if res.StatusCode != test.status || res.Header.Get("Location") != test.location {
				t.Errorf("%d %q, want %d %q", res.StatusCode, res.Header.Get("Location"), test.status, test.location)
			}
			if test.status != 302 {
				return
			}
			code(t, res, body) // checks the shape
			if res.Header.Get("WWW-Authenticate") != "" || res.Header.Get("Cache-Control") != "no-store" ||
				!strings.HasPrefix(res.Header.Get("Vary"), "Authorization, ") || !strings.HasSuffix(res.Header.Get("Vary"), ", Accept, Sec-Fetch-Mode") {
				t.Errorf("%v %s", res.Header, body)
			}
		})
	}
}
