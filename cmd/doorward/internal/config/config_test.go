package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/google/go-cmp/cmp"
)

// write makes a file in a new folder and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "doorward.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Flags win over the environment, which wins over the file, and each value knows where it came from.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(config.Source{
		File:    write(t, "listen: 127.0.0.1:1\nissuer: https://file.example\naccess_ttl: 1m\naudience: file\n"),
		Environ: []string{"DOORWARD_ISSUER=https://env.example", "DOORWARD_ACCESS_TTL=2m", "DOORWARD_AUDIENCE=", "PATH=/bin"},
		Flags:   map[string]string{"access_ttl": "3m"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "127.0.0.1:1" || cfg.Issuer != "https://env.example" || cfg.AccessTTL != 3*time.Minute || cfg.Audience != "file" {
		t.Errorf("flags over environment over file over default does not hold: %+v", cfg)
	}
	for key, want := range map[string]string{"issuer": "DOORWARD_ISSUER", "access_ttl": "--access-ttl", "data": "default"} {
		if got := cfg.Origin(key); got != want {
			t.Errorf("Origin(%q) = %q, want %q", key, got, want)
		}
	}
	if got := cfg.Origin("listen"); !strings.HasSuffix(got, "doorward.yaml:1:9") {
		t.Errorf("Origin(listen) = %q", got)
	}
}

// Covers Behaviour_F2: every setting is read from a file, and again from what is printed of it.
func TestEverySettingFromFile(t *testing.T) {
	t.Parallel()
	text := `
data: /var/lib/doorward
master_key_file: /etc/doorward/master.key
database_file: /etc/doorward/database
database_connections: 8
listen: 0.0.0.0:8443
metrics: {listen: "127.0.0.1:9090"}
admin: {listen: "127.0.0.1:9091", export_hashes: true}
issuer: https://auth.example.com
audience: https://auth.example.com
audiences: [orders, "billing", api]
access_ttl: 5m
session: {idle: 7d, absolute: 14d}
recent_login: 1m
max_staleness: 30s
stale: young:20s
refresh:
  window: 20s
  budget: 4
  limit: 60
  strict: false
keys:
  algorithm: ES256
  lifetime: 30d
  publish_lead: 1h
audit: {retention: 30d}
tls: {cert: a.pem, key: b.pem}
insecure_http: false
server.h2c: false
server: {prefix: /auth, drain: 5s}
login: {token_field: token, page: /login.html, hosts: [app.example.com, "app.example.com:8443"]}
cors:
  origins: ["https://app.example.com", "capacitor://localhost"]
  credentials: ["https://app.example.com:8443"]
tokens: {header: x-access-token, username: false, cookie: app_token}
api_keys: {header: X-API-Key}
upstream: http://127.0.0.1:5000
upstream.audience: api
upstream.timeout: 5s
upstream.connections: 7
upstream.ca_file: ca.pem
upstream.token: {header: x-access-token, scheme: Token, alg: HS512, secret_file: s, claims: {user: {id: "{username}"}, n: 1, fresh: false, none: null}}
routes:
  - {path: /, access: public, forward_authorization: true}
  - path: /reports/**
    methods: [GET]
    require: {roles: [a, b], scope: ["x:y"], recent: 5m}
    raw_path: true
    young_when_stale: 10s
    websocket: true
    timeout: 2s
    cors: {origins: ["https://a.example"], credentials: true, methods: [GET], headers: [X-A], expose: [X-B], max_age: 10m, private_network: true}
  - {path: /own, forward_token: true}
routes.default: deny
routes.case: exact
identity: {subject: a, username: b, roles: c, scope: d, session: e, assertion: f, external_id: g}
trusted_proxies: [127.0.0.1, "10.0.0.0/8", "::1"]
accounts: {registration: open, max_sessions: 61}
password: {min_length: 8, breached_file: breached.txt}
log: {level: debug, format: json}
limits:
  {connections: 50, login_network: 51, login_all: 52, refresh_network: 53, refresh_all: 54,
   reset_network: 55, reset_all: 56, register_network: 57, register_all: 58,
   forward_network: 59, forward_all: 60, api_keys_network: 61, api_keys_all: 62,
   client_network: 63, client_all: 64, introspect_client: 65, introspect_all: 66}
`
	cfg, err := config.Load(config.Source{File: write(t, text)})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range config.Settings() {
		if s.Key != "database" && cfg.Origin(s.Key) == "default" {
			t.Errorf("%s was not read", s.Key)
		}
	}
	again, err := config.Load(config.Source{File: write(t, cfg.YAML())})
	if err != nil {
		t.Fatalf("what YAML wrote does not load: %v\n%s", err, cfg.YAML())
	}
	for _, s := range config.Settings() {
		if got, want := again.Text(s), cfg.Text(s); got != want {
			t.Errorf("%s: %q after a round trip, want %q", s.Key, got, want)
		}
	}
}

