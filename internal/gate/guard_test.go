package gate_test

import (
	"bufio"
	"errors"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// What becomes of a request, for each kind of rule, of credential and of method.
func TestDecide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, admin, orders := w.token("u_alice"), w.token("u_admin"), w.tokenFor("u_alice", ordersName)
	api := w.tokenFor("u_alice", apiName)
	old := w.login("u_alice", func(r *issuer.LoginRequest) { r.AuthTime = time.Now().Add(-time.Hour) }).AccessToken
	ended := w.login("u_alice")
	must(t, w.RevokeSession(t.Context(), ended.SessionID, issuer.Event{}))
	g := w.guard(gate.Config{
		TokenHeader: "x-access-token", TokenCookie: "app_token", TrustedOrigins: []string{"https://app.example"}, Audience: apiName,
		Routes: []gate.Route{
			{Path: "/open", Access: gate.AccessPublic},
			{Path: "/maybe", Access: gate.AccessOptional},
			{Path: "/admin/**", Roles: []string{"admin"}},
			{Path: "/reports/**", Methods: []string{"GET"}, Scope: []string{"reports:read"}},
			{Path: "/reports/new", Methods: []string{"POST"}, Scope: []string{"reports:publish"}},
			{Path: "/transfer", Recent: 5 * time.Minute},
			{Path: "/own", ForwardToken: true},
			{Path: "/never/**", Access: gate.AccessDeny},
			{Path: "/dav/**", Methods: []string{"PROPFIND"}},
		},
	})
	tests := []struct {
		name, method, path string
		header             []string
		status             int
		code               string
		subject            string
	}{
		{name: "no token", path: "/x", status: 401, code: "missing_token"},
		{name: "token", path: "/x", header: bearer(alice), subject: "u_alice"},
		{name: "token in its header", path: "/x", header: []string{"X-Access-Token", alice}, subject: "u_alice"},
		{name: "token in its cookie", path: "/x", header: []string{"Cookie", "a=b; app_token=" + alice}, subject: "u_alice"},
		{name: "cookie from elsewhere", method: "POST", path: "/x", header: []string{"Cookie", "app_token=" + alice, "Sec-Fetch-Site", "cross-site"}, status: 403, code: "cross_origin"},
		{name: "cookie from elsewhere, trusted", method: "POST", path: "/x", header: []string{"Cookie", "app_token=" + alice, "Sec-Fetch-Site", "cross-site", "Origin", "https://app.example"}, subject: "u_alice"},
		{name: "two tokens", path: "/x", header: append(bearer(alice), "X-Access-Token", alice), status: 400, code: "invalid_request"},
		{name: "cookie and bearer", path: "/x", header: append(bearer(alice), "Cookie", "app_token="+alice), status: 400, code: "invalid_request"},
		{name: "two lines", path: "/x", header: append(bearer(alice), bearer(admin)...), status: 400, code: "invalid_request"},
		{name: "for another service", path: "/x", header: bearer(orders), status: 401, code: "invalid_token"},
		{name: "for the upstream", path: "/x", header: bearer(api), status: 401, code: "invalid_token"},
		{name: "for the upstream where it is forwarded", path: "/own", header: bearer(api), subject: "u_alice"},
		{name: "for Doorward where it is forwarded", path: "/own", header: bearer(alice), status: 401, code: "invalid_token"},
		{name: "ended", path: "/x", header: bearer(ended.AccessToken), status: 401, code: "invalid_token"},
		{name: "public ignores a bad token", path: "/open", header: bearer("rubbish")},
		{name: "optional without", path: "/maybe"},
		{name: "optional with", path: "/maybe", header: bearer(alice), subject: "u_alice"},
		{name: "optional refuses a bad token", path: "/maybe", header: bearer(ended.AccessToken), status: 401, code: "invalid_token"},
		{name: "role", path: "/admin/x", header: bearer(admin), subject: "u_admin"},
		{name: "no role", path: "/admin", header: bearer(alice), status: 403, code: "insufficient_scope"},
		{name: "scope", path: "/reports/7", header: bearer(alice), subject: "u_alice"},
		{name: "HEAD is GET", method: "HEAD", path: "/reports/7", header: bearer(alice), subject: "u_alice"},
		{name: "no scope", method: "POST", path: "/reports/new", header: bearer(alice), status: 403, code: "insufficient_scope"},
		{name: "recent", path: "/transfer", header: bearer(alice), subject: "u_alice"},
		{name: "not recent", path: "/transfer", header: bearer(old), status: 401, code: "insufficient_user_authentication"},
		{name: "denied", path: "/never/x", header: bearer(admin), status: 404, code: "not_found"},
		{name: "method of no rule", method: "POST", path: "/reports/7", header: bearer(alice), status: 405, code: "method_not_allowed"},
		{name: "OPTIONS is a method", method: "OPTIONS", path: "/reports/7", header: bearer(alice), status: 405, code: "method_not_allowed"},
		{name: "small letters", method: "get", path: "/open", status: 405, code: "method_not_allowed"},
		{name: "unknown method", method: "MKCOLA", path: "/x", header: bearer(alice), status: 405, code: "method_not_allowed"},
		{name: "named method", method: "PROPFIND", path: "/dav/x", header: bearer(alice), subject: "u_alice"},
		{name: "TRACE", method: "TRACE", path: "/open", status: 405, code: "method_not_allowed"},
		{name: "CONNECT", method: "CONNECT", path: "/open", status: 405, code: "method_not_allowed"},
		{name: "HEAD does not make POST", method: "HEAD", path: "/reports/new", header: bearer(alice), subject: "u_alice"},
		{name: "OPTIONS without CORS needs a token", method: "OPTIONS", path: "/x", status: 401, code: "missing_token"},
		{name: "preflight", method: "OPTIONS", path: "/x", header: []string{"Origin", "https://a.example", "Access-Control-Request-Method", "PUT"}},
		{name: "preflight with credentials is none", method: "OPTIONS", path: "/x", header: []string{"Origin", "https://a.example", "Access-Control-Request-Method", "PUT", "Cookie", "a=b"}, status: 401, code: "missing_token"},
		{name: "preflight without origin is none", method: "OPTIONS", path: "/x", header: []string{"Access-Control-Request-Method", "PUT"}, status: 401, code: "missing_token"},
		{name: "preflight of what is denied", method: "OPTIONS", path: "/never", header: []string{"Origin", "https://a.example", "Access-Control-Request-Method", "GET"}, status: 404, code: "not_found"},
		{name: "health", path: "/healthz", header: []string{"User-Agent", "GoogleHC/1.0"}, status: 401, code: "missing_token"},
	}
	for _, test := range tests {
		t.Run("Attack_C11 Attack_C12 "+test.name, func(t *testing.T) {
			t.Parallel()
			if test.method == "" {
				test.method = http.MethodGet
			}
			v := g.Decide(ask(t, test.method, test.path, test.header...))
			var code, subject string
			if v.Refusal != nil {
				code = v.Refusal.Code
			}
			if v.Claims != nil {
				subject = v.Claims.Subject
			}
			if status(v) != test.status || code != test.code || subject != test.subject {
				t.Errorf("%d %q %q, want %d %q %q", status(v), code, subject, test.status, test.code, test.subject)
			}
			if v.Refusal != nil && v.Refusal.Status == 401 && v.Refusal.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 without a challenge")
			}
		})
	}
}

