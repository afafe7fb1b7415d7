package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const (
	plainOrigin  = "https://app.example"
	cookieOrigin = "https://web.example:8443"
)

func newCORSWorld(t *testing.T) *world {
	return newWorld(t, func(s *settings) {
		s.server.Origins, s.server.CredentialOrigins = []string{plainOrigin}, []string{cookieOrigin}
	})
}

func preflight(origin, method, headers string) []with {
	changes := []with{header("Origin", origin), header("Access-Control-Request-Method", method)}
	if headers != "" {
		changes = append(changes, header("Access-Control-Request-Headers", headers))
	}
	return changes
}

// grants lists the CORS headers of an answer.
func grants(a answer) []string {
	var names []string
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			names = append(names, name)
		}
	}
	return names
}

// Without an origin in the configuration no answer has a header of CORS.
func TestBehaviour_B45_Off(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, e := range endpoints {
		for _, a := range []answer{
			w.do(e.method, e.path, nil, header("Origin", plainOrigin)),
			w.do("OPTIONS", e.path, nil, preflight(plainOrigin, e.method, "authorization")...),
		} {
			if len(grants(a)) != 0 || strings.Contains(a.header.Get("Vary"), "Origin") {
				t.Errorf("%s %s without CORS: %v %q", e.method, e.path, grants(a), a.header.Get("Vary"))
			}
		}
	}
}

// Attack_D04: only the origins that are named, compared byte for byte.
func TestBehaviour_B47_Origins(t *testing.T) {
	t.Parallel()
	w := newCORSWorld(t)
	for _, origin := range []string{
		"null", "https://evil.example", "https://app.example.evil.com", "https://evilapp.example", "http://app.example",
		"https://app.example:444", "https://app.example:443", "https://app.example/", "https://app.example.", "https://App.example",
		"HTTPS://app.example", "https://appXexample", "https://app_.example", "https://ａpp.example", "https://app.example, https://evil.example",
		"https://app.example https://evil.example", " ", "*", "https://u@app.example", "https://web.example", "file://",
	} {
		for _, a := range []answer{
			w.do("GET", "/me", nil, header("Origin", origin)),
			w.do("OPTIONS", "/me", nil, preflight(origin, "GET", "authorization")...),
		} {
			if got := grants(a); len(got) != 0 { // Behaviour_B54
				t.Errorf("%q is granted %v", origin, got)
			}
			if !strings.Contains(a.header.Get("Vary"), "Origin") {
				t.Errorf("Behaviour_B46: %q: Vary %q", origin, a.header.Get("Vary"))
			}
		}
	}
	a := w.do("GET", "/me", nil, header("Origin", plainOrigin), header("Origin", "https://evil.example"))
	if len(grants(a)) != 0 {
		t.Errorf("two origins are granted %v", grants(a))
	}
}

// With CORS every answer says that it depends on Origin, whoever asks.
func TestBehaviour_B46_Vary(t *testing.T) {
	t.Parallel()
	w := newCORSWorld(t)
	for _, e := range endpoints {
		for _, a := range []answer{
			w.do(e.method, e.path, nil),
			w.do(e.method, e.path, nil, header("Origin", plainOrigin)),
			w.do(e.method, e.path+"/x", nil),
			w.do("OPTIONS", e.path, nil),
			w.do("OPTIONS", e.path, nil, preflight(plainOrigin, e.method, "")...),
		} {
			if !strings.Contains(a.header.Get("Vary"), "Origin") {
				t.Errorf("%s %s: Vary %q", e.method, e.path, a.header.Get("Vary"))
			}
		}
	}
}

// Standard_S13: every endpoint may be called from the origins that are named; there is no authorization endpoint.
func TestBehaviour_B50_Preflight(t *testing.T) {
	t.Parallel()
	w := newCORSWorld(t)
	for _, e := range endpoints {
		for origin, credentials := range map[string]string{plainOrigin: "", cookieOrigin: "true"} {
			a := w.do("OPTIONS", e.path, nil, preflight(origin, e.method, "authorization,content-type")...).want(t, 204, "")
			if a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Allow-Methods") != e.method ||
				!strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "authorization") ||
				a.header.Get("Access-Control-Allow-Credentials") != credentials || a.header.Get("Access-Control-Max-Age") != "600" {
				t.Errorf("%s %s from %s: %v", e.method, e.path, origin, a.header)
			}
		}
	}
	for name, changes := range map[string][]with{ // Behaviour_B49 Behaviour_B54
		"ET": preflight(plainOrigin, "ET", ""), "put": preflight(plainOrigin, "put", ""), "comma": preflight(plainOrigin, ", ", ""),
		"lower case": preflight(plainOrigin, "post", ""), "foreign method": preflight(plainOrigin, "DELETE", ""),
		"foreign header": preflight(plainOrigin, "POST", "authorization,x-evil"),
	} {
		if got := grants(w.do("OPTIONS", "/login", nil, changes...)); len(got) != 0 {
			t.Errorf("%s is granted %v", name, got)
		}
	}
	a := w.do("OPTIONS", "/nothing", nil, preflight(plainOrigin, "POST", "content-type")...).want(t, 204, "")
	if a.header.Get("Access-Control-Allow-Origin") != plainOrigin { // and the script reads the 404 of the request itself
		t.Errorf("nothing there: %v", a.header)
	}
	a = w.do("OPTIONS", "/nothing", nil, preflight("https://evil.example", "POST", "content-type")...).want(t, 404, "not_found")
	if len(grants(a)) != 0 {
		t.Errorf("nothing there, granted %v", grants(a))
	}
}