// TestFedBack checks that what is printed loads as the same configuration, for
// settings that exclude each other too.
func TestFedBack(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "refresh: {strict: true}", "listen: 127.0.0.1:0", "issuer: \"http://[::1]:80\"", "audiences: [\"a\\\"b#c\"]"} {
		cfg, err := config.Load(config.Source{File: write(t, text)})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := config.Load(config.Source{File: write(t, cfg.YAML())})
		if err != nil {
			t.Fatalf("%s: %v\n%s", text, err, cfg.YAML())
		}
		for _, s := range config.Settings() {
			if diff := cmp.Diff(cfg.Text(s), again.Text(s)); diff != "" {
				t.Errorf("%s: %s: %s", text, s.Key, diff)
			}
		}
	}
}

// Each setting has a variable of its own, and a variable that is none of them is named.
func TestEnvironmentNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range config.Settings() {
		if seen[s.Env()] || seen[s.Key] {
			t.Errorf("%s is there twice", s.Key)
		}
		seen[s.Env()], seen[s.Key] = true, true
	}
	if len(seen) < 40 {
		t.Fatalf("only %d settings", len(seen)/2)
	}
	got := config.Unknown([]string{"DOORWARD_SESSION_IDLE=1h", "DOORWARD_ISUER=x", "DOORWARD_CONFIG=y", "HOME=/"})
	if diff := cmp.Diff([]string{"DOORWARD_ISUER"}, got); diff != "" {
		t.Error(diff)
	}
}

