package doorward_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// Standard_R05, Standard_R06, Standard_R07, Standard_R09, Standard_R10, Standard_H01, Standard_N14, Behaviour_B1, Behaviour_B11: the whole answer for each kind of refusal.
func TestRefusals(t *testing.T) {
	t.Parallel()
	set := doorward.NewRevocationSet(time.Hour)
	a := newAPI(t, func(c *doorward.Config) { c.Revocations = set })
	set.Add(doorward.Revocation{Kind: doorward.KindSession, ID: testSession})
	const live = "0193a7b2-2222-7abc-8def-0123456789ab"
	now := time.Now().Unix()
	expired := map[string]any{"sid": live, "exp": now - 1, "iat": now - 100}
	const invalid = `Bearer realm="api", error="invalid_token", error_description=`
	for _, tt := range []struct {
		name, path, token string
		status            int
		challenge, retry  string
	}{
		{"Behaviour_B3 none", "/need", "", 401, `Bearer realm="api"`, ""},
		{"Behaviour_B2 malformed", "/need", "a b", 400, `Bearer realm="api", error="invalid_request", error_description="malformed credentials"`, ""},
		{"Behaviour_B4 expired", "/need", a.subject.token(t, expired), 401, invalid + `"token expired"`, ""},
		{"Behaviour_B4 revoked", "/need", a.token, 401, invalid + `"session ended"`, ""},
		{"Behaviour_B4 wrong type", "/need", sign(t, a.key, "JWT", goodClaims()), 401, invalid + `"token not valid"`, ""},
		{"Behaviour_B38 stale", "/need", a.subject.token(t, map[string]any{"sid": live}), 503, "", "5"},
		{"stale, but expired as well", "/need", a.subject.token(t, expired), 401, invalid + `"token expired"`, ""},
		{"stale, but junk as well", "/need", "junk", 401, invalid + `"token not valid"`, ""},
		{"stale, but without a token", "/optional", "", 200, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			request := "GET " + tt.path
			if tt.token != "" {
				request += "\nAuthorization: Bearer " + tt.token
			}
			got := a.wire(t, request)
			if got.status != tt.status || got.header.Get("WWW-Authenticate") != tt.challenge || got.header.Get("Retry-After") != tt.retry {
				t.Errorf("%d %q %q, want %d %q %q", got.status, got.header.Get("WWW-Authenticate"),
					got.header.Get("Retry-After"), tt.status, tt.challenge, tt.retry)
			}
			got.code(t)
			head := a.wire(t, strings.Replace(request, "GET", "HEAD", 1))
			if head.status != got.status || head.body != "" || head.header.Get("WWW-Authenticate") != tt.challenge {
				t.Errorf("Behaviour_B10: HEAD answers %d %q %q", head.status, head.body, head.header.Get("WWW-Authenticate"))
			}
		})
	}
}

