package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// endpoints is every route as data, for sweeps over all of them.
var endpoints = []struct {
	method, path string
	token        bool // wants a Bearer token
}{
	{"GET", "/", false},
	{"POST", "/login", false},
	{"POST", "/refresh", false},
	{"POST", "/logout", false},
	{"POST", "/password", true},
	{"POST", "/password/reset", false},
	{"GET", "/me", true},
	{"GET", "/protected", true},
	{"GET", "/sessions", true},
	{"DELETE", "/sessions/01a201b6-0dbb-7eee-b32a-d40cbc7d92ff", true},
	{"GET", "/admin/v1/users", true},
	{"POST", "/admin/v1/users", true},
	{"POST", "/admin/v1/users/import", true},
	{"GET", "/admin/v1/users/export", true},
	{"GET", "/admin/v1/users/u_nobody", true},
	{"PATCH", "/admin/v1/users/u_nobody", true},
	{"DELETE", "/admin/v1/users/u_nobody", true},
	{"POST", "/admin/v1/users/u_nobody/password", true},
	{"POST", "/admin/v1/users/u_nobody/reset-link", true},
	{"DELETE", "/admin/v1/users/u_nobody/sessions", true},
	{"DELETE", "/admin/v1/users/u_nobody/api-keys", true},
	{"GET", "/admin/v1/roles", true},
	{"POST", "/admin/v1/roles", true},
	{"GET", "/admin/v1/roles/norole", true},
	{"PATCH", "/admin/v1/roles/norole", true},
	{"DELETE", "/admin/v1/roles/norole", true},
	{"GET", "/admin/v1/clients", true},
	{"POST", "/admin/v1/clients", true},
	{"GET", "/admin/v1/clients/dwc_nobody", true},
	{"PATCH", "/admin/v1/clients/dwc_nobody", true},
	{"DELETE", "/admin/v1/clients/dwc_nobody", true},
	{"DELETE", "/admin/v1/clients/dwc_nobody/tokens", true},
	{"DELETE", "/admin/v1/clients/dwc_nobody/api-keys", true},
	{"GET", "/admin/v1/clients/dwc_nobody/secrets", true},
	{"POST", "/admin/v1/clients/dwc_nobody/secrets", true},
	{"DELETE", "/admin/v1/clients/dwc_nobody/secrets/nosecret", true},
	{"GET", "/admin/v1/sessions", true},
	{"GET", "/admin/v1/sessions/01a201b6-0dbb-7eee-b32a-d40cbc7d92ff", true},
	{"DELETE", "/admin/v1/sessions/01a201b6-0dbb-7eee-b32a-d40cbc7d92ff", true},
	{"GET", "/admin/v1/api-keys", true},
	{"POST", "/admin/v1/api-keys", true},
	{"GET", "/admin/v1/api-keys/dwk_aaaaaaaaaaaaaaaa", true},
	{"DELETE", "/admin/v1/api-keys/dwk_aaaaaaaaaaaaaaaa", true},
	{"GET", "/admin/v1/backups", true},
	{"POST", "/admin/v1/backups", true},
	{"GET", "/admin/v1/backups/nobackup", true},
	{"DELETE", "/admin/v1/backups/nobackup", true},
	{"GET", "/admin/v1/version", true},
	{"GET", "/admin/v1/config", true},
	{"GET", "/admin/v1/config/check", true},
	{"GET", "/admin/v1/audit", true},
	{"GET", "/admin/v1/audit/head", true},
	{"GET", "/admin/v1/audit/verify", true},
	{"GET", "/admin/v1/audit/export", true},
	{"POST", "/admin/v1/tokens", true},
	{"POST", "/admin/v1/tokens/inspect", true},
	{"GET", "/admin/v1/keys", true},
	{"POST", "/admin/v1/keys", true},
	{"GET", "/admin/v1/keys/nokey", true},
	{"DELETE", "/admin/v1/keys/nokey", true},
	{"GET", "/keys", true},
	{"POST", "/keys", true},
	{"GET", "/keys/dwk_aaaaaaaaaaaaaaaa", true},
	{"DELETE", "/keys/dwk_aaaaaaaaaaaaaaaa", true},
	{"GET", "/.well-known/jwks.json", false},
	{"GET", "/.well-known/oauth-authorization-server", false},
	{"GET", "/openapi.yaml", false},
	{"GET", "/docs/api", false},
	{"GET", "/livez", false},
	{"GET", "/readyz", false},
	{"GET", "/revocations", false},
	{"POST", "/oauth/token", false},
	{"POST", "/oauth/revoke", false},
	{"POST", "/oauth/introspect", false},
}