// Covers Attack_G10, Behaviour_B43: a configuration with a fault is refused, and the fault says where it is and, where it
// can, what to do.
func TestAttack_H12(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		file  string
		env   []string
		flags map[string]string
		want  string // in one of the problems
		hint  string
	}{
		{name: "unknown key", file: "listen: 127.0.0.1:1\nallowed_algs: [none]\n", want: "doorward.yaml:2:1: allowed_algs: unknown key"},
		{name: "typo", file: "isuer: https://a.example\n", want: ":1:1: isuer: unknown key", hint: "did you mean issuer"},
		{name: "unknown key in a group", file: "keys:\n  algoritm: ES256\n", want: ":2:3: keys.algoritm: unknown key", hint: "did you mean keys.algorithm"},
		{name: "key outside its group", file: "algorithm: ES256\n", want: "algorithm: unknown key", hint: "did you mean keys.algorithm"},
		{name: "algorithm none", file: "keys: {algorithm: none}", want: "keys.algorithm: want EdDSA, ES256 or RS256"},
		{name: "algorithm of a secret", file: "keys: {algorithm: HS256}", want: "keys.algorithm: want"},
		{name: "empty algorithm", file: "keys: {algorithm: ''}", want: "keys.algorithm: want"},
		{name: "algorithm list", file: "keys: {algorithm: [EdDSA, HS256]}", want: "keys.algorithm: want a text"},
		{name: "key twice", file: "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", want: ":2:1: mapping key \"listen\" already defined"},
		{name: "anchors", file: "listen: &a 127.0.0.1:1\nissuer: *a\n", want: "listen: want a text"},
		{name: "merge", file: "<<: {listen: 127.0.0.1:1}\n", want: "is not a key"},
		{name: "two documents", file: "listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2\n", want: "second document"},
		{name: "one setting in two spellings", file: "session: {idle: 3d}\nsession.idle: 4d\n", want: ":2:15: session.idle: is set already, at "},
		{name: "not YAML", file: "listen: [", want: "doorward.yaml:1:9"},
		{name: "a list", file: "- listen\n", want: "want settings"},
		{name: "group without members", file: "keys: EdDSA\n", want: "keys: want settings"},
		{name: "no value", file: "issuer:\n", want: "issuer: has no value"},
		{name: "yes is no switch", file: "insecure_http: yes\n", want: "insecure_http: want true or false"},
		{name: "number as text", file: "audience: 12\n", want: "audience: want a text"},
		{name: "duration without unit", file: "access_ttl: 600\n", want: "access_ttl: want a duration with its unit"},
		{name: "long tokens", file: "access_ttl: 25h\n", want: "access_ttl: want a duration between"},
		{name: "negative duration", flags: map[string]string{"access_ttl": "-1m"}, want: "--access-ttl: want a duration between 10s and 22h"},
		{name: "http issuer", file: "issuer: http://auth.example.com\n", want: "issuer: want https"},
		{name: "issuer with a query", env: []string{"DOORWARD_ISSUER=https://a.example/?x"}, want: "DOORWARD_ISSUER: want a URL without"},
		{name: "issuer with a user", flags: map[string]string{"issuer": "https://u:pw@a.example"}, want: "--issuer: want a URL without"},
		{name: "issuer with a space", file: "issuer: https://a.example/a b\n", want: ":1:9: issuer: want a URL whose path"},
		{name: "issuer with an escaped space", file: "issuer: https://a.example/%20b\n", want: "issuer: want a URL whose path"},
		{name: "issuer with a wildcard", file: "issuer: 'https://a.example/{realm}'\n", want: "issuer: want a URL whose path"},
		{name: "issuer with dots", file: "issuer: https://a.example/a/../b\n", want: "issuer: want a URL whose path"},
		{name: "issuer with two slashes", file: "issuer: https://a.example/a//b\n", want: "issuer: want a URL whose path"},
		{name: "issuer with two slashes at the end", file: "issuer: https://a.example//\n", want: "issuer: want a URL whose path"},
		{name: "relative issuer", flags: map[string]string{"issuer": "auth.example.com"}, want: "--issuer: want an absolute URL"},
		{name: "all interfaces without TLS", flags: map[string]string{"listen": "0.0.0.0:80", "issuer": "https://a.example"}, want: "is not loopback, and there is no TLS", hint: "--insecure-http"},
		{name: "empty host", flags: map[string]string{"listen": ":80", "issuer": "https://a.example"}, want: "is not loopback"},
		{name: "no issuer off loopback", flags: map[string]string{"listen": "0.0.0.0:80", "insecure_http": "true"}, want: "issuer: is required"},
		{name: "listen without port", flags: map[string]string{"listen": "127.0.0.1"}, want: "--listen: want host:port"},
		{name: "listen on a port that is none", flags: map[string]string{"listen": "127.0.0.1:65536"}, want: "--listen: want a port between 0 and 65535"},
		{name: "issuer with a port that is none", file: "issuer: https://a.example:65536\n", want: ":1:9: issuer: want a port between 1 and 65535"},
		{name: "upstream with a port that is none", file: "upstream: http://127.0.0.1:99999\n", want: ":1:11: upstream: want a port between 1 and 65535"},
		{name: "upstream with port 0", flags: map[string]string{"upstream": "h2c://[::1]:0/"}, want: "--upstream: want a port between 1 and 65535"},
		{name: "login page with a port that is none", file: "login: {page: 'https://a.example:99999/login'}\n", want: ":1:15: login.page: want a port between 1 and 65535"},
		{name: "login host with port 0", file: "login: {hosts: ['app.example.com:0']}\n", want: "login.hosts: want a port between 1 and 65535"},
		{name: "origin with a port that is none", file: "cors:\n  origins: ['https://a.example:99999']\n", want: ":2:13: cors.origins: want a port between 1 and 65535"},
		{name: "origin with port 0", file: "cors: {credentials: ['http://127.0.0.1:0']}\n", want: ":1:22: cors.credentials: want a port between 1 and 65535"},
		{name: "half of TLS", file: "tls: {cert: a.pem}\n", want: "a certificate and its key go together"},
		{name: "TLS and no TLS", file: "tls: {cert: a.pem, key: b.pem}\ninsecure_http: true\n", want: "insecure_http: excludes tls.cert"},
		{name: "TLS and HTTP/2 without it", file: "tls: {cert: a.pem, key: b.pem}\nserver.h2c: true\n", want: "server.h2c: excludes tls.cert"},
		{name: "strict and a window", file: "refresh: {strict: true, window: 10s}\n", want: "refresh.strict: excludes"},
		{name: "no window and not strict", file: "refresh: {window: 0s}\n", want: "refresh.window: 0s is for"},
		{name: "idle after absolute", file: "session: {idle: 2d, absolute: 1d}\n", want: ":1:17: session.idle: is longer than session.absolute: 2d against 1d"},
		{name: "absolute before the default of idle", file: "session: {absolute: 1d}\n", want: ":1:21: session.absolute: is shorter than session.idle: 1d against 14d (the default)", hint: "set session.idle too"},
		{name: "idle after the default of absolute", env: []string{"DOORWARD_SESSION_IDLE=31d"}, want: "DOORWARD_SESSION_IDLE: is longer than session.absolute: 31d against 30d (the default)", hint: "set session.absolute too"},
		{name: "tokens after the session", file: "session: {idle: 1h, absolute: 1h}\n", flags: map[string]string{"access_ttl": "2h"}, want: "--access-ttl: is longer than session.absolute: 2h against 1h"},
		{name: "session before tokens", file: "session: {idle: 1m, absolute: 5m}\n", want: ":1:31: session.absolute: is shorter than access_ttl: 5m against 10m (the default)", hint: "set access_ttl too"},
		{name: "keys replaced before they sign", file: "keys: {lifetime: 10m}\n", want: ":1:18: keys.lifetime: is not longer than keys.publish_lead: 10m against 10m (the default)", hint: "set keys.publish_lead too"},
		{name: "wildcard origin", file: "cors: {origins: ['*']}\n", want: ":1:18: cors.origins: name each origin"},
		{name: "origins by a pattern", file: "cors: {origins: ['https://*.a.example']}\n", want: "cors.origins: name each origin"},
		{name: "null origin", file: "cors: {credentials: ['null']}\n", want: "cors.credentials: want scheme, host and port alone"},
		{name: "origin with path", file: "cors:\n  origins:\n    - https://a.example\n    - https://b.example/\n", want: ":4:7: cors.origins: want scheme, host and port alone"},
		{name: "origin in capitals", file: "cors: {origins: ['https://A.example']}\n", want: "cors.origins: want lower case"},
		{name: "origin with the port of its scheme", env: []string{"DOORWARD_CORS_ORIGINS=https://a.example,https://b.example:443"}, want: "DOORWARD_CORS_ORIGINS: want it without the port"},
		{name: "origin of another scheme", file: "cors: {origins: ['ftp://a.example']}\n", want: "cors.origins: want origins of https or http"},
		{name: "origin in other letters", file: "cors: {origins: ['https://bücher.example']}\n", want: ":1:18: cors.origins: want the host in its xn-- form"},
		{name: "origins as text", file: "cors: {origins: 'https://a.example'}\n", want: "want a list"},
		{name: "prefix", file: "server: {prefix: auth/}\n", want: "server.prefix: want a path"},
		{name: "prefix with a space", file: "server: {prefix: /a b}\n", want: "server.prefix: want a path"},
		{name: "token field that is no word", file: "login: {token_field: 2nd}\n", want: "login.token_field: want a letter"},
		{name: "prefix with dots", file: "server: {prefix: /a/../b}\n", want: "server.prefix: want a path"},
		{name: "short passwords", file: "password: {min_length: 4}\n", want: "want a whole number between 8 and"},
		{name: "default audience twice", file: "audience: a\naudiences: [a]\n", want: "audiences: names the default audience"},
		{name: "token field of the answer itself", file: "login: {token_field: expires_in}\n", want: "login.token_field: expires_in is a member of the answer already"},
		{name: "upstream with a path", flags: map[string]string{"upstream": "http://127.0.0.1:5000/api"}, want: "--upstream: want scheme, host and port alone"},
		{name: "upstream and another audience", file: "upstream: http://127.0.0.1:5000\naudience: orders\n", want: ":2:11: audience: is not the issuer", hint: "put orders under audiences"},
		{name: "upstream is Doorward", file: "upstream: http://127.0.0.1:8080\n", want: ":1:11: upstream: is where Doorward itself listens"},
		{name: "upstream named as the issuer", file: "upstream: http://127.0.0.1:5000\nupstream.audience: http://127.0.0.1:8080\n", want: "upstream.audience: must not be the issuer"},
		{name: "forwarding without a name", file: "upstream: http://127.0.0.1:5000\nroutes:\n  - {path: /a, forward_token: true}\n", want: ":3:5: routes.forward_token: /a: a token that is forwarded is for upstream.audience", hint: "audiences: [orders]"},
		{name: "forwarding to a name nobody can ask for", file: "upstream: http://127.0.0.1:5000\nupstream.audience: api\naudiences: [orders]\nroutes:\n  - {path: /a}\n  - {path: /b, forward_token: true}\n", want: ":6:5: routes.forward_token: /b: a token"},
		{name: "login page that nobody is sent to", file: "login.page: /login.html\n", want: ":1:13: login.page: means nothing without upstream or trusted_proxies"},
		{name: "login hosts of no page", file: "login: {hosts: [app.example.com]}\n", want: "login.hosts: means nothing without upstream or trusted_proxies"},
		{name: "cookie that nobody reads", file: "tokens: {cookie: app_token}\n", want: "tokens.cookie: means nothing without upstream or trusted_proxies"},
		{name: "token of no upstream", file: "upstream.token: {header: x-t, secret_file: s}\n", want: "upstream.token: means nothing without upstream"},
		{name: "token without secret", file: "upstream: http://127.0.0.1:5000\nupstream.token: {header: x-t}\n", want: "upstream.token: header and secret_file are required"},
		{name: "token with a key pair", file: "upstream.token: {alg: RS256}\n", want: ":1:23: upstream.token.alg: want HS256, HS384 or HS512"},
		{name: "token with a nested claim", file: "upstream.token: {claims: {a: [1]}}\n", want: "upstream.token.claims.a: want a text"},
		{name: "claims nested deep", file: "upstream.token: {claims: {a: {b: {c: {d: {e: 1}}}}}}\n", want: "upstream.token.claims.a.b.c.d: nested too deep"},
		{name: "nested placeholder without quotes", file: "upstream.token: {claims: {a: {b: {external_id}}}}\n", want: "upstream.token.claims.a.b: want a text, in quotes if a brace begins it"},
		{name: "token after no word", file: "upstream: http://127.0.0.1:5000\nupstream.token: {header: Authorization, scheme: a b, secret_file: s}\n", want: ":2:49: upstream.token.scheme: want a name without spaces"},
		{name: "placeholder without quotes", file: "upstream.token: {claims: {a: {username}}}\n", want: "upstream.token.claims.a: want a text, in quotes if a brace begins it"},
		{name: "routes as text", file: "routes: /admin\n", want: "routes: want a list"},
		{name: "routes in the environment", env: []string{"DOORWARD_ROUTES=/admin"}, want: "DOORWARD_ROUTES: is set in the configuration file alone"},
		{name: "default below routes", file: "routes:\n  default: deny\n", want: ":2:3: routes.default: does not stand below routes", hint: "write routes.default: … at the top level"},
		{name: "timeout below upstream", file: "upstream:\n  timeout: 5s\n", want: ":2:3: upstream.timeout: does not stand below upstream", hint: "at the top level"},
		{name: "default among routes", file: "routes:\n  - {path: /a}\n  default: deny\n", want: ":3:3: ", hint: "routes.default and routes.case are written at the top level"},
		{name: "default before routes", file: "routes:\n  default: deny\n  - {path: /a}\n", want: ":3:3: ", hint: "routes.default and routes.case are written at the top level"},
		{name: "tab", file: "tls:\n\tcert: a\n", want: ":2:1: there is a tab before the text", hint: "indent with spaces"},
		{name: "route as text", file: "routes:\n  - /admin\n", want: ":2:5: routes: want names and values"},
		{name: "unknown word in a route", file: "routes:\n  - {path: /a, role: x}\n", want: ":2:16: routes: unknown key \"role\""},
		{name: "access of a route", file: "routes:\n  - {path: /a, access: open}\n", want: ":2:24: routes.access: want token, optional, public or deny"},
		{name: "roles as text", file: "routes:\n  - {path: /a, require: {roles: admin}}\n", want: ":2:33: routes.require.roles: want a list"},
		{name: "a role that nobody can have", file: "routes:\n  - {path: /a, require: {roles: [staff, Admin]}}\n", want: ":2:41: routes.require.roles: want roles as users have them"},
		{name: "one of no roles", file: "routes:\n  - {path: /a}\n  - {path: /b, require: {roles: []}}\n", want: ":3:5: routes.require.roles: /b: is an empty list"},
		{name: "no methods", file: "routes:\n  - {path: /a, methods: []}\n", want: "routes.methods: /a: is an empty list"},
		{name: "everybody is trusted", file: "trusted_proxies: [0.0.0.0/0]\n", want: "would trust everybody"},
		{name: "no network", file: "trusted_proxies: [10.1.2.3/8]\n", want: "trusted_proxies: want addresses"},
		{name: "another database", env: []string{"DOORWARD_DATABASE=mysql://u:hunter2@h/db"}, want: "DOORWARD_DATABASE: want the URL of a PostgreSQL database"},
		{name: "two databases", env: []string{"DOORWARD_DATABASE=postgres://u:hunter2@h/db", "DOORWARD_DATABASE_FILE=url"}, want: "DOORWARD_DATABASE_FILE: and database are both set"},
		{name: "master key in the environment", env: []string{"DOORWARD_MASTER_KEY=hunter2"}, want: "DOORWARD_MASTER_KEY: the environment is no place"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src := config.Source{Environ: tt.env, Flags: tt.flags}
			if tt.file != "" {
				src.File = write(t, tt.file)
			}
			cfg, err := config.Load(src)
			if cfg != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Load() = %v, %v, want a problem with %q", cfg, err, tt.want)
			}
			if ps := config.AsProblems(err); !strings.Contains(ps[0].Hint, tt.hint) {
				t.Errorf("hint %q, want %q", ps[0].Hint, tt.hint)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "hunter2") {
				t.Error("the error shows a secret")
			}
		})
	}
}

