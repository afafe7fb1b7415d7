package forward_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/forward"
	"github.com/doorward/doorward/internal/gate"
)

// The requests below are what each proxy sends for a client's
//
//	GET /orders/7?x=1 with Authorization and User-Agent, to api.example.com, from 203.0.113.9.
//
// nginx: examples/nginx/doorward.conf; nginx 1.22.1 as a test in cmd/doorward saw it.
const nginx = `GET /auth/forward-auth/nginx HTTP/1.0
Host: api.example.com
X-Original-Method: GET
X-Original-URI: /orders/7?x=1
X-Original-Host: api.example.com
X-Original-Proto: https
Authorization: Bearer TOKEN
User-Agent: curl/8

`

// Caddy: modules/caddyhttp/reverseproxy/forwardauth/caddyfile.go and addForwardedHeaders in
// modules/caddyhttp/reverseproxy/reverseproxy.go, v2.11.4; the same since v2.6.2.
const caddy = `GET /auth/forward-auth/caddy HTTP/1.1
Host: api.example.com
User-Agent: curl/8
Authorization: Bearer TOKEN
Accept-Encoding: gzip
X-Forwarded-For: 203.0.113.9
X-Forwarded-Host: api.example.com
X-Forwarded-Method: GET
X-Forwarded-Proto: https
X-Forwarded-Uri: /orders/7?x=1

`

// Traefik: writeHeader and forwardedPort in pkg/middlewares/auth/forward.go, v3.7.13, with trustForwardHeader: false, and the same
// as a real one of that version sent it.
const traefik = `GET /auth/forward-auth/traefik HTTP/1.1
Host: 127.0.0.1:8080
User-Agent: curl/8
Authorization: Bearer TOKEN
X-Forwarded-For: 203.0.113.9
X-Forwarded-Host: api.example.com
X-Forwarded-Method: GET
X-Forwarded-Port: 443
X-Forwarded-Proto: https
X-Forwarded-Uri: /orders/7?x=1
Accept-Encoding: gzip

`

// Traefik 2: writeHeader of the same file in version 2, which also leaves Accept and X-Forwarded-Server of its entry point.
const traefik2 = `GET /auth/forward-auth/traefik HTTP/1.1
Host: 127.0.0.1:8080
User-Agent: curl/8
Accept: */*
Authorization: Bearer TOKEN
X-Forwarded-For: 203.0.113.9
X-Forwarded-Host: api.example.com
X-Forwarded-Method: GET
X-Forwarded-Port: 443
X-Forwarded-Proto: wss
X-Forwarded-Server: front
X-Forwarded-Uri: /orders/7?x=1
X-Real-Ip: 203.0.113.9
Accept-Encoding: gzip

`

// Envoy: RawHttpClientImpl::check in source/extensions/filters/common/ext_authz/ext_authz_http_impl.cc and
// CheckRequestUtils::setHttpRequest in check_request_utils.cc beside it: method, path after path_prefix,
// host and allowed headers; Content-Length is always 0. The router adds X-Forwarded-For and its own x-envoy headers.
const envoy = `GET /auth/forward-auth/envoy/orders/7?x=1 HTTP/1.1
host: api.example.com
authorization: Bearer TOKEN
content-length: 0
x-envoy-internal: true
x-forwarded-for: 192.0.2.7
x-envoy-expected-rq-timeout-ms: 2000

`

var questions = map[string]string{"nginx": nginx, "caddy": caddy, "traefik": traefik, "traefik 2": traefik2, "envoy": envoy}

// owned are the headers that an answer always has.
var owned = []string{
	"Authorization", "Cookie", "Doorward-Assertion", "Doorward-External-Id", "Doorward-Roles", "Doorward-Scope", "Doorward-Session", "Doorward-Subject", "Doorward-Username",
}