// Behaviour_C2, Behaviour_C8: TestExactCaseAndDeny heeds case where that is wanted; the first rule decides, whatever its length.
func TestExactCaseAndDeny(t *testing.T) {
	t.Parallel()
	g := newWorld(t).guard(gate.Config{
		ExactCase: true, Default: gate.AccessDeny,
		Routes: []gate.Route{{Path: "/Open/**", Access: gate.AccessPublic}, {Path: "/**", Methods: []string{"PUT"}}},
	})
	for target, want := range map[string]int{"/Open/x": 0, "/open/x": 405, "/": 405} {
		if got := status(g.Decide(ask(t, "GET", target))); got != want {
			t.Errorf("%s: %d, want %d", target, got, want)
		}
	}
	g = newWorld(t).guard(gate.Config{Default: gate.AccessDeny, Routes: []gate.Route{{Path: "/open", Access: gate.AccessPublic}}})
	for target, want := range map[string]int{"/open": 0, "/": 404, "/x": 404} {
		if got := status(g.Decide(ask(t, "GET", target))); got != want {
			t.Errorf("%s: %d, want %d", target, got, want)
		}
	}
}

// A configuration that would not do what it says is refused, and the error names what is wrong.
func TestRefusedConfigurations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := []byte("0123456789abcdefghijklmnopqrstuv")
	tests := []struct {
		name string
		cfg  gate.Config
		want string
	}{
		{"no issuer", gate.Config{}, "Issuer"},
		{"audience is the issuer's", gate.Config{Issuer: w.Issuer, Audience: issuerURL}, "Audience"},
		{"public by default", gate.Config{Issuer: w.Issuer, Default: gate.AccessPublic}, "Default"},
		{"relative path", routes(w, gate.Route{Path: "admin"}), "admin"},
		{"star inside", routes(w, gate.Route{Path: "/a/*/b"}), "/a/*/b"},
		{"no path", routes(w, gate.Route{Access: gate.AccessPublic}), "path is missing"},
		{"Flask's form", routes(w, gate.Route{Path: "/orders/<int:id>"}), "/orders/<int:id>: <name>"},
		{"Go's form", routes(w, gate.Route{Path: "/orders/{id}"}), "/orders/**"},
		{"Express' form", routes(w, gate.Route{Path: "/orders/:id/lines"}), ":name"},
		{"dots", routes(w, gate.Route{Path: "/a/../b"}), "/a/../b"},
		{"method in small letters", routes(w, gate.Route{Path: "/a", Methods: []string{"get"}}), "get"},
		{"CONNECT", routes(w, gate.Route{Path: "/a", Methods: []string{"CONNECT"}}), "CONNECT"},
		{"WebSocket without GET", routes(w, gate.Route{Path: "/a", Methods: []string{"POST", "HEAD"}, WebSocket: true}), "websocket needs GET"},
		{"role of the public", routes(w, gate.Route{Path: "/a", Access: gate.AccessPublic, Roles: []string{"x"}}), "access"},
		{"staleness of the public", routes(w, gate.Route{Path: "/a", Access: gate.AccessPublic, YoungWhenStale: time.Second}), "access"},
		{"empty role", routes(w, gate.Route{Path: "/a", Roles: []string{""}}), "empty"},
		{"forwarding without a name", routes(w, gate.Route{Path: "/a", ForwardToken: true}), "name"},
		{"token and dialect in one header", gate.Config{
			Issuer: w.Issuer, Audience: ordersName, Routes: []gate.Route{{Path: "/a", ForwardToken: true}},
			Token: &gate.Dialect{Header: "Authorization", Secret: secret},
		}, "cannot both be in Authorization"},
		{"foreign Authorization behind a token", routes(w, gate.Route{Path: "/a", ForwardAuthorization: true}), "public"},
		{"names of one header", gate.Config{Issuer: w.Issuer, Names: gate.Names{Subject: "X-User", Username: "x_user"}}, "x_user"},
		{"name of HTTP's", gate.Config{Issuer: w.Issuer, Names: gate.Names{Subject: "content-length"}}, "content-length"},
		{"token where HTTP has its own", gate.Config{Issuer: w.Issuer, TokenHeader: "transfer-encoding"}, "TokenHeader: the header"},
		{"token where proxies tell the client", gate.Config{Issuer: w.Issuer, TokenHeader: "x-forwarded-for"}, "TokenHeader: the header"},
		{"token where they describe a request", gate.Config{Issuer: w.Issuer, TokenHeader: "X-Original-URI"}, "TokenHeader: the header"},
		{"key in the standard's header of proxies", gate.Config{Issuer: w.Issuer, KeyHeader: "Forwarded"}, "KeyHeader: the header"},
		{"key in another of theirs", gate.Config{Issuer: w.Issuer, KeyHeader: "X-Real-IP"}, "KeyHeader: the header"},
		{"key where a device is named", gate.Config{Issuer: w.Issuer, KeyHeader: "Doorward-Device"}, "KeyHeader: the header"},
		{"token where a browser names a site", gate.Config{Issuer: w.Issuer, TokenHeader: "origin"}, "TokenHeader: the header"},
		{"token where it names a page", gate.Config{Issuer: w.Issuer, TokenHeader: "Referer"}, "TokenHeader: the header"},
		{"token where it says who asks", gate.Config{Issuer: w.Issuer, TokenHeader: "SEC-Fetch-Site"}, "TokenHeader: the header"},
		{"token where it says what it reads", gate.Config{Issuer: w.Issuer, TokenHeader: "Accept"}, "TokenHeader: the header"},
		{"token where it lists languages", gate.Config{Issuer: w.Issuer, TokenHeader: "Accept-Language"}, "TokenHeader: the header"},
		{"token where it asks for leave", gate.Config{Issuer: w.Issuer, TokenHeader: "Access-Control-Request-Headers"}, "TokenHeader: the header"},
		{"token in cookies of another kind", gate.Config{Issuer: w.Issuer, TokenHeader: "Cookie2"}, "TokenHeader: the header"},
		{"token where proxies sign", gate.Config{Issuer: w.Issuer, TokenHeader: "Via"}, "TokenHeader: the header"},
		{"token where they cut a path", gate.Config{Issuer: w.Issuer, TokenHeader: "X-Forwarded-Path"}, "TokenHeader: the header"},
		{"key where a program names itself", gate.Config{Issuer: w.Issuer, KeyHeader: "User-Agent"}, "KeyHeader: the header"},
		{"key where it asks for a part", gate.Config{Issuer: w.Issuer, KeyHeader: "Range"}, "KeyHeader: the header"},
		{"key where it asks for news", gate.Config{Issuer: w.Issuer, KeyHeader: "If-None-Match"}, "KeyHeader: the header"},
		{"key where a body is described", gate.Config{Issuer: w.Issuer, KeyHeader: "Content-Encoding"}, "KeyHeader: the header"},
		{"key where a method is overridden", gate.Config{Issuer: w.Issuer, KeyHeader: "X-HTTP-Method-Override"}, "KeyHeader: the header"},
		{"key in what a CGI takes for another", gate.Config{Issuer: w.Issuer, KeyHeader: "user_agent"}, "KeyHeader: the header"},
		{"name that a CGI takes for HTTP's", gate.Config{Issuer: w.Issuer, Names: gate.Names{Subject: "content_type"}}, "Names.Subject: the header"},
		{"name that is none", gate.Config{Issuer: w.Issuer, Names: gate.Names{Subject: "a\r\nb"}}, "header"},
		{"short secret", gate.Config{Issuer: w.Issuer, Token: &gate.Dialect{Header: "X-T", Secret: []byte("your-secret-key")}}, "secret"},
		{"key pair", gate.Config{Issuer: w.Issuer, Token: &gate.Dialect{Header: "X-T", Algorithm: jwt.RS256, Secret: secret}}, "RS256"},
		{"unknown placeholder", gate.Config{Issuer: w.Issuer, Token: &gate.Dialect{Header: "X-T", Secret: secret, Claims: map[string]any{"u": "{user}"}}}, "{user}"},
		{"placeholder in a text", gate.Config{Issuer: w.Issuer, Token: &gate.Dialect{Header: "X-T", Secret: secret, Claims: map[string]any{"u": "user:{username}"}}}, "user:{username} is none of"},
		{"placeholder in a text in a map", gate.Config{Issuer: w.Issuer, Token: &gate.Dialect{Header: "X-T", Secret: secret, Claims: map[string]any{"u": map[string]any{"n": "user:{username}"}}}}, "user:{username} is none of"},
		{"number without quotes", gate.Config{Issuer: w.Issuer, Token: &gate.Dialect{Header: "X-T", Secret: secret, Claims: map[string]any{"u": map[string]any{"external_id": "number"}}}}, "wants quotes"},
		{"no scheme", gate.Config{Issuer: w.Issuer, Token: &gate.Dialect{Header: "X-T", Secret: secret, Scheme: "Bearer\r\nX: y"}}, "is no word"},
		{"exp", gate.Config{Issuer: w.Issuer, Token: &gate.Dialect{Header: "X-T", Secret: secret, Claims: map[string]any{"exp": 1}}}, "exp"},
		{"login host that is none", gate.Config{Issuer: w.Issuer, LoginPage: "/l", LoginHosts: []string{"a/b"}}, `"a/b" is no host`},
		{"header of no use", gate.Config{Issuer: w.Issuer, Token: &gate.Dialect{Header: "Cookie", Secret: secret}}, "Cookie"},
	}
	for _, page := range []string{"login", "//evil.example", `/\evil.example`, "javascript:alert(1)", "https://u:p@x.example", "/a#b", "ftp://x.example/"} {
		tests = append(tests, struct {
			name string
			cfg  gate.Config
			want string
		}{"login page " + page, gate.Config{Issuer: w.Issuer, LoginPage: page}, "LoginPage: the login page"})
	}
	for _, test := range tests {
		t.Run("Behaviour_B42 "+test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := gate.NewGuard(test.cfg); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q in it", err, test.want)
			}
		})
	}
}