// TestAttack_A11 checks that a blank name of a secret stops the start.
func TestAttack_A11(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"DOORWARD_MASTER_KEY_FILE", "DOORWARD_TLS_KEY", "DOORWARD_TLS_CERT", "DOORWARD_MASTER_KEY", "DOORWARD_DATA", "DOORWARD_DATABASE",
		"DOORWARD_DATABASE_FILE", "DOORWARD_PASSWORD_BREACHED_FILE", "DOORWARD_UPSTREAM_CA_FILE", "DOORWARD_CONFIG",
	} {
		for _, val := range []string{"", " ", "\n"} {
			if _, err := config.Load(config.Source{Environ: []string{name + "=" + val}}); err == nil {
				t.Errorf("%s=%q was accepted", name, val)
			}
		}
	}
	if _, err := config.Load(config.Source{File: write(t, "master_key_file: ''\n")}); err == nil {
		t.Error("an empty master_key_file was accepted")
	}
}

// Covers Behaviour_F5: a file as an editor on Windows writes it is read.
func TestWindowsFile(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(config.Source{File: write(t, "\ufefflisten: 127.0.0.1:1\r\nsession:\r\n  idle: 3d\r\n")})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "127.0.0.1:1" || cfg.SessionIdle != 3*24*time.Hour {
		t.Errorf("listen = %q, session.idle = %v", cfg.Listen, cfg.SessionIdle)
	}
}