// TestQuestions replays what each proxy sends.
func TestQuestions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, question := range questions {
		got := w.ask(trusted, question)
		if got.StatusCode != 200 || got.Header.Get("Doorward-Username") != "alice" || got.Header.Get("Doorward-Roles") != "staff" ||
			got.Header.Get("Doorward-Subject") != "u_alice" || got.Header.Get("Doorward-Scope") != "a:read" || got.Header.Get("Doorward-Assertion") == "" {
			t.Errorf("%s: %d %v", name, got.StatusCode, got.Header)
		}
		if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Authorization") != "" {
			t.Errorf("%s: %v", name, got.Header)
		}
		anonymous := strings.Replace(question, "Authorization: Bearer TOKEN\n", "", 1)
		anonymous = strings.Replace(anonymous, "authorization: Bearer TOKEN\n", "", 1)
		status := 401
		if got := w.ask(trusted, anonymous); got.StatusCode != status || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s without a token: %d %v", name, got.StatusCode, got.Header)
		}
		open := w.ask(trusted, strings.Replace(anonymous, "/orders/7", "/open/7", 1))
		if open.StatusCode != 200 {
			t.Errorf("%s, an open path: %d", name, open.StatusCode)
		}
		for _, header := range owned {
			if values, ok := open.Header[header]; ok == (name == "nginx") || ok && (len(values) != 1 || values[0] != "") {
				t.Errorf("%s: the answer about nobody has %s: %q", name, header, values)
			}
		}
		removed := strings.Split(open.Header.Get("X-Envoy-Auth-Headers-To-Remove"), ",")
		slices.Sort(removed)
		if name == "envoy" && !slices.Equal(removed, owned) {
			t.Errorf("Envoy is told to remove %v", removed)
		}
	}
}

// TestStrangers: questions count from trusted peers alone, and the log says how to trust another.
func TestStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, question := range questions {
		for range 3 {
			got := w.ask(stranger, question)
			if got.StatusCode != 403 || got.Header.Get("Doorward-Subject") != "" || got.Header.Get("Doorward-Assertion") != "" {
				t.Errorf("Attack_C08 %s: %d %v", name, got.StatusCode, got.Header)
			}
		}
	}
	if told := strings.Count(w.logs.String(), "trusted_proxies: [198.51.100.1]"); told != 1 {
		t.Errorf("the log says %d times how to allow it:\n%s", told, w.logs)
	}
	for _, from := range []string{"@", "", "[::ffff:192.0.2.7]:9", "[::ffff:198.51.100.1]:9", "127.0.0.2:1", "[::1]:1"} {
		want := 403
		if from == "[::ffff:192.0.2.7]:9" {
			want = 200
		}
		if got := w.ask(from, caddy); got.StatusCode != want {
			t.Errorf("Attack_C08 from %q: %d", from, got.StatusCode)
		}
	}
	for i := range 200 {
		w.ask("203.0.113."+string(rune('0'+i%10))+string(rune('0'+i/10%10))+":1", nginx)
	}
	if told := strings.Count(w.logs.String(), "trusted_proxies: ["); told > 64 {
		t.Errorf("the log tells of %d peers", told)
	}
}

// The record of a refusal names the rule, what it wanted of whom, and at level debug the client's path.
func TestRefusalInTheLog(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	w := newWorld(t, func(_ *gate.Config, c *forward.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w.ask(trusted, strings.ReplaceAll(nginx, "/orders/7?x=1", "/admin/7?x=1"))
	for _, part := range []string{
		` error=insufficient_scope reason="doorward: role missing: wants one of [\"admin\"], has [\"staff\"]" sub=u_alice sid=`,
		" rule=/admin/** path=/admin/7 proxy=nginx\n",
	} {
		if !strings.Contains(logs.String(), part) {
			t.Errorf("the log lacks %s:\n%s", part, &logs)
		}
	}
}

// TestNobodyIsTrusted is the default.
func TestNobodyIsTrusted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(g *gate.Config, _ *forward.Config) { g.TrustedProxies = nil })
	for _, from := range []string{trusted, "127.0.0.1:1", "[::1]:1", "10.0.0.1:1"} {
		if got := w.ask(from, caddy); got.StatusCode != 403 {
			t.Errorf("Attack_C08 from %s: %d", from, got.StatusCode)
		}
	}
}

