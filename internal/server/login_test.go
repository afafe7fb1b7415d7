package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
)

// ASVS_7.2.1, ASVS_7.2.2: the answer has both tokens and the secret of a new device, and no cache may keep it.
func TestLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord)
	if a.text("token_type") != "Bearer" || a.object["expires_in"].(float64) < 500 || !strings.HasPrefix(a.text("refresh_token"), "dwr_") {
		t.Errorf("answer: %s", a.body)
	}
	if _, ok := a.object["scope"]; !ok || len(a.object) != 6 || !strings.HasPrefix(a.text("device"), "dwd_") {
		t.Errorf("members: %v", len(a.object))
	}
	if cookies := a.header.Values("Set-Cookie"); len(cookies) != 0 {
		t.Errorf("without cookie mode the answer sets %q", cookies)
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
		t.Error("Behaviour_B58 Standard_O08: token answer may be cached")
	}
	claims := w.claims(a.text("access_token"), issuerURL)
	if claims.Subject != w.alice || claims.ClientID != issuer.FirstPartyClient || !claims.HasRole("staff") {
		t.Errorf("claims: %+v", claims)
	}
}

// longWord is one byte longer than any password may be.
var longWord = strings.Repeat("x", 1025)

// loginRefusals are bodies that /login refuses.
var loginRefusals = []struct {
	name, body, media string
	status            int
	code              string
}{
	{"wrong password", `{"username":"alice","password":"nonono nonono nonono"}`, jsonMedia, 401, "invalid_credentials"},
	{"Behaviour_B56 unknown user", `{"username":"nobody","password":"nonono nonono nonono"}`, jsonMedia, 401, "invalid_credentials"},
	{"name that cannot be one", `{"username":"a\u0000b\u202e","password":"nonono nonono nonono"}`, jsonMedia, 401, "invalid_credentials"},
	{"Attack_E02 long password", `{"username":"alice","password":"` + longWord + `"}`, jsonMedia, 400, "invalid_request"},
	{"long password of nobody", `{"username":"nobody","password":"` + longWord + `"}`, jsonMedia, 400, "invalid_request"},
	{"no name", `{"password":"nonono nonono nonono"}`, jsonMedia, 400, "invalid_request"},
	{"no password", `{"username":"alice"}`, jsonMedia, 400, "invalid_request"},
	{"empty password", `{"username":"alice","password":""}`, jsonMedia, 400, "invalid_request"},
	{"empty object", `{}`, jsonMedia, 400, "invalid_request"},
	{"scope with a tab", `{"username":"alice","password":"x","scope":"a\tb"}`, jsonMedia, 400, "invalid_scope"},
	{"scope not granted", `{"username":"alice","password":"` + aliceWord + `","scope":"orders:read"}`, jsonMedia, 400, "invalid_scope"},
	{"foreign audience", `{"username":"alice","password":"` + aliceWord + `","audience":"https://evil.example"}`, jsonMedia, 400, "invalid_target"},

	{"Behaviour_B55 null", `null`, jsonMedia, 400, "invalid_request"},
	{"Behaviour_B55 list", `[]`, jsonMedia, 400, "invalid_request"},
	{"Behaviour_B55 string", `"x"`, jsonMedia, 400, "invalid_request"},
	{"Behaviour_B55 number", `1`, jsonMedia, 400, "invalid_request"},
	{"Behaviour_B55 empty body", ``, jsonMedia, 400, "invalid_request"},
	{"Behaviour_B55 duplicate", `{"username":"alice","username":"bob","password":"x"}`, jsonMedia, 400, "invalid_request"},
	{"Behaviour_B55 escaped duplicate", `{"username":"alice","\u0075sername":"bob","password":"x"}`, jsonMedia, 400, "invalid_request"},
	{"Behaviour_B55 null member", `{"username":null,"password":"x"}`, jsonMedia, 400, "invalid_request"},
	{"null where absence is fine", `{"username":"alice","password":"x","scope":null}`, jsonMedia, 400, "invalid_request"},
	{"Behaviour_B55 wrong type", `{"username":1,"password":"x"}`, jsonMedia, 400, "invalid_request"},
	{"Attack_E08 list of passwords", `{"username":"alice","password":["a","b"]}`, jsonMedia, 400, "invalid_request"},
	{"Attack_E08 list of logins", `[{"username":"alice","password":"a"},{"username":"alice","password":"b"}]`, jsonMedia, 400, "invalid_request"},
	{"cookie as text", `{"username":"alice","password":"x","cookie":"true"}`, jsonMedia, 400, "invalid_request"},
	{"Attack_E11 roles", `{"username":"alice","password":"x","roles":["admin"]}`, jsonMedia, 400, "invalid_request"},
	{"Attack_E11 other case", `{"Username":"alice","password":"x"}`, jsonMedia, 400, "invalid_request"},
	{"Behaviour_B55 bad UTF-8", "{\"username\":\"\xff\",\"password\":\"x\"}", jsonMedia, 400, "invalid_request"},
	{"lone surrogate", `{"username":"\ud800","password":"x"}`, jsonMedia, 400, "invalid_request"},
	{"byte order mark", "\ufeff{}", jsonMedia, 400, "invalid_request"},
	{"two values", `{"username":"alice","password":"x"}{}`, jsonMedia, 400, "invalid_request"},
	{"deep", `{"username":` + strings.Repeat("[", 8000) + strings.Repeat("]", 8000) + `}`, jsonMedia, 400, "invalid_request"},

	{"Behaviour_B55 form", `username=alice&password=x`, "application/x-www-form-urlencoded", 415, "unsupported_media_type"},
	{"Behaviour_B55 text", `{}`, "text/plain", 415, "unsupported_media_type"},
	{"no media type", `{}`, "", 415, "unsupported_media_type"},
	{"broken media type", `{}`, "application/json; charset", 415, "unsupported_media_type"},
	{"other charset", `{}`, "application/json; charset=utf-16", 415, "unsupported_media_type"},
	{"other parameter", `{}`, "application/json; profile=x", 415, "unsupported_media_type"},
	{"other parameter that says utf-8", `{}`, "application/json; profile=utf-8", 415, "unsupported_media_type"},
	{"suffix", `{}`, "application/x+json", 415, "unsupported_media_type"},
	{"charset", `{}`, `Application/JSON; Charset="UTF-8"`, 400, "invalid_request"},
}