// Whatever may hold a credential is named, so that no cache hands on what it opened.
func TestVary_Attack_C19(t *testing.T) {
	t.Parallel()
	g := newWorld(t).guard(gate.Config{TokenHeader: "X-Access-Token", TokenCookie: "token", KeyHeader: "X-Api-Key", Routes: []gate.Route{{Path: "/open", Access: gate.AccessPublic}}})
	for path, want := range map[string]string{"/x": "Authorization, X-Access-Token, Cookie, X-Api-Key", "/open": ""} {
		if v := g.Decide(ask(t, http.MethodGet, path)); v.Vary != want {
			t.Errorf("%s depends on %q, want %q", path, v.Vary, want)
		}
	}
}

func routes(w *world, rules ...gate.Route) gate.Config {
	return gate.Config{Issuer: w.Issuer, Routes: rules}
}

// TestIdentity compares what an upstream reads with what the token says.
func TestIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := []byte("abcdefghijklmnopqrstuvwxyz012345")
	g := w.guard(gate.Config{
		Audience: apiName, Names: gate.Names{Username: "x-remote_user"},
		Token: &gate.Dialect{Header: "authorization", Secret: secret, Claims: map[string]any{
			"sub": "{username}", "fresh": false, "type": "access", "roles": "{roles}", "scope": "{scope}", "id": "{subject}", "sid": "{session}",
		}},
	})
	set := w.login("u_alice")
	v := g.Decide(ask(t, "GET", "/x", bearer(set.AccessToken)...))
	h := http.Header{}
	must(t, g.SetIdentity(h, v.Claims))
	for name, want := range map[string]string{
		"Doorward-Subject": "u_alice", "X-Remote_user": "alice", "Doorward-Roles": "staff",
		"Doorward-Scope": "reports:read reports:write", "Doorward-Session": set.SessionID,
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	checkAssertion(t, w, h.Get("Doorward-Assertion"), set)
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	key, err := jwt.NewKey(jwt.HS256, secret)
	must(t, err)
	verified, err := jwt.Verify(t.Context(), token, key, "JWT")
	must(t, err)
	claims := string(verified.Claims)
	for _, want := range []string{`"sub":"alice"`, `"fresh":false`, `"type":"access"`, `"roles":["staff"]`, `"id":"u_alice"`, `"exp":`, `"jti":`} {
		if !strings.Contains(claims, want) || !ok {
			t.Errorf("%s is not in %s", want, claims)
		}
	}
	again := http.Header{}
	must(t, g.SetIdentity(again, v.Claims))
	if again.Get("Doorward-Assertion") != h.Get("Doorward-Assertion") || again.Get("Authorization") != h.Get("Authorization") {
		t.Error("signed again for the same access token")
	}
	for id, want := range map[string]string{"u_odd": "zo%C3%AB 100%25,%C2%A0x", "u_line": "x%0D%0ADoorward-Roles: admin%09%7F"} {
		odd := http.Header{}
		must(t, g.SetIdentity(odd, g.Decide(ask(t, "GET", "/x", bearer(w.token(id))...)).Claims))
		if got := odd.Get("x-remote_user"); got != want {
			t.Errorf("the name of %s is told as %q, want %q", id, got, want)
		}
	}
	nameless := http.Header{}
	must(t, w.guard(gate.Config{}).SetIdentity(nameless, v.Claims))
	if nameless.Get("Doorward-Subject") != "u_alice" || nameless["Doorward-Assertion"] != nil {
		t.Errorf("an upstream without a name, which no assertion can be for, is told %v", nameless)
	}
}