// All faults are told at once, from wherever they come.
func TestEveryProblemIsTold(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Source{
		File:    write(t, "nope: 1\naccess_ttl: x\n"),
		Environ: []string{"DOORWARD_LISTEN=here"},
	})
	if got := config.AsProblems(err); len(got) != 3 {
		t.Errorf("%d problems, want 3: %v", len(got), err)
	}
}

// TestSyntaxErrorQuotesNothing checks that the parser's excerpt, which may hold
// a secret of a neighbouring line, is not in the error.
func TestSyntaxErrorQuotesNothing(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Source{File: write(t, "issuer: \"hunter2\nlisten: [hunter2\n")})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("error %v", err)
	}
	if !strings.Contains(config.AsProblems(err)[0].Excerpt(false), "hunter2") {
		t.Error("the excerpt shows nothing")
	}
}

// A command beside a server has the settings that are shared, and not those of the process.
func TestBesideTakesWhatServeLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	served, err := config.Load(config.Source{Flags: map[string]string{"data": dir, "listen": "127.0.0.1:0", "access_ttl": "1m", "server.prefix": "/auth"}})
	if err != nil {
		t.Fatal(err)
	}
	served.Resolve("127.0.0.1:4242")
	if err := os.WriteFile(served.ServingPath(), []byte(served.Serving()), 0o600); err != nil {
		t.Fatal(err)
	}
	beside, err := config.Load(config.Source{Flags: map[string]string{"data": dir}, Environ: []string{"DOORWARD_KEYS_ALGORITHM=RS256"}, Beside: true})
	if err != nil {
		t.Fatal(err)
	}
	if beside.Issuer != "http://127.0.0.1:4242" || beside.Audience != beside.Issuer || beside.AccessTTL != time.Minute || beside.KeyAlgorithm != "RS256" {
		t.Errorf("beside a server: %+v", beside)
	}
	if front := beside.Front(); front != "http://127.0.0.1:4242/auth" {
		t.Errorf("people are sent to %s", front)
	}
	if beside.Listen != "127.0.0.1:8080" {
		t.Errorf("the address of another process was taken: %s", beside.Listen)
	}
}