// A login that is refused has a code for the client, and a reason in the log.
func TestLoginRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range loginRefusals {
		t.Run(c.name, func(t *testing.T) {
			a := w.do("POST", "/login", c.body, func(r *http.Request) {
				r.Header.Del("Content-Type")
				if c.media != "" {
					r.Header.Set("Content-Type", c.media)
				}
			})
			a.want(t, c.status, c.code)
			reasons := 0
			for _, record := range w.logs.about(a.text("request_id")) {
				if record["msg"] == "refused" && record["reason"] != "" {
					reasons++
				}
			}
			if reasons != 1 {
				t.Errorf("%d records with the reason", reasons)
			}
		})
	}
}

// One answer to everybody who does not get in: same status, same body but for the id, same headers.
func TestAttack_E01_EnumerationByAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone := w.addUser("gone", aliceWord)
	_, err := w.people.Disable(t.Context(), gone, issuer.Event{Actor: "test"})
	must(t, err)
	strip := func(a answer) string {
		a.header.Del("Date")
		text := strings.ReplaceAll(string(a.body), a.text("request_id"), "")
		for name, values := range a.header {
			text += name + strings.Join(values, ",")
		}
		return sortLetters(text)
	}
	want := strip(w.do("POST", "/login", map[string]any{"username": "alice", "password": "wrong wrong wrong"}).want(t, 401, "invalid_credentials"))
	for name, word := range map[string]string{"nobody": "wrong wrong wrong", "gone": aliceWord, "g\u0000": "x", strings.Repeat("n", 5000): "x"} {
		if got := strip(w.do("POST", "/login", map[string]any{"username": name, "password": word})); got != want {
			t.Errorf("%.20q differs: %s", name, got)
		}
	}
}