// samples are the values in the paths above.
var samples = strings.NewReplacer("01a201b6-0dbb-7eee-b32a-d40cbc7d92ff", "{id}", "u_nobody", "{id}", "dwc_nobody", "{id}", "norole", "{name}", "nobackup", "{name}", "nokey", "{kid}", "nosecret", "{secret}", "dwk_aaaaaaaaaaaaaaaa", "{id}")

// The table above must not fall behind the server's own.
func TestEndpointsComplete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	var want, got []string
	for _, e := range endpoints {
		want = append(want, e.method+" "+samples.Replace(e.path))
	}
	for _, rt := range server.Routes(w.server) {
		got = append(got, strings.Replace(rt, "{$}", "", 1))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("routes %q\nwant   %q", got, want)
	}
	w.do("GET", "/livez", nil)
}

// answers reports whether there is such an endpoint.
func answers(method, path string) bool {
	for _, e := range endpoints {
		if e.method == method && e.path == path {
			return true
		}
	}
	return false
}

// Standard_W06, ASVS_4.1.4: a method that an address does not answer gets 405 and those that it does, one that HTTP does not
// know 501.
func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, e := range endpoints {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"} {
			if answers(method, e.path) || method == "HEAD" && answers("GET", e.path) {
				continue
			}
			a := w.do(method, e.path, nil)
			if a.status != 405 { // Standard_H02 Standard_O01 Behaviour_B60
				t.Errorf("%s %s: %d", method, e.path, a.status)
			}
			if allow := strings.Split(a.header.Get("Allow"), ", "); !slices.Contains(allow, e.method) || slices.Contains(allow, method) {
				t.Errorf("%s %s: Allow %q", method, e.path, allow)
			}
		}
		a := w.do("MKCOLA", e.path, nil)
		if a.status != 501 { // Standard_H08
			t.Errorf("unknown method on %s: %d", e.path, a.status)
		}
		b := w.do("OPTIONS", e.path, nil).want(t, 204, "") // Behaviour_B60
		if !strings.Contains(b.header.Get("Allow"), e.method) {
			t.Errorf("OPTIONS %s: Allow %q", e.path, b.header.Get("Allow"))
		}
	}
}

// HEAD has GET's status and headers and no body.
func TestBehaviour_B10_Head(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.login("alice", aliceWord).text("access_token")
	for _, e := range endpoints {
		if e.method != "GET" {
			continue
		}
		get, head := w.do("GET", e.path, nil, bearer(token)), w.do("HEAD", e.path, nil, bearer(token))
		if len(head.body) != 0 || head.status != get.status {
			t.Errorf("Standard_H09 %s: %d with %d bytes, GET is %d", e.path, head.status, len(head.body), get.status)
		}
		for name := range get.header {
			if name != "Date" && name != "Content-Length" && head.header.Get(name) != get.header.Get(name) {
				t.Errorf("Standard_H09 %s: %s is %q, of GET %q", e.path, name, head.header.Get(name), get.header.Get(name))
			}
		}
	}
}

// The key set has public keys alone, and whoever has it already reads 304.
func TestJWKS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.do("GET", "/.well-known/jwks.json", nil).want(t, 200, "") // Standard_K01
	set, err := jwt.ParseSet(a.body)
	must(t, err)
	if len(set.Keys()) == 0 || strings.Contains(string(a.body), `"d"`) || set.Keys()[0].Private() {
		t.Errorf("key set: %s", a.body)
	}
	if a.header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("Cache-Control %q", a.header.Get("Cache-Control"))
	}
	tag := a.header.Get("ETag")
	for _, value := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		b := w.do("GET", "/.well-known/jwks.json", nil, header("If-None-Match", value)).want(t, 304, "")
		if len(b.body) != 0 || b.header.Get("ETag") != tag {
			t.Errorf("304 with %q and ETag %q", b.body, b.header.Get("ETag"))
		}
	}
	w.do("GET", "/.well-known/jwks.json", nil, header("If-None-Match", `"x"`)).want(t, 200, "")
	_, err = w.issuer.RotateKey(t.Context(), issuer.Event{Actor: "test"})
	must(t, err)
	w.do("GET", "/.well-known/jwks.json", nil, header("If-None-Match", tag)).want(t, 200, "")
}

// Keys are kept for half of the time for which they are published before they sign.
func TestJWKSKept(t *testing.T) {
	t.Parallel()
	for lead, want := range map[time.Duration]string{time.Second: "0", time.Minute: "30", 10 * time.Minute: "300", time.Hour: "300"} {
		w := newWorld(t, func(s *settings) { s.direct, s.server.PublishLead = true, lead })
		if got := w.do("GET", "/.well-known/jwks.json", nil).want(t, 200, "").header.Get("Cache-Control"); got != "public, max-age="+want {
			t.Errorf("published %v before: %q", lead, got)
		}
	}
}