// Check decides as the middleware does, and its refusal is what the middleware answers.
func TestCheck(t *testing.T) {
	t.Parallel()
	set := doorward.NewRevocationSet(time.Hour)
	set.Confirm(time.Now())
	var seen []string
	s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) {
		c.Revocations, c.Observe = set, func(o doorward.Outcome) { seen = append(seen, o.Reason) }
	})
	admin := doorward.HasRole("admin")
	for _, tt := range []struct {
		name, authorization string
		optional            bool
		needs               []doorward.Need
		err                 error // of the refusal; nil for none
		reason              string
		anonymous           bool
	}{
		{"good", "Bearer " + s.token(t, nil), false, nil, nil, "ok", false},
		{"good where none is needed", "Bearer " + s.token(t, nil), true, nil, nil, "ok", false},
		{"none", "", false, nil, doorward.ErrNoToken, "no_token", true},
		{"none where none is needed", "", true, nil, nil, "anonymous", true},
		{"bad where none is needed", "Bearer junk", true, nil, jwt.ErrMalformed, "malformed", true},
		{"letters", "Bearer a\tb", false, nil, doorward.ErrRequest, "bad_request", true},
		{"expired", "Bearer " + s.token(t, map[string]any{"exp": time.Now().Unix() - 1, "iat": time.Now().Unix() - 100}), false, nil, doorward.ErrExpired, "expired", true},
		{"no role", "Bearer " + s.token(t, nil), false, []doorward.Need{admin}, doorward.ErrRole, "role", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(doorward.WithRequestID(t.Context(), "req-7"), http.MethodGet, "/", http.NoBody)
			if tt.authorization != "" {
				r.Header.Set("Authorization", tt.authorization)
			}
			seen = nil
			c, refusal := s.v.Check(r, tt.optional, tt.needs...)
			if (c == nil) != tt.anonymous || (refusal == nil) != (tt.err == nil) || fmt.Sprint(seen) != "["+tt.reason+"]" {
				t.Fatalf("%v, %+v, observed %v", c, refusal, seen)
			}
			middleware := s.v.Require(tt.needs...)
			if tt.optional {
				middleware = s.v.Optional()
			}
			answer, checked := httptest.NewRecorder(), httptest.NewRecorder()
			middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(answer, r)
			if refusal != nil {
				if !errors.Is(refusal.Err, tt.err) {
					t.Errorf("%v, want %v", refusal.Err, tt.err)
				}
				doorward.WriteRefusal(checked, r, refusal)
			}
			answer.Header().Del("Vary")
			if diff := cmp.Diff(answer.Header(), checked.Header()); diff != "" || answer.Code != checked.Code || answer.Body.String() != checked.Body.String() {
				t.Errorf("%d %s, Check: %d %s\n%s", answer.Code, answer.Body, checked.Code, checked.Body, diff)
			}
		})
	}
}

// Attack_H04, Standard_J19: an outsider cannot tell why a token is not valid.
func TestRefusalsAlike(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	impostor := newKey(t, jwt.HS256)
	named, err := impostor.WithID("nobody")
	if err != nil {
		t.Fatal(err)
	}
	var first answer
	for i, token := range []string{
		"junk", "a.b.c", a.token + "A",
		sign(t, impostor, "at+jwt", goodClaims()), sign(t, named, "at+jwt", goodClaims()), sign(t, a.key, "JWT", goodClaims()),
		a.subject.token(t, map[string]any{"aud": "x"}), a.subject.token(t, map[string]any{"iss": "x"}),
		a.subject.token(t, map[string]any{"sub": remove}), a.subject.token(t, map[string]any{"nbf": time.Now().Unix() + 100}),
	} {
		got := a.get(t, "/need", token)
		got.body = withoutID(t, got.body)
		got.header.Del("Date")
		if i == 0 {
			first = got
		}
		if diff := cmp.Diff(first, got, cmp.AllowUnexported(answer{})); diff != "" {
			t.Errorf("token %d: %s", i, diff)
		}
	}
}

func withoutID(t testing.TB, body string) string {
	t.Helper()
	var m map[string]string
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	delete(m, "request_id")
	return fmt.Sprint(m)
}