// On a database there is no file: what serve left comes with the source.
func TestBesideTakesWhatServeLeftInTheDatabase(t *testing.T) {
	t.Parallel()
	flags := map[string]string{"data": t.TempDir(), "database": "postgres://h/db"}
	served, err := config.Load(config.Source{Flags: flags, Environ: []string{"DOORWARD_ISSUER=https://auth.example.com", "DOORWARD_LISTEN=127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	beside, err := config.Load(config.Source{Flags: flags, Environ: []string{"DOORWARD_KEYS_ALGORITHM=RS256"}, Beside: true, Serving: served.Serving()})
	if err != nil {
		t.Fatal(err)
	}
	if beside.Issuer != "https://auth.example.com" || beside.KeyAlgorithm != "RS256" || beside.Listen != "127.0.0.1:8080" {
		t.Errorf("beside a server: %+v", beside)
	}
	if last := beside.LastIssuer(served.Serving()); last != "https://auth.example.com" {
		t.Errorf("the last issuer is %q", last)
	}
}

// A duration has its unit, which may be a day, and is read as it was written.
func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"14d": 14 * 24 * time.Hour, "1h30m": 90 * time.Minute, "10m": 10 * time.Minute, "90s": 90 * time.Second, "0s": 0, "1h": time.Hour} {
		got, err := config.ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v", text, got, err)
		}
		again, err := config.ParseDuration(config.FormatDuration(want))
		if err != nil || again != want {
			t.Errorf("FormatDuration(%v) = %q, which reads as %v, %v", want, config.FormatDuration(want), again, err)
		}
	}
	for _, text := range []string{"", "10", "d", "-1d", "1.5d", "99999999d", "1 h"} {
		if _, err := config.ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) was accepted", text)
		}
	}
}