// checkAssertion verifies an assertion as an upstream does, and offers it to Doorward.
func checkAssertion(t *testing.T, w *world, raw string, set issuer.TokenSet) {
	t.Helper()
	keys, err := w.AssertionKeys()
	must(t, err)
	published, err := jwt.NewSet(keys...)
	must(t, err)
	token, err := jwt.Verify(t.Context(), raw, published, "doorward-assertion+jwt")
	must(t, err)
	var claims struct {
		Iss   string   `json:"iss"`
		Sub   string   `json:"sub"`
		Aud   string   `json:"aud"`
		Sid   string   `json:"sid"`
		Roles []string `json:"roles"`
		Name  string   `json:"preferred_username"`
		Iat   int64    `json:"iat"`
		Exp   int64    `json:"exp"`
	}
	must(t, token.Decode(&claims))
	if claims.Iss != issuerURL || claims.Sub != "u_alice" || claims.Aud != apiName || claims.Sid != set.SessionID ||
		claims.Name != "alice" || claims.Exp-claims.Iat != 60 || len(claims.Roles) != 1 {
		t.Errorf("the assertion says %+v", claims)
	}
	if _, err := jwt.Verify(t.Context(), raw, w.Keys(), "doorward-assertion+jwt"); !errors.Is(err, jwt.ErrKey) {
		t.Errorf("a verifier of access tokens knows the assertion's key: %v", err)
	}
	v, err := doorward.NewVerifier(doorward.Config{Issuer: issuerURL, Audience: apiName, Keys: published, Revocations: w.Revocations()})
	must(t, err)
	if _, err := v.Verify(t.Context(), raw); !errors.Is(err, jwt.ErrType) {
		t.Errorf("an assertion passes for an access token: %v", err)
	}
	if err := w.Logout(t.Context(), raw, issuer.Event{}); !errors.Is(err, issuer.ErrToken) {
		t.Errorf("an assertion logs out: %v", err)
	}
	if d := w.guard(gate.Config{}).Decide(ask(t, "GET", "/x", bearer(raw)...)); d.Refusal == nil {
		t.Error("an assertion passes the gate")
	}
}