// Standard_R08, Behaviour_B5, Behaviour_B6, Attack_A30, Behaviour_F75, Behaviour_F77: what a route needs.
func TestNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubject(t, jwt.HS256, nil)
		now := time.Now().Unix()
		const scope = `Bearer realm="api", error="insufficient_scope", error_description="the token does not have the scope", scope="%s"`
		const role = `Bearer realm="api", error="insufficient_scope", error_description="the token does not have the role"`
		const login = `Bearer realm="api", error="insufficient_user_authentication", error_description="a more recent login is required", max_age="%d"`
		five := doorward.LoggedInWithin(5 * time.Minute)
		for _, tt := range []struct {
			name      string
			needs     []doorward.Need
			change    map[string]any
			status    int
			challenge string
		}{
			{"nothing", nil, nil, 200, ""},
			{"scope", []doorward.Need{doorward.HasScope("orders:read")}, nil, 200, ""},
			{"both words", []doorward.Need{doorward.HasScope("orders:write", "orders:read")}, nil, 200, ""},
			{"one of two words", []doorward.Need{doorward.HasScope("orders:read", "x")}, nil, 403, fmt.Sprintf(scope, "orders:read x")},
			{"Attack_A30 prefix", []doorward.Need{doorward.HasScope("orders")}, nil, 403, fmt.Sprintf(scope, "orders")},
			{"Attack_A30 case", []doorward.Need{doorward.HasScope("Orders:read")}, nil, 403, fmt.Sprintf(scope, "Orders:read")},
			{"Attack_A30 star", []doorward.Need{doorward.HasScope("orders:read")}, map[string]any{"scope": "*"}, 403, fmt.Sprintf(scope, "orders:read")},
			{"no scope in the token", []doorward.Need{doorward.HasScope("a")}, map[string]any{"scope": remove}, 403, fmt.Sprintf(scope, "a")},
			{"two needs name the whole scope", []doorward.Need{doorward.HasScope("a"), doorward.HasScope("orders:read", "a")}, nil, 403, fmt.Sprintf(scope, "a orders:read")},
			{"role", []doorward.Need{doorward.HasRole("staff")}, nil, 200, ""},
			{"any of the roles", []doorward.Need{doorward.HasRole("admin", "staff")}, nil, 200, ""},
			{"other role", []doorward.Need{doorward.HasRole("admin")}, nil, 403, role},
			{"Attack_A30 role in capitals", []doorward.Need{doorward.HasRole("admin")}, map[string]any{"roles": []string{"Admin", "ADMIN"}}, 403, role},
			{"Attack_A30 role with a space", []doorward.Need{doorward.HasRole("admin")}, map[string]any{"roles": []string{"admin "}}, 403, role},
			{"Attack_A30 role prefix", []doorward.Need{doorward.HasRole("admin")}, map[string]any{"roles": []string{"adm"}}, 403, role},
			{"Attack_A30 role star", []doorward.Need{doorward.HasRole("admin")}, map[string]any{"roles": []string{"*"}}, 403, role},
			{"Attack_A30 role with NUL", []doorward.Need{doorward.HasRole("admin")}, map[string]any{"roles": []string{"admin\x00"}}, 403, role},
			{"Behaviour_F76 login just now", []doorward.Need{five}, nil, 200, ""},
			{"Behaviour_F76 login at the limit", []doorward.Need{five}, map[string]any{"auth_time": now - 300}, 200, ""},
			{"Behaviour_B6 login before it", []doorward.Need{five}, map[string]any{"auth_time": raw(fmt.Sprint(now-301) + ".9")}, 401, fmt.Sprintf(login, 300)},
			{"no login time", []doorward.Need{five}, map[string]any{"auth_time": remove}, 401, fmt.Sprintf(login, 300)},
			{"login in the future", []doorward.Need{five}, map[string]any{"auth_time": now + 31}, 401, fmt.Sprintf(login, 300)},
		} {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			r.Header.Set("Authorization", "Bearer "+s.token(t, tt.change))
			s.v.Require(tt.needs...)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			if got := w.Header().Get("WWW-Authenticate"); w.Code != tt.status || got != tt.challenge {
				t.Errorf("%s: %d %s\nwant %d %s", tt.name, w.Code, got, tt.status, tt.challenge)
			}
		}
	})
}

// Attack_C17: what a route can never be given is refused when the route is made, and never reaches a challenge.
func TestNeedsThatNothingMeets(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.HS256, nil)
	for _, tt := range []struct {
		name string
		made func()
		want string
	}{
		{"no word", func() { doorward.HasScope() }, "HasScope wants words"},
		{"empty word", func() { doorward.HasScope("a", "") }, `["a" ""]`},
		{"two words in one", func() { doorward.HasScope("orders:read orders:write") }, `each an argument of its own, not ["orders:read orders:write"]`},
		{"a word that is none", func() { doorward.HasScope("a\"\r\nX: y") }, `["a\"\r\nX: y"]`},
		{"no role", func() { doorward.HasRole() }, "HasRole wants roles"},
		{"empty role", func() { doorward.HasRole("staff", "") }, `["staff" ""]`},
		{"no duration", func() { doorward.LoggedInWithin(0) }, "LoggedInWithin wants at least a second"},
		{"negative duration", func() { doorward.LoggedInWithin(-time.Hour) }, "not -1h0m0s"},
		{"a duration without its unit", func() { doorward.LoggedInWithin(5) }, "not 5ns"},
		{"nil", func() { s.v.Require(doorward.HasRole("staff"), nil) }, "Require was given a nil Need"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, tt.want) {
					t.Errorf("%s: panic %s, want %s", tt.name, got, tt.want)
				}
			}()
			tt.made()
		}()
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+s.token(t, nil))
	if claims, refusal := s.v.Check(r, false); claims == nil || refusal != nil {
		t.Errorf("Check without needs: %v", refusal)
	}
	if claims, refusal := s.v.Check(r, false, nil); claims != nil || refusal == nil || !errors.Is(refusal.Err, doorward.ErrRole) {
		t.Errorf("Check with a nil Need: %v, %v; want ErrRole", claims, refusal)
	}
}