// A secret that stands where it does not belong, or in a file that is broken there, is in no fault.
func TestAttack_G07_MisplacedSecret(t *testing.T) {
	t.Parallel()
	const secret = "postgres://doorward:hunter2@db.example.com/doorward"
	for _, file := range []string{
		secret + ": x\n", secret + "\n", "keys:\n  " + secret + ": x\n", "database: [" + secret + "]\n", "database: {" + secret + ": x}\n", "database: {a: \"" + secret + "}\n",
		"database: \"" + secret + "\n", "database: '" + secret + "\nlisten: x\n", "database " + secret + "\n", "database: &" + secret + " x\n", "database: *" + secret + "\n",
		"? " + secret + "\n", "- " + secret + "\n", "database: x" + secret + "\n", "database: !!" + secret + " x\n", "&hunter2 a: x\n", "*hunter2 : x\n", "<<: hunter2\n", "database:\n  hunter2: x\n",
		"routes: [{hunter2: x}]\n", "upstream: http://u:hunter2@127.0.0.1:5000\n", "database: |\n hunter2\n", "%hunter2\n", "database: \x00hunter2\n", "database: \xffhunter2\n",
		"upstream.token: {header: x, secret_file: y, alg: hunter2}\n", "issuer: https://u:hunter2@a.example\n", "\thunter2: x\n", "database: a: hunter2\n",
		"login:\n  page: https://u:hunter2@a.example/\n", "cors:\n  origins: [\"https://u:hunter2@a.example\"]\n", "admin:\n  listen: hunter2\n",
		"login:\n  hosts: [\"u:hunter2@a.example\"]\n", "trusted_proxies: [hunter2]\n", secret + ": x\n" + secret + ": x\n", "a\\\"hunter2: x\na\\\"hunter2: x\n",
		"%YAML hunter2\n---\nlisten: x\n", "database: !<hunter2>\n", "listen: \"\\hunter2\"\n", "upstream.token: {claims: {hunter2: [x]}}\n",
	} {
		path := filepath.Join(t.TempDir(), "doorward.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(config.Source{File: path})
		for _, p := range config.AsProblems(err) {
			if strings.Contains(p.Error()+p.Hint, "hunter2") {
				t.Errorf("%q: %v", file, p)
			}
		}
		if err == nil {
			t.Errorf("%q is good", file)
		}
	}
}

// FuzzLoad: no text makes the reading of a file panic, no fault repeats what may be a secret, and what is loaded is loaded
// again as it is printed.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"listen: 127.0.0.1:0\nissuer: \"https://auth.example\" # x\nsession: {idle: 7d}\n",
		"routes:\n- path: /a/**\n  roles: [x]\n  recent: 5m\nroutes.default: token\nupstream: http://127.0.0.1:5000\n",
		"upstream: h2c://h:1\nupstream.token: {header: X-Token, secret_file: s, alg: HS256, claims: {a: $sub, b: [1, {c: null}]}}\n",
		"listen: \"a\\eb:1\"\n", "upstream: http://h:1\nroutes: [{path: \"/\\e[31m\", forward_token: true}]\n",
		"database: &a hunter2\nissuer: *a\n", "? hunter2\n: |-\n  x\n", "\ufeffdata: >\n hunter2\n", "cors: {origins: [\"https://a.example\"], max_age: 1h}\n", "routes: [{path: /, require: {scope: [a:b, c:1, hunter2:*]}}]\n",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	load := func(t *testing.T, name, text string) (*config.Config, error) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.Load(config.Source{File: path})
	}
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := load(t, "doorward.yaml", text)
		if err != nil {
			for _, p := range config.AsProblems(err) {
				if strings.Contains(p.Error()+p.Hint, "hunter2") || strings.ContainsFunc(p.Error()+p.Hint, unicode.IsControl) {
					t.Errorf("%q: %q", text, p)
				}
			}
			return
		}
		again, err := load(t, "again.yaml", cfg.YAML())
		if err != nil {
			t.Fatalf("%q is printed as\n%s%v", text, cfg.YAML(), err)
		}
		for _, s := range config.Settings() {
			if now, was := again.Text(s), cfg.Text(s); now != was && was != "redacted" {
				t.Errorf("%q: %s is %q, and %q after it was printed", text, s.Key, was, now)
			}
		}
	})
}