// TestQuestionsThatContradict has what no proxy sends.
func TestQuestionsThatContradict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	line := func(old, with string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, with, 1) }
	}
	for _, test := range []struct {
		name, question string
		change         func(string) string
		status         int
	}{
		{"no method", caddy, line("X-Forwarded-Method: GET\n", ""), 400},
		{"no URI", traefik, line("X-Forwarded-Uri: /orders/7?x=1\n", ""), 400},
		{"no host", caddy, line("X-Forwarded-Host: api.example.com\n", ""), 400},
		{"no scheme", caddy, line("X-Forwarded-Proto: https\n", ""), 400},
		{"empty URI", caddy, line("X-Forwarded-Uri: /orders/7?x=1\n", "X-Forwarded-Uri:\n"), 400},
		{"two URIs", caddy, line("X-Forwarded-Uri: ", "X-Forwarded-Uri: /open/x\nX-Forwarded-Uri: "), 400},
		{"two methods", traefik, line("X-Forwarded-Method: ", "X-Forwarded-Method: GET\nX-Forwarded-Method: "), 400},
		{"methods in a list", traefik, line("X-Forwarded-Method: GET", "X-Forwarded-Method: GET, POST"), 400},
		{"two hosts", caddy, line("X-Forwarded-Host: api.example.com", "X-Forwarded-Host: api.example.com, evil.example"), 400},
		{"scheme", caddy, line("Proto: https", "Proto: javascript"), 400},
		{"URI of another host", caddy, line("Uri: /orders/7?x=1", "Uri: https://api.example.com/open/x"), 400},
		{"no path", caddy, line("Uri: /orders/7?x=1", "Uri: *"), 400},
		{"relative", caddy, line("Uri: /orders/7?x=1", "Uri: open/x"), 400},
		{"broken escape", caddy, line("Uri: /orders/7?x=1", "Uri: /open/%zz"), 400},
		{"two proxies: nginx and Caddy", caddy, line("User-Agent", "X-Original-URI: /open/x\nUser-Agent"), 400},
		{"two proxies: Caddy and nginx", nginx, line("User-Agent", "X-Forwarded-Uri: /open/x\nUser-Agent"), 403},
		{"two proxies: a method", nginx, line("User-Agent", "X-Forwarded-Method: GET\nUser-Agent"), 403},
		{"two proxies: Envoy and Traefik", envoy, line("content-length", "X-Forwarded-Uri: /open/x\ncontent-length"), 400},
		{"two proxies: a rewritten URL", traefik, line("User-Agent", "X-Rewrite-Url: /open/x\nUser-Agent"), 400},
		{"nginx asks as Caddy", nginx, line("forward-auth/nginx", "forward-auth/caddy"), 400},
		{"Caddy asks as nginx", caddy, line("forward-auth/caddy", "forward-auth/nginx"), 403},
		{"disguised", traefik, line("User-Agent", "Doorward_Subject: u_admin\nUser-Agent"), 400},
		{"disguised with dots", traefik, line("User-Agent", "doorward.roles: admin\nUser-Agent"), 400},
		{"disguised for gRPC", traefik, line("User-Agent", "Grpc-Metadata-Doorward-Subject: u_admin\nUser-Agent"), 400},
		{"metadata of the API's own", traefik, line("User-Agent", "Grpc-Metadata-Authorization: x\nUser-Agent"), 200},
		{"a name of the API's own", traefik, line("User-Agent", "X_Trace_Id: x\nUser-Agent"), 200},
		{"Attack_C10 disguised URL", caddy, line("User-Agent", "X_Original_URL: /admin\nUser-Agent"), 400},
		{"Attack_C10 disguised URL with dots", caddy, line("User-Agent", "X.Rewrite.Url: /admin\nUser-Agent"), 400},
		{"Attack_C08 disguised address", caddy, line("User-Agent", "X-Forwarded_For: 1.2.3.4\nUser-Agent"), 400},
		{"Attack_C10 disguised method", caddy, line("User-Agent", "X_HTTP_Method_Override: PUT\nUser-Agent"), 400},
		{"Attack_C10 disguised path", traefik, line("User-Agent", "SCRIPT_NAME: /open\nUser-Agent"), 400},
		{"Attack_C06 in its own name", traefik, line("User-Agent", "Doorward-Roles: admin\nUser-Agent"), 200},
		{"unknown proxy", caddy, line("forward-auth/caddy", "forward-auth/squid"), 404},
		{"a path after a name", caddy, line("forward-auth/caddy", "forward-auth/caddy/x"), 404},
		{"no path after Envoy", envoy, line("envoy/orders/7?x=1", "envoy"), 404},
		{"Attack_C10 doubled", envoy, line("envoy/orders", "envoy//orders"), 400},
		{"Attack_C10 climbing", envoy, line("envoy/orders", "envoy/open/../orders"), 400},
		{"Attack_C10 escaped", traefik, line("Uri: /orders/7", "Uri: /open%2f..%2forders"), 400},
		{"Attack_C10 fragment", caddy, line("Uri: /orders/7?x=1", "Uri: /open#/../orders"), 400},
		{"Attack_C11 method", caddy, line("Method: GET", "Method: TRACE"), 405},
		{"Attack_C11 HEAD is GET", envoy, line("GET /auth/forward-auth/envoy/orders/7", "HEAD /auth/forward-auth/envoy/read"), 200},
		{"Attack_C11 of the rule", envoy, line("GET /auth/forward-auth/envoy/orders/7", "POST /auth/forward-auth/envoy/read"), 405},
		{"denied", caddy, line("Uri: /orders/7", "Uri: /never"), 404},
		{"no role", traefik, line("Uri: /orders/7", "Uri: /admin/x"), 403},
		{"rule in capitals", traefik, line("Uri: /orders/7", "Uri: /ADMIN/x"), 403},
		{"two tokens", caddy, line("Authorization", "Authorization: Bearer x\nAuthorization"), 400},
		{"Attack_C12 health", caddy, line("User-Agent: curl/8\nAuthorization: Bearer TOKEN", "User-Agent: GoogleHC/1.0"), 401},
		{"WebSocket where no rule allows it", caddy, line("User-Agent", "Sec-WebSocket-Key: x\nUser-Agent"), 403},
		{"WebSocket", traefik2, line("Uri: /orders/7?x=1", "Uri: /socket\nSec-WebSocket-Key: x"), 200},
		{"Attack_C18 WebSocket from elsewhere", traefik, line("Uri: /orders/7?x=1", "Uri: /socket\nSec-WebSocket-Key: x\nOrigin: https://evil.example"), 403},
		{"Attack_C18 WebSocket from here", traefik, line("Uri: /orders/7?x=1", "Uri: /socket\nSec-WebSocket-Key: x\nOrigin: https://api.example.com"), 200},
		{"Attack_C18 WebSocket without a token", caddy, strings.NewReplacer("Authorization: Bearer TOKEN\n", "", "Uri: /orders/7?x=1", "Uri: /socket\nSec-WebSocket-Key: x").Replace, 401},
		{"Attack_C18 another protocol", caddy, line("Uri: /orders/7?x=1", "Uri: /socket\nUpgrade: h2c"), 403},
		{"Attack_C18 another protocol with the key of a WebSocket", caddy, line("Uri: /orders/7?x=1", "Uri: /socket\nUpgrade: h2c\nSec-WebSocket-Key: x"), 403},
		{"Attack_C18 a WebSocket without its key", envoy, line("content-length", "upgrade: websocket\ncontent-length"), 403},
		{"Attack_C18 a WebSocket that may be, without its key", envoy, line("orders/7?x=1 HTTP/1.1", "socket HTTP/1.1\nupgrade: websocket"), 200},
		{"Attack_C18 two protocols", caddy, line("Uri: /orders/7?x=1", "Uri: /socket\nUpgrade: websocket\nUpgrade: h2c\nSec-WebSocket-Key: x"), 403},
		{"Attack_C18 no protocol, then another", caddy, line("Uri: /orders/7?x=1", "Uri: /socket\nUpgrade:\nUpgrade: h2c"), 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := test.change(test.question)
			if changed == test.question {
				t.Fatal("nothing is changed")
			}
			got := w.ask(trusted, changed)
			if got.StatusCode != test.status {
				t.Errorf("%d, want %d: %v", got.StatusCode, test.status, got.Header)
			}
			if got.StatusCode != 200 && got.Header.Get("Doorward-Subject")+got.Header.Get("Doorward-Assertion") != "" {
				t.Errorf("a refusal tells who is asking: %v", got.Header)
			}
			if got.StatusCode == 200 && got.Header.Get("Doorward-Roles") != "staff" {
				t.Errorf("a client says who it is: %v", got.Header)
			}
		})
	}
}