// After ten wrong passwords for a name, in whatever spelling and from whatever address, the right one waits too.
func TestBehaviour_B57_Throttle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	spellings := []string{"alice", "Alice", "ALICE", "ａｌｉｃｅ", "alicE"}
	for i := range 10 { // Attack_E08: every spelling counts for one account, and no header makes it another caller.
		w.do("POST", "/login", map[string]any{"username": spellings[i%len(spellings)], "password": "wrong wrong wrong"},
			header("X-Forwarded-For", "10.0.0."+string(rune('0'+i)))).want(t, 401, "invalid_credentials")
	}
	w.do("POST", "/login", map[string]any{"username": "alice", "password": "wrong wrong wrong"}).want(t, 429, "too_many_requests")
	a := w.do("POST", "/login", map[string]any{"username": "alice", "password": aliceWord}).want(t, 429, "too_many_requests")
	if a.header.Get("Cache-Control") != "no-store" {
		t.Error("Standard_H04: a 429 that may be cached")
	}
	w.login("bob", bobWord)
}

// In cookie mode the refresh token is in a cookie that no script reads, and nowhere else.
func TestLoginCookieMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord, map[string]any{"cookie": true})
	if _, ok := a.object["refresh_token"]; ok {
		t.Error("the refresh token is in the body too")
	}
	c := a.cookie()
	if c == nil || len(a.header.Values("Set-Cookie")) != 2 || a.text("device") != "" {
		t.Fatalf("cookies: %q", a.header.Values("Set-Cookie"))
	}
	checkCookie(t, c)
	if len(c.Name)+len(c.Value) > 4096 || c.MaxAge < 24*3600 {
		t.Errorf("Attack_D07: %d bytes for %d seconds", len(c.Value), c.MaxAge)
	}
}

// checkCookie holds of the cookie that is set and of the one that clears it (Attack_D07).
func checkCookie(t *testing.T, c *http.Cookie) {
	t.Helper()
	if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("Attack_D07 Behaviour_B31 Standard_R15: attributes of %s", c.Raw)
	}
}

// ASVS_7.2.4, Standard_W08: The session behind the cookie before is over, whoever planted it.
func TestAttack_D06_Fixation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	planted := w.login("bob", bobWord).text("refresh_token")
	a := w.do("POST", "/login", map[string]any{"username": "alice", "password": aliceWord, "cookie": true}, refreshCookie(planted)).want(t, 200, "")
	if a.cookie().Value == planted {
		t.Error("the planted token lives on")
	}
	w.do("POST", "/refresh", map[string]any{"refresh_token": planted}).want(t, 400, "invalid_grant")
	w.do("POST", "/refresh", map[string]any{}, refreshCookie(a.cookie().Value)).want(t, 200, "")
}

// The second name of the access token is in the answers of /login and /refresh.
func TestLoginTokenField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.server.TokenField = "token" })
	a := w.login("alice", aliceWord)
	if a.text("token") == "" || a.text("token") != a.text("access_token") {
		t.Errorf("members: %s", a.body)
	}
	b := w.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token")}).want(t, 200, "")
	if b.text("token") != b.text("access_token") {
		t.Error("/refresh lacks the second name")
	}
}