// The metadata are where RFC 8414 §3.1 wants them and lead to the keys, whatever paths the issuer and the endpoints have.
func TestMetadata(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ issuer, prefix, path, jwks string }{
		{issuerURL, "", "/.well-known/oauth-authorization-server", issuerURL + "/.well-known/jwks.json"},
		{issuerURL + "/", "", "/.well-known/oauth-authorization-server", issuerURL + "/.well-known/jwks.json"},
		{issuerURL, "/auth", "/.well-known/oauth-authorization-server", issuerURL + "/auth/.well-known/jwks.json"},
		{issuerURL + "/tenant/a", "/tenant/a", "/.well-known/oauth-authorization-server/tenant/a", issuerURL + "/tenant/a/.well-known/jwks.json"},
		{issuerURL + "/tenant/", "", "/.well-known/oauth-authorization-server/tenant", issuerURL + "/.well-known/jwks.json"},
	} {
		t.Run(c.issuer+c.prefix, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *settings) { s.issuer.Issuer, s.server.Prefix, s.issuer.Audiences = c.issuer, c.prefix, nil })
			a := w.do("GET", c.path, nil).want(t, 200, "") // Standard_D03
			if a.text("issuer") != c.issuer || a.text("jwks_uri") != c.jwks {
				t.Errorf("Standard_D02: %s", a.body)
			}
			for name, value := range a.object {
				if list, ok := value.([]any); ok && len(list) == 0 {
					t.Errorf("Standard_D04: %s is empty", name)
				}
			}
			w.do("GET", strings.TrimPrefix(c.jwks, issuerURL), nil).want(t, 200, "")
			if c.prefix != "" {
				w.do("GET", c.prefix, nil).want(t, 200, "")
				w.do("GET", c.prefix+"/livez", nil).want(t, 200, "")
				for _, path := range []string{"/", "/livez", "/login", "/.well-known/jwks.json"} {
					w.do("GET", path, nil).want(t, 404, "not_found")
				}
			}
		})
	}
}

// What is no endpoint, however it is spelled, is 404.
func TestPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.server.NoSample = true })
	for _, path := range []string{
		"/nothing", "/login/", "//login", "/./login", "/x/../login", "/LOGIN", "/login%00", "/login%2f", "/%2e%2e/login", "/%2flogin",
		"/protected", "/sessions/", "/.well-known", "/.well-known/", "/debug/pprof/", "/metrics", "/console/", "/admin", "/.git/config",
		"/login;x", "/me/..;/login", "/login\\", "/.well-known/oauth-authorization-server/x",
	} { // Attack_H16 Behaviour_B52
		w.do("POST", path, "{}").want(t, 404, "not_found")
		w.do("GET", path, nil).want(t, 404, "not_found")
	}
	w.do("POST", "/%6cogin", "{}").want(t, 400, "invalid_request") // The same path, spelled otherwise (RFC 3986 §6.2.2.2).
	a := w.do("GET", "/", nil).want(t, 200, "")
	if a.text("name") != "Doorward" {
		t.Errorf("/: %s", a.body)
	}
}

// Behaviour_B38: a node that is to stop lives and answers, but is not ready.
func TestHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord)
	w.do("GET", "/livez", nil).want(t, 200, "")
	w.do("GET", "/readyz", nil).want(t, 200, "")
	w.server.Drain()
	w.do("GET", "/readyz", nil).want(t, 503, "not_ready")
	w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 200, "")
	w.do("GET", "/livez", nil).want(t, 200, "")
}

// Attack_F12: without its store the server says that the fault is its own, and lets nobody in.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	a := w.login("alice", aliceWord)
	must(t, w.file.Close())
	w.do("GET", "/readyz", nil).want(t, 503, "not_ready")
	w.do("GET", "/livez", nil).want(t, 200, "")
	for _, r := range []struct {
		path string
		body any
	}{
		{"/login", map[string]any{"username": "alice", "password": aliceWord}},
		{"/refresh", map[string]any{"refresh_token": a.text("refresh_token")}},
		{"/logout", map[string]any{"refresh_token": a.text("refresh_token")}},
	} {
		got := w.do("POST", r.path, r.body).want(t, 503, "unavailable")
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%s without a store: no Retry-After", r.path)
		}
	}
}