// What a token lacks is told from what it has, also if a word has a space or is empty.
func TestUnmetNeedsAreQuoted(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.HS256, nil)
	for want, need := range map[string]doorward.Need{
		`doorward: scope missing: wants ["b" "a"], has ["orders:read" "orders:write"]`: doorward.HasScope("b", "a"),
		`doorward: role missing: wants one of ["a b"], has ["a" "b"]`:                  doorward.HasRole("a b"),
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+s.token(t, map[string]any{"roles": []string{"a", "b"}, "scope": "orders:read orders:write"}))
		if _, refusal := s.v.Check(r, false, need); refusal == nil || refusal.Err.Error() != want {
			t.Errorf("refusal %+v, want %s", refusal, want)
		}
	}
}

// Behaviour_F91, Behaviour_B50: no method is exempt; a preflight is answered by CORS middleware outside.
func TestRequireEveryMethod(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MKCOLA", "get"} {
		if got := a.wire(t, method+" /need\nOrigin: https://a.example\nAccess-Control-Request-Method: GET"); got.status != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", method, got.status)
		}
	}
}

// Attack_C19, Standard_H06: caches are told what the answer depends on, whether the token is good or not.
func TestVary(t *testing.T) {
	t.Parallel()
	a := newAPI(t, places(doorward.BearerHeader(), doorward.Header("x-token"), doorward.Cookie("t"), doorward.Query("t"), doorward.Cookie("u")))
	for _, request := range []string{"GET /need", "GET /optional", "GET /need\nAuthorization: Bearer TOKEN", "GET /need\nAuthorization: Bearer x"} {
		if got := a.wire(t, request).header.Values("Vary"); len(got) != 1 || got[0] != "Authorization, X-Token, Cookie" {
			t.Errorf("%q: Vary %q", request, got)
		}
	}
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Origin")
		a.v.Optional()(http.NotFoundHandler()).ServeHTTP(w, r)
	})
	w := httptest.NewRecorder()
	outer.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	if got := w.Header().Values("Vary"); len(got) != 2 || got[0] != "Origin" {
		t.Errorf("with a Vary from outside: %q", got)
	}
}