// TestStripped tells the upstream who somebody is in every spelling that a server may take for one of the
// gate's headers: nothing of it arrives, and what the gate says of the caller is the same as without.
func TestStripped(t *testing.T) {
	t.Parallel()
	names := []string{
		"Doorward-Subject", "doorward_subject", "DOORWARD.USERNAME", "Doorward-Anything", "doorward_", "X-User-Id", "x_user_id", "X.User-ID", "X!User~Id",
		"X-Forwarded-User", "X_Forwarded_For", "x-forwarded-host", "Forwarded", "X-Original-URL", "X_Rewrite_Url", "X-Real-IP",
		"Authorization", "authorization", "X-Access-Token", "x_access_token", "X-HTTP-Method-Override", "X_Http_Method", "HTTP2-Settings",
		"Proxy-Authorization", "X-Upstream-Token", "SCRIPT_NAME", "Script-Name", "path_info", "X-Script-Name", "X_SCRIPT_NAME", "Daphne-Root-Path",
		"Grpc-Metadata-Doorward-Subject", "grpc_metadata_x_user_id", strings.Repeat("x", 128),
	}
	w := newWorld(t)
	g := w.guard(gate.Config{
		TokenHeader: "x-access-token", Names: gate.Names{Subject: "X-User-Id", Scope: strings.Repeat("x", 128)}, // the longest
		Token:  &gate.Dialect{Header: "X-Upstream-Token", Secret: []byte("abcdefghijklmnopqrstuvwxyz012345")},
		Routes: []gate.Route{{Path: "/x", Methods: []string{"GET"}}},
	})
	claims := g.Decide(ask(t, "GET", "/x", bearer(w.token("u_alice"))...)).Claims
	for _, name := range names {
		t.Run("Attack_C06 "+name, func(t *testing.T) {
			h := http.Header{textproto.CanonicalMIMEHeaderKey(name): {"u_admin", "u_admin"}, "Cookie": {"a=b; __Host-dw_refresh=x; __host-DWx=y", "__Host-dw_refresh=z"}}
			must(t, g.SetIdentity(h, nil))
			if len(h) != 1 || h.Get("Cookie") != "a=b" || len(h["Cookie"]) != 1 {
				t.Errorf("arrives: %v", h)
			}
			h = http.Header{textproto.CanonicalMIMEHeaderKey(name): {"u_admin"}}
			must(t, g.SetIdentity(h, claims))
			for name, values := range h {
				if len(values) != 1 || values[0] == "u_admin" {
					t.Errorf("arrives: %s: %v", name, values)
				}
			}
		})
	}
}