// TestStale: who cannot know whether a token was revoked says so, to good tokens alone.
func TestStale(t *testing.T) {
	t.Parallel()
	w := newWorldAlone(t, shortly)
	w.waitForStale()
	for name, question := range questions {
		got := w.ask(trusted, question)
		status, want := got.StatusCode, 503
		if name == "nginx" {
			want = 403
		}
		if status != want || got.Header.Get("Retry-After") == "" || name == "nginx" && got.Header.Get("Doorward-Status") != "503" {
			t.Errorf("%s: %d %v", name, status, got.Header)
		}
		if got := w.ask(trusted, strings.Replace(question, "TOKEN", "rubbish", 1)); got.StatusCode != 401 {
			t.Errorf("%s, a bad token: %d", name, got.StatusCode)
		}
	}
}

// The header of tokens may have an underscore in its name: in other spellings it is disguised, in its own it is not.
func TestTokenHeaderWithUnderscore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(g *gate.Config, _ *forward.Config) { g.TokenHeader = "access_token" })
	for name, want := range map[string]int{"access_token": 200, "Access_Token": 200, "access.token": 400} {
		if got := w.ask(trusted, strings.Replace(traefik, "Authorization: Bearer ", name+": ", 1)); got.StatusCode != want {
			t.Errorf("%s: %d, want %d", name, got.StatusCode, want)
		}
	}
}