// Standard_S09: a token for another service reads /me and logs itself out, and changes nothing else.
func TestLoginAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.login("alice", aliceWord, map[string]any{"audience": otherName})
	w.claims(a.text("access_token"), otherName)
	w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 200, "")
	for _, path := range []string{"/protected", "/sessions", "/admin/v1/users"} {
		w.do("GET", path, nil, bearer(a.text("access_token"))).want(t, 401, "invalid_token")
	}
	w.do("POST", "/password", map[string]any{"current": aliceWord, "new": goodWord}, bearer(a.text("access_token"))).want(t, 401, "invalid_token")
	w.do("POST", "/logout?everywhere=true", nil, bearer(a.text("access_token"))).want(t, 401, "invalid_token")
	b := w.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token"), "audience": issuerURL}).want(t, 200, "")
	w.do("GET", "/protected", nil, bearer(b.text("access_token"))).want(t, 200, "")
	w.do("POST", "/refresh", map[string]any{"refresh_token": b.text("refresh_token"), "audience": "x"}).want(t, 400, "invalid_target")
	w.do("POST", "/logout", nil, bearer(a.text("access_token"))).want(t, 204, "")
	w.do("GET", "/me", nil, bearer(b.text("access_token"))).want(t, 401, "invalid_token")
}

// A caller that comes when every place in the queue is taken reads when to come again.
func TestLoginBusy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.hasher.Slots, s.hasher.Queue = 1, 1 })
	statuses := make(chan int, 12)
	for i := range cap(statuses) {
		go func() {
			a := w.do("POST", "/login", map[string]any{"username": fmt.Sprint("nobody", i), "password": aliceWord})
			if (a.status == 503) != (a.header.Get("Retry-After") == "2") {
				t.Errorf("status %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
			}
			statuses <- a.status
		}()
	}
	counts := map[int]int{}
	for range cap(statuses) {
		counts[<-statuses]++
	}
	if counts[401] == 0 || counts[503] == 0 || counts[401]+counts[503] != cap(statuses) {
		t.Errorf("Attack_E03: statuses %v", counts)
	}
}

// New refuses a configuration that is wrong, and names the field.
func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	w.do("GET", "/livez", nil).want(t, 200, "")
	good := server.Config{Issuer: w.issuer, People: w.people}
	for _, c := range []struct {
		name   string
		change func(*server.Config)
		want   string
	}{
		{"no issuer", func(c *server.Config) { c.Issuer = nil }, "Config.Issuer"},
		{"no people", func(c *server.Config) { c.People = nil }, "Config.People"},
		{"prefix", func(c *server.Config) { c.Prefix = "/auth/" }, "Config.Prefix"},
		{"prefix with dots", func(c *server.Config) { c.Prefix = "/../x" }, "Config.Prefix"},
		{"prefix with braces", func(c *server.Config) { c.Prefix = "/{x}" }, "Config.Prefix"},
		{"token field", func(c *server.Config) { c.TokenField = "a b" }, "Config.TokenField"},
		{"token field in use", func(c *server.Config) { c.TokenField = "scope" }, "Config.TokenField"},
		{"negative", func(c *server.Config) { c.Grace = -1 }, "Grace"},
		{"Behaviour_B45 star", func(c *server.Config) { c.Origins = []string{"*"} }, "no patterns"},
		{"Behaviour_B48 pattern", func(c *server.Config) { c.Origins = []string{"https://*.example.com"} }, "no patterns"},
		{"null origin", func(c *server.Config) { c.Origins = []string{"null"} }, "want scheme, host and port alone"},
		{"origin with path", func(c *server.Config) { c.CredentialOrigins = []string{"https://a.example/"} }, "want scheme, host and port alone"},
		{"origin in capitals", func(c *server.Config) { c.Origins = []string{"https://A.example"} }, "lower case"},
		{"origin with its port", func(c *server.Config) { c.Origins = []string{"https://a.example:443"} }, "port"},
		{"origin with user", func(c *server.Config) { c.Origins = []string{"https://u@a.example"} }, "want scheme, host and port alone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			s, err := server.New(cfg)
			if s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that says %q", err, c.want)
			}
		})
	}
}