// Behaviour_B38 in a synctest bubble: when nobody knows what was revoked, tokens are refused.
func TestStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(s *settings) { s.direct = true })
		a := w.login("alice", aliceWord)
		time.Sleep(61 * time.Second)
		w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 503, "unavailable")
		w.do("GET", "/readyz", nil).want(t, 503, "not_ready")
		w.do("GET", "/me", nil, bearer("x.y.z")).want(t, 401, "invalid_token")
	})
}

// Attack_C01, C02 and C05 as tables over one guarded endpoint; raw bytes are in wire_test.go.
func TestAttack_C02_BearerForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.login("alice", aliceWord).text("access_token")
	for _, c := range []struct {
		name   string
		values []string
		status int
		code   string
	}{
		{"Behaviour_B7 lower case", []string{"bearer " + token}, 200, ""},
		{"Standard_R01 upper case", []string{"BEARER " + token}, 200, ""},
		{"two spaces", []string{"Bearer  " + token}, 200, ""},
		{"Behaviour_B7 tab", []string{"Bearer\t" + token}, 400, "invalid_request"},
		{"Behaviour_B2 nothing after it", []string{"Bearer"}, 400, "invalid_request"},
		{"Behaviour_B2 two words", []string{"Bearer " + token + " " + token}, 400, "invalid_request"},
		{"Standard_R12 list", []string{"Bearer " + token + ", Bearer " + token}, 400, "invalid_request"},
		{"no space", []string{"Bearer" + token}, 401, "missing_token"},
		{"Standard_Z08 other scheme", []string{"Token " + token}, 401, "missing_token"},
		{"Basic", []string{"Basic YTpi"}, 401, "missing_token"},
		{"Attack_C01 Standard_H03 the same twice", []string{"Bearer " + token, "Bearer " + token}, 400, "invalid_request"},
		{"Attack_C01 Bearer and Basic", []string{"Bearer " + token, "Basic YTpi"}, 400, "invalid_request"},
		{"Behaviour_B3 Standard_R06 none", nil, 401, "missing_token"},
		{"Behaviour_B4 garbage", []string{"Bearer garbage"}, 401, "invalid_token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"/me", "/protected"} {
				a := w.do("GET", path, nil, func(r *http.Request) { r.Header["Authorization"] = c.values }).want(t, c.status, c.code)
				challenge := a.header.Get("WWW-Authenticate")
				if c.code == "missing_token" && a.text("error_description") != "a token is required: send Authorization: Bearer TOKEN" {
					t.Errorf("%s", a.body)
				}
				if c.code == "missing_token" && challenge != `Bearer realm="doorward"` {
					t.Errorf("Standard_R06: challenge %q", challenge)
				}
				if c.code == "invalid_token" && !strings.Contains(challenge, `error="invalid_token"`) {
					t.Errorf("Standard_R07: challenge %q", challenge)
				}
			}
		})
	}
}

// A token in another place than the header Authorization is none, and is not repeated.
func TestAttack_C03_OtherPlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord)
	token := a.text("access_token")
	for name, change := range map[string]with{
		"Attack_C04 Standard_R03 Behaviour_B8 query": query("access_token=" + token + "&token=" + token + "&jwt=" + token),
		"Attack_C05 Proxy-Authorization":             header("Proxy-Authorization", "Bearer "+token),
		"Attack_C05 X-Authorization":                 header("X-Authorization", "Bearer "+token),
		"Attack_C05 x-access-token":                  header("x-access-token", token),
		"cookie":                                     header("Cookie", "access_token="+token),
		"refresh cookie":                             refreshCookie(a.text("refresh_token")),
	} {
		t.Run(name, func(t *testing.T) {
			got := w.do("GET", "/me", nil, change).want(t, 401, "missing_token")
			if strings.Contains(string(got.body), token[:20]) {
				t.Error("echoed")
			}
		})
	}
}

// Nothing that a client reads is made from the Host that it sends.
func TestAttack_C13_Host(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, e := range endpoints {
		a := w.do(e.method, e.path, nil, header("X-Forwarded-Host", "evil.example"), header("X-Forwarded-Proto", "ftp"),
			header("Forwarded", "host=evil.example"), header("X-Original-URL", "/admin"), func(r *http.Request) { r.Host = "evil.example" })
		text := string(a.body)
		for name, values := range a.header {
			text += name + strings.Join(values, " ")
		}
		if strings.Contains(text, "evil") || strings.Contains(text, "ftp:") {
			t.Errorf("%s %s answers %q", e.method, e.path, text)
		}
	}
	a := w.do("POST", "/login", map[string]any{"username": "alice", "password": aliceWord, "cookie": true}, func(r *http.Request) { r.Host = "evil.example" })
	if strings.Contains(a.header.Get("Set-Cookie"), "evil") {
		t.Error("the cookie names the host")
	}
}