// TestPreflights pass without a token, for they carry none.
func TestPreflights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	preflight := "Origin: https://app.example\nAccess-Control-Request-Method: PUT\n"
	asked := strings.NewReplacer("Authorization: Bearer TOKEN\n", preflight, "X-Forwarded-Method: GET", "X-Forwarded-Method: OPTIONS").Replace(traefik)
	if got := w.ask(trusted, asked); got.StatusCode != 200 || got.Header.Get("Doorward-Subject") != "" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	if got := w.ask(trusted, strings.Replace(asked, "Origin: https://app.example\n", "", 1)); got.StatusCode != 401 {
		t.Errorf("Attack_C11 OPTIONS that is no preflight: %d", got.StatusCode)
	}
	w = newWorld(t, func(g *gate.Config, _ *forward.Config) { g.Routes = nil })
	if got := w.ask(trusted, strings.Replace(asked, "Origin:", "X_HTTP_Method_Override: PUT\nOrigin:", 1)); got.StatusCode != 400 {
		t.Errorf("Attack_C11 a preflight that overrides its method: %d", got.StatusCode)
	}
	w = newWorld(t)
	if got := w.ask(trusted, strings.Replace(asked, "/orders/7", "/never", 1)); got.StatusCode != 404 {
		t.Errorf("of what is denied: %d", got.StatusCode)
	}
}

// TestCredentialsThatPass are those that a rule or the API's own dialect asks for, and foreign cookies.
func TestCredentialsThatPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(g *gate.Config, _ *forward.Config) {
		g.TokenHeader, g.TokenCookie = "X-Access-Token", "app_token"
		g.Token = &gate.Dialect{Header: "Authorization", Secret: []byte("abcdefghijklmnopqrstuvwxyz012345"), Claims: map[string]any{"user": "{username}"}}
		g.Routes = []gate.Route{{Path: "/hook", Access: gate.AccessPublic, ForwardAuthorization: true}}
	})
	asked := strings.Replace(caddy, "Authorization: Bearer TOKEN", "Cookie: a=b; app_token=TOKEN; __Host-dw_refresh=x; c=d", 1)
	got := w.ask(trusted, asked)
	if got.StatusCode != 200 || got.Header.Get("Cookie") != "a=b; c=d" {
		t.Fatalf("%d %v", got.StatusCode, got.Header)
	}
	if values, ok := got.Header["X-Access-Token"]; !ok || values[0] != "" {
		t.Errorf("the header of tokens: %q", values)
	}
	dialect, ok := strings.CutPrefix(got.Header.Get("Authorization"), "Bearer ")
	if !ok || dialect == w.alice {
		t.Fatalf("the API's own token: %v", got.Header)
	}
	parts := strings.Split(dialect, ".")
	if payload, err := base64.RawURLEncoding.DecodeString(parts[len(parts)/2]); err != nil || !strings.Contains(string(payload), `"user":"alice"`) {
		t.Errorf("%v %s", err, payload)
	}
	foreign := strings.NewReplacer("Bearer TOKEN", "Basic Zm9v", "/orders/7", "/hook").Replace(caddy)
	if got := w.ask(trusted, foreign); got.Header.Get("Authorization") != "Basic Zm9v" {
		t.Errorf("a foreign Authorization on a route that passes it: %v", got.Header)
	}
	if got := w.ask(trusted, strings.Replace(caddy, "/orders/7", "/hook", 1)); got.Header.Get("Authorization") != "" {
		t.Errorf("a token of ours on that route: %v", got.Header)
	}
	cross := strings.NewReplacer("Method: GET", "Method: POST", "User-Agent", "Sec-Fetch-Site: cross-site\nUser-Agent").Replace(asked)
	if got := w.ask(trusted, cross); got.StatusCode != 403 {
		t.Errorf("a cookie on a request of another site: %d", got.StatusCode)
	}
	if got := w.ask(trusted, strings.Replace(asked, "User-Agent", "Sec-WebSocket-Key: x\nOrigin: https://evil.example\nUser-Agent", 1)); got.StatusCode != http.StatusForbidden {
		t.Errorf("a cookie on a WebSocket of another site: %d", got.StatusCode)
	}
}