// A script that may call may read why it was refused.
func TestBehaviour_B53_Errors(t *testing.T) {
	t.Parallel()
	w := newCORSWorld(t)
	token := w.login("alice", aliceWord).text("access_token")
	from := header("Origin", plainOrigin)
	for _, c := range []struct {
		name string
		a    answer
		want int
	}{
		{"400", w.do("POST", "/login", "{}", from), 400},
		{"401", w.do("GET", "/me", nil, from), 401},
		{"403", w.do("GET", "/admin/v1/users", nil, from, bearer(token)), 403},
		{"404", w.do("GET", "/nothing", nil, from), 404},
		{"405", w.do("POST", "/me", nil, from), 405},
		{"413", w.do("POST", "/login", strings.Repeat(" ", 16<<10+1), from), 413},
		{"415", w.do("POST", "/login", "{}", from, media("text/plain")), 415},
		{"431", w.do("GET", "/me", nil, from, header("X-Big", strings.Repeat("x", 17<<10))), 431},
	} {
		exposed := strings.Split(c.a.header.Get("Access-Control-Expose-Headers"), ", ")
		if c.a.status != c.want || c.a.header.Get("Access-Control-Allow-Origin") != plainOrigin || !slices.Contains(exposed, "Retry-After") {
			t.Errorf("%s: %d %v", c.name, c.a.status, c.a.header)
		}
	}
}

// Of the pages of other origins, those alone use the cookie that are on the same site and are named for it.
func TestCORSCredentials(t *testing.T) {
	t.Parallel()
	w := newCORSWorld(t)
	body := map[string]any{"username": "alice", "password": aliceWord, "cookie": true}
	a := w.do("POST", "/login", body, header("Origin", cookieOrigin), header("Sec-Fetch-Site", "same-site")).want(t, 200, "")
	if a.header.Get("Access-Control-Allow-Credentials") != "true" || a.cookie() == nil {
		t.Errorf("headers %v", a.header)
	}
	for _, site := range []string{"same-site", "cross-site"} { // Attack_D02
		w.do("POST", "/login", body, header("Origin", plainOrigin), header("Sec-Fetch-Site", site)).want(t, 403, "cross_origin")
		w.do("POST", "/login", body, header("Origin", "https://evil.example"), header("Sec-Fetch-Site", site)).want(t, 403, "cross_origin")
	}
	// Allowed, but of another site, from where no browser keeps what is SameSite=Strict: http://localhost beside 127.0.0.1.
	far := w.do("POST", "/login", body, header("Origin", cookieOrigin), header("Sec-Fetch-Site", "cross-site")).want(t, 403, "cross_origin")
	if !strings.Contains(far.text("error_description"), "hosts of one site") || len(far.header.Values("Set-Cookie")) != 0 {
		t.Errorf("%v %s", far.header, far.body)
	}
	w.do("POST", "/login", body, header("Origin", "http://"+w.address), func(r *http.Request) {}).want(t, 200, "")
	delete(body, "cookie")
	b := w.do("POST", "/login", body, header("Origin", plainOrigin), header("Sec-Fetch-Site", "cross-site")).want(t, 200, "")
	if b.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Error("credentials for an origin that may not have them")
	}
}

// A page that administers reads the tag of what it shows, sends it back, and finds what it made.
func TestCORSAdmin(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t, func(s *settings) { s.server.Origins = []string{plainOrigin} })
	from := header("Origin", plainOrigin)
	made := w.do("POST", "/admin/v1/users", map[string]any{"username": "carol", "password": goodWord}, root, from).want(t, 201, "")
	at := made.header.Get("Location")
	seen := w.do("GET", at, nil, root, from).want(t, 200, "")
	patch := preflight(plainOrigin, "PATCH", "authorization,content-type,if-match")
	allowed := w.do("OPTIONS", at, nil, patch...).want(t, 204, "")
	if got := allowed.header; got.Get("Access-Control-Allow-Origin") != plainOrigin || got.Get("Access-Control-Allow-Methods") != "PATCH" ||
		!strings.Contains(got.Get("Access-Control-Allow-Headers"), "if-match") {
		t.Errorf("preflight: %v", got)
	}
	edited := w.do("PATCH", at, map[string]any{"disabled": true}, root, from, ifMatch(seen.header.Get("ETag"))).want(t, 200, "")
	for _, a := range []answer{made, seen, edited, w.do("GET", "/admin/v1/users", nil, from).want(t, 401, "missing_token")} {
		exposed := strings.Split(a.header.Get("Access-Control-Expose-Headers"), ", ")
		for _, name := range []string{"Etag", "Location", "Retry-After"} { // The names of headers have no case.
			if !slices.Contains(exposed, name) {
				t.Errorf("%d exposes %q, without %s", a.status, exposed, name)
			}
		}
	}
	for name, a := range map[string]answer{
		"another origin":      w.do("OPTIONS", at, nil, preflight("https://evil.example", "PATCH", "if-match")...),
		"its answer":          w.do("GET", at, nil, root, header("Origin", "https://evil.example")),
		"another header":      w.do("OPTIONS", at, nil, preflight(plainOrigin, "PATCH", "if-match,x-evil")...),
		"no condition there":  w.do("OPTIONS", "/login", nil, preflight(plainOrigin, "POST", "if-match")...),
		"none of its methods": w.do("OPTIONS", at, nil, preflight(plainOrigin, "PUT", "if-match")...),
	} {
		if got := grants(a); len(got) != 0 {
			t.Errorf("%s is granted %v", name, got)
		}
	}
}