// Attack_C06, Standard_S08: TestHeaderNames sends every header name that people have seen, in all spellings, claiming to be somebody else.
func TestHeaderNames(t *testing.T) {
	t.Parallel()
	corpora := os.Getenv("DOORWARD_CORPORA")
	if corpora == "" {
		t.Skip("DOORWARD_CORPORA is not set: the list of header names is not tried")
	}
	f, err := os.Open(filepath.Join(corpora, "payloads-all-the-things/request-header-names.txt"))
	must(t, err)
	defer f.Close()
	w := newWorld(t)
	var count int
	for scan := bufio.NewScanner(f); scan.Scan(); {
		name := strings.TrimSpace(scan.Text())
		g, err := gate.NewGuard(gate.Config{Issuer: w.Issuer, Names: gate.Names{Subject: name}})
		if err != nil {
			continue // It has a meaning of its own in HTTP.
		}
		count++
		for _, spelled := range spellings(name) {
			h := http.Header{spelled: {"u_admin"}}
			if err := g.SetIdentity(h, nil); err != nil || len(h) != 0 {
				t.Errorf("%s passes for %s", spelled, name)
			}
		}
	}
	if count < 1000 {
		t.Fatalf("only %d names", count)
	}
}

// spellings are those that a server may take for one name.
func spellings(name string) []string {
	var all []string
	for _, joint := range []string{"-", "_", ".", "~", "+", "!"} {
		s := strings.NewReplacer("-", joint, "_", joint).Replace(name)
		all = append(all, s, strings.ToUpper(s), strings.ToLower(s), http.CanonicalHeaderKey(s))
	}
	return all
}