// Behaviour_F93, Behaviour_F94, Behaviour_B50a: nobody is nobody, also inside another verifier's route.
func TestClaimsFrom(t *testing.T) {
	t.Parallel()
	if c, ok := doorward.ClaimsFrom(t.Context()); ok || c != nil {
		t.Errorf("outside of a request: %v", c)
	}
	ctx := doorward.WithClaims(t.Context(), &doorward.Claims{Subject: "ann"})
	if c, ok := doorward.ClaimsFrom(ctx); !ok || c.Subject != "ann" {
		t.Errorf("WithClaims: %v, %v", c, ok)
	}
	s := newSubject(t, jwt.HS256, nil)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
	reached := false
	s.v.Optional()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached = true
		if c, ok := doorward.ClaimsFrom(r.Context()); ok || c != nil {
			t.Errorf("anonymous inside another route: %v", c)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
	if !reached {
		t.Error("the handler was not reached")
	}
}

// Attack_C13: a foreign Host changes nothing in the answer.
func TestHostIsNotEchoed(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for _, path := range []string{"/need", "/optional"} {
		got := a.wire(t, "GET "+path+"\nHost: evil.example\nX-Forwarded-Host: evil.example\nForwarded: host=evil.example\nAuthorization: Bearer x")
		if text := fmt.Sprint(got.header, got.body); strings.Contains(text, "evil") {
			t.Errorf("%s: %s", path, text)
		}
	}
}

// Attack_C17, Standard_R11: nothing of a token or a request gets into a header.
func TestChallengeHoldsNoInput(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.HS256, func(c *doorward.Config) { c.Audience = "x" })
	lines := hostileLines(t)
	lines = append(lines, "a\"b", "a\r\nX-Evil: 1", "ä\u2028", `\`)
	for _, line := range lines {
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.Sign(s.key, "at+jwt", changed(map[string]any{"sub": raw(string(text)), "aud": raw(string(text)), "jti": "x"}))
		if err != nil {
			continue
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		s.v.Require()(http.NotFoundHandler()).ServeHTTP(w, r)
		want := `Bearer realm="api", error="invalid_token", error_description="token not valid"`
		if got := w.Header().Get("WWW-Authenticate"); got != want || w.Code != http.StatusUnauthorized {
			t.Errorf("%q: %d %q", line, w.Code, got)
		}
	}
}

// hostileLines reads the corpora of strings that break things.
func hostileLines(t *testing.T) []string {
	t.Helper()
	root := os.Getenv("DOORWARD_CORPORA")
	if root == "" {
		t.Skip("DOORWARD_CORPORA is not set: no hostile strings to try")
	}
	text, err := os.ReadFile(filepath.Join(root, "payloads-all-the-things", "crlf-injection.txt"))
	if err != nil {
		t.Fatal(err)
	}
	naughty, err := os.ReadFile(filepath.Join(root, "naughty-strings", "blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	if err := json.Unmarshal(naughty, &lines); err != nil {
		t.Fatal(err)
	}
	lines = append(lines, strings.Split(string(text), "\n")...)
	if len(lines) < 300 {
		t.Fatalf("only %d lines", len(lines))
	}
	return lines
}

// One record per refusal, with the precise reason and who it was when the signature was good, and no token.
func TestRefusalLog(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for _, tt := range []struct {
		name, request string
		want          map[string]any
	}{
		{"none", "GET /need", map[string]any{"level": "INFO", "reason": "doorward: no token", "status": 401.0, "method": "GET", "path": "/need"}},
		{
			"audience", "POST /need\nAuthorization: Bearer " + a.subject.token(t, map[string]any{"aud": "x", "sub": strings.Repeat("s", 500)}),
			map[string]any{
				"level": "INFO", "reason": `doorward: token for another audience: aud is ["x"], want "https://api.example"`, "status": 401.0, "method": "POST", "path": "/need",
				"sub": strings.Repeat("s", 200) + "…", "sid": testSession, "client_id": "doorward", "jti": "jti-1", "kid": a.key.ID(),
			},
		},
		{
			"claim", "GET /need\nAuthorization: Bearer " + a.subject.token(t, map[string]any{"jti": remove}),
			map[string]any{
				"level": "INFO", "reason": "doorward: claim jti is missing or empty", "status": 401.0, "method": "GET", "path": "/need",
				"sub": "ann", "sid": testSession, "client_id": "doorward", "kid": a.key.ID(),
			},
		},
		{
			"role", "GET /admin\nAuthorization: Bearer TOKEN",
			map[string]any{
				"level": "INFO", "reason": "doorward: role missing: wants one of [\"admin\"], has [\"staff\"]", "status": 403.0, "method": "GET", "path": "/admin",
				"sub": "ann", "sid": testSession, "client_id": "doorward", "jti": "jti-1", "kid": a.key.ID(),
			},
		},
		{"Attack_H02 query", "GET /need?access_token=TOKEN", map[string]any{"level": "INFO", "reason": "doorward: no token", "status": 401.0, "method": "GET", "path": "/need"}},
	} {
		before := len(a.log.String())
		got := a.wire(t, tt.request)
		lines := strings.Split(strings.TrimSpace(a.log.String()[before:]), "\n")
		if len(lines) != 1 {
			t.Errorf("%s: %d records", tt.name, len(lines))
		}
		var record map[string]any
		if err := json.Unmarshal([]byte(lines[0]), &record); err != nil {
			t.Fatalf("%s: %q: %v", tt.name, lines[0], err)
		}
		id, _ := record["request_id"].(string)
		if id == "" || !strings.Contains(got.body, id) {
			t.Errorf("%s: request_id %q is not that of the answer %s", tt.name, id, got.body)
		}
		delete(record, "time")
		delete(record, "msg")
		delete(record, "request_id")
		if diff := cmp.Diff(tt.want, record); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	before := len(a.log.String())
	a.get(t, "/need", a.token)
	if more := a.log.String()[before:]; more != "" {
		t.Errorf("a good request is logged: %s", more)
	}
}

// Behaviour_B38, ASVS 16.5.2: a key set that cannot answer is a 503, and a warning.
func TestKeysUnavailable(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(c *doorward.Config) {
		c.Keys = keysFunc(func(context.Context, string) (*jwt.Key, error) { return nil, errors.New("dial: refused") })
	})
	got := a.get(t, "/optional", a.token)
	if got.status != http.StatusServiceUnavailable || got.code(t) != "unavailable" || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if log := a.log.String(); !strings.Contains(log, "dial: refused") || !strings.Contains(log, `"level":"WARN"`) {
		t.Errorf("log %s", log)
	}
	if strings.Contains(got.body, "dial") {
		t.Errorf("the answer tells the inside: %s", got.body)
	}
}

// Behaviour_F47, Behaviour_F49, Behaviour_F76, Behaviour_F86, Behaviour_F98: a service writes its own errors.
func TestErrorHandler(t *testing.T) {
	t.Parallel()
	var seen *doorward.Refusal
	mode := "write"
	a := newAPI(t, func(c *doorward.Config) {
		c.Realm = "shop"
		c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, refusal *doorward.Refusal) {
			seen = refusal
			switch mode {
			case "write":
				w.WriteHeader(refusal.Status)
				_, _ = w.Write([]byte("own"))
			case "hint":
				w.WriteHeader(http.StatusEarlyHints)
			}
		}
	})
	got := a.wire(t, "GET /need")
	if got.status != 401 || got.body != "own" || got.header.Get("WWW-Authenticate") != `Bearer realm="shop"` || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %q", got.status, got.header, got.body)
	}
	if seen == nil || !errors.Is(seen.Err, doorward.ErrNoToken) || seen.Code != "missing_token" || seen.RequestID == "" {
		t.Errorf("the hook saw %+v", seen)
	}
	for _, mode = range []string{"nothing", "hint"} {
		w := httptest.NewRecorder()
		a.v.Require()(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		if !strings.Contains(w.Body.String(), "missing_token") {
			t.Errorf("a hook that writes %s: %d %q, want the default answer", mode, w.Code, w.Body)
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.HS256, nil)
	ctx := doorward.WithRequestID(t.Context(), "req-7")
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
	s.v.Require()(http.NotFoundHandler()).ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), `"request_id":"req-7"`) {
		t.Errorf("body %s", w.Body)
	}
	if doorward.RequestID(t.Context()) != "" {
		t.Error("RequestID of a bare context is not empty")
	}
	w = httptest.NewRecorder()
	doorward.WriteRefusal(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody), &doorward.Refusal{
		Status: http.StatusForbidden, Code: "x", Description: "<y>", Err: errors.New("secret"),
	})
	var body map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || len(body["request_id"]) < 20 || w.Code != http.StatusForbidden {
		t.Errorf("WriteRefusal of one's own: %d %s, %v", w.Code, w.Body, err)
	}
	if strings.Contains(w.Body.String(), "secret") {
		t.Error("the precise reason is in the answer")
	}
}

func TestObserveRequests(t *testing.T) {
	t.Parallel()
	var got []string
	a := newAPI(t, func(c *doorward.Config) {
		c.Observe = func(o doorward.Outcome) { got = append(got, o.Reason) }
	})
	for _, request := range []string{
		"GET /optional", "GET /need", "GET /need\nAuthorization: Bearer TOKEN", "GET /need\nAuthorization: Bearer x",
		"GET /need\nAuthorization: Bearer", "GET /admin\nAuthorization: Bearer TOKEN",
	} {
		a.wire(t, request)
	}
	want := []string{"anonymous", "no_token", "ok", "malformed", "bad_request", "role"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Attack_B06: a token over 8 KiB is refused as malformed.
func TestHugeToken(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.EdDSA, nil)
	if _, err := s.v.Verify(t.Context(), s.token(t, nil)); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{jwt.MaxSize + 1, 64 << 10, 1 << 20} {
		if _, err := s.v.Verify(t.Context(), s.token(t, nil)+strings.Repeat("A", size)); !errors.Is(err, jwt.ErrMalformed) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
