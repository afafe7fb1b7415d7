package gate_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
)

const (
	app   = "https://app.example"
	other = "https://other.example:8443"
)

// corsRoutes are rules of several kinds; /theirs leaves CORS to the API.
var corsRoutes = []gate.Route{
	{Path: "/list/own", Access: gate.AccessPublic, CORS: &gate.CORS{Origins: []string{other}}},
	{Path: "/list/**", Access: gate.AccessPublic, CORS: &gate.CORS{
		Origins: []string{app, other}, Headers: []string{"X-B", "x-a", "X-Example-Header-A"}, Expose: []string{"X-Two", "X-One"}, MaxAge: 10 * time.Minute, PrivateNetwork: true,
	}},
	{Path: "/credentials", Access: gate.AccessPublic, CORS: &gate.CORS{Origins: []string{app}, Credentials: true}},
	{Path: "/post", Methods: []string{"POST"}, Access: gate.AccessPublic, CORS: &gate.CORS{Origins: []string{app}}},
	{Path: "/every", Access: gate.AccessPublic, CORS: &gate.CORS{Origins: []string{"*"}}},
	{Path: "/token", CORS: &gate.CORS{Origins: []string{app}}},
	{Path: "/denied", Access: gate.AccessDeny, CORS: &gate.CORS{Origins: []string{app}}},
	{Path: "/service+path", Access: gate.AccessPublic, CORS: &gate.CORS{Origins: []string{app}}},
	{Path: "/service path", Access: gate.AccessPublic, CORS: &gate.CORS{Origins: []string{other}}},
	{Path: "/theirs", Access: gate.AccessPublic},
}

// corsAPI says of CORS what no gate should let through.
func corsAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "https://evil.example")
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	w.Header().Set("Vary", "Accept-Encoding")
	w.Header().Add("Set-Cookie", "a=1")
	w.Header().Add("Set-Cookie", "b=2")
	switch r.URL.Query().Get("fail") {
	case "404":
		w.WriteHeader(http.StatusNotFound)
	case "500":
		w.WriteHeader(http.StatusInternalServerError)
	case "cut":
		panic(http.ErrAbortHandler)
	}
}

// Where a rule has CORS the gate answers preflights and drops what the upstream says of it.
func TestCORS(t *testing.T) {
	t.Parallel()
	f := newFront(newWorld(t), gate.Config{Routes: corsRoutes}, http.HandlerFunc(corsAPI))
	const (
		allowOrigin, allowMethods = "Access-Control-Allow-Origin", "Access-Control-Allow-Methods"
		allowHeaders, maxAge      = "Access-Control-Allow-Headers", "Access-Control-Max-Age"
		credentials, expose       = "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"
		private                   = "Access-Control-Allow-Private-Network"
		asked, askedHeaders       = "Access-Control-Request-Method", "Access-Control-Request-Headers"
	)
	usual := "DELETE, GET, HEAD, PATCH, POST, PUT"
	tests := []struct {
		name, method, path string
		header             []string
		status             int
		want               []string // header and value in turn; "" for a header that must not be there
	}{
		{"Behaviour_C1 Behaviour_C43 Behaviour_C47 another path", "GET", "/theirs", []string{"Origin", app}, 200, []string{allowOrigin, "https://evil.example"}},
		{"Behaviour_C3 Behaviour_C19 exposed headers are sorted", "GET", "/list/x", []string{"Origin", app}, 200, []string{allowOrigin, app, expose, "X-One, X-Two", credentials, ""}},
		{"Behaviour_C19 none by default", "GET", "/credentials", []string{"Origin", app}, 200, []string{expose, ""}},
		{"Behaviour_C5 Behaviour_C21 preflight without headers", "OPTIONS", "/list/x", []string{"Origin", app, asked, "PUT"}, 204, []string{allowOrigin, app, allowMethods, usual, allowHeaders, "", expose, ""}},
		{"Behaviour_C11 no lists without a preflight", "GET", "/list/x", []string{"Origin", app}, 200, []string{allowHeaders, "", allowMethods, "", maxAge, ""}},
		{"Behaviour_C12 one known header", "OPTIONS", "/list/x", []string{"Origin", app, asked, "GET", askedHeaders, "x-a"}, 204, []string{allowHeaders, "x-a"}},
		{"Behaviour_C12 as the client wrote it", "OPTIONS", "/list/x", []string{"Origin", app, asked, "GET", askedHeaders, "x-example-header-a"}, 204, []string{allowHeaders, "x-example-header-a"}},
		{"Behaviour_C12 Behaviour_C7 Behaviour_C13 unknown header", "OPTIONS", "/list/x", []string{"Origin", app, asked, "GET", askedHeaders, "X-FLASK-Q"}, 204, []string{allowHeaders, ""}},
		{"Behaviour_C12 both", "OPTIONS", "/list/x", []string{"Origin", app, asked, "GET", askedHeaders, "x-unknown, X-B"}, 204, []string{allowHeaders, "X-B"}},
		{"Behaviour_C14 credentials", "GET", "/credentials", []string{"Origin", app}, 200, []string{credentials, "true"}},
		{"Behaviour_C14 no credentials without Origin", "GET", "/credentials", nil, 200, []string{credentials, "", allowOrigin, ""}},
		{"Behaviour_C16 Behaviour_C17 404", "GET", "/list/x?fail=404", []string{"Origin", app}, 404, []string{allowOrigin, app}},
		{"Behaviour_C16 500", "GET", "/list/x?fail=500", []string{"Origin", app}, 500, []string{allowOrigin, app}},
		{"Behaviour_C16 no answer", "GET", "/list/x?fail=cut", []string{"Origin", app}, 502, []string{allowOrigin, app}},
		{"Behaviour_C16 no token", "GET", "/token", []string{"Origin", app}, 401, []string{allowOrigin, app}},
		{"a refusal is exposed whole", "GET", "/token", []string{"Origin", app}, 401, []string{expose, "Retry-After, WWW-Authenticate"}},
		{"a refusal where the rule exposes more", "GET", "/list/x?fail=cut", []string{"Origin", app}, 502, []string{expose, "Retry-After, WWW-Authenticate, X-One, X-Two"}},
		{"a refusal for another origin", "GET", "/token", []string{"Origin", other}, 401, []string{allowOrigin, "", expose, ""}},
		{"Behaviour_C16 denied", "GET", "/denied", []string{"Origin", app}, 404, []string{allowOrigin, app}},
		{"Behaviour_C20 max age", "OPTIONS", "/list/x", []string{"Origin", app, asked, "GET"}, 204, []string{maxAge, "600"}},
		{"Behaviour_C20 none", "OPTIONS", "/post", []string{"Origin", app, asked, "POST"}, 204, []string{maxAge, ""}},
		{"Behaviour_C22 method of the rule", "OPTIONS", "/post", []string{"Origin", app, asked, "POST"}, 204, []string{allowMethods, "POST"}},
		{"Behaviour_C22 Behaviour_B49 another method", "OPTIONS", "/post", []string{"Origin", app, asked, "PUT"}, 204, []string{allowMethods, ""}},
		{"Behaviour_C22 part of a method", "OPTIONS", "/post", []string{"Origin", app, asked, "OS"}, 204, []string{allowMethods, ""}},
		{"Behaviour_C22 small letters", "OPTIONS", "/post", []string{"Origin", app, asked, "post"}, 204, []string{allowMethods, ""}},
		{"Behaviour_C22 a comma", "OPTIONS", "/post", []string{"Origin", app, asked, ", "}, 204, []string{allowMethods, ""}},
		{"Behaviour_C22 not a preflight", "GET", "/post", []string{"Origin", app}, 405, []string{allowMethods, "", allowOrigin, app}},
		{"Behaviour_C23 no token for a preflight", "OPTIONS", "/token", []string{"Origin", app, asked, "GET"}, 204, []string{allowOrigin, app}},
		{"Behaviour_C24 Behaviour_C25 OPTIONS of the API's own", "OPTIONS", "/theirs", []string{"Origin", app, asked, "GET"}, 200, []string{allowOrigin, "https://evil.example"}},
		{"Behaviour_C26 Behaviour_C40 no Origin", "GET", "/list/x", nil, 200, []string{allowOrigin, "", "Vary", "Accept-Encoding, Origin"}},
		{"Behaviour_C28 every origin", "GET", "/every", []string{"Origin", "https://any.example"}, 200, []string{allowOrigin, "*", credentials, ""}},
		{"Behaviour_C28 null is not every origin", "GET", "/every", []string{"Origin", "null"}, 200, []string{allowOrigin, ""}},
		{"Behaviour_C29 second of the list", "GET", "/list/x", []string{"Origin", other}, 200, []string{allowOrigin, other}},
		{"Behaviour_C30 not of the list", "GET", "/list/x", []string{"Origin", "https://evil.example"}, 200, []string{allowOrigin, "", "Vary", "Accept-Encoding, Origin"}},
		{"Behaviour_C30 preflight", "OPTIONS", "/list/x", []string{"Origin", "https://evil.example", asked, "GET"}, 204, []string{allowOrigin, "", allowMethods, ""}},
		{"Behaviour_C35 private network", "OPTIONS", "/list/x", []string{"Origin", app, asked, "GET", "Access-Control-Request-Private-Network", "true"}, 204, []string{private, "true"}},
		{"Behaviour_C35 not asked for", "OPTIONS", "/list/x", []string{"Origin", app, asked, "GET"}, 204, []string{private, ""}},
		{"Behaviour_C35 not allowed", "OPTIONS", "/post", []string{"Origin", app, asked, "POST", "Access-Control-Request-Private-Network", "true"}, 204, []string{private, ""}},
		{"Behaviour_C36 Behaviour_C38 Behaviour_C39 Vary", "GET", "/list/x", []string{"Origin", app}, 200, []string{"Vary", "Accept-Encoding, Origin"}},
		{"Behaviour_C37 Vary for one origin too", "GET", "/credentials", []string{"Origin", app}, 200, []string{"Vary", "Accept-Encoding, Origin"}},
		{"Behaviour_C41 Behaviour_C44 the first rule alone", "GET", "/list/own", []string{"Origin", other}, 200, []string{allowOrigin, other, expose, ""}},
		{"Behaviour_C41 and not the next", "GET", "/list/own", []string{"Origin", app}, 200, []string{allowOrigin, ""}},
		{"Behaviour_C42 Behaviour_C47 tree", "GET", "/list/", []string{"Origin", app}, 200, []string{allowOrigin, app}},
		{"Behaviour_C50 plus", "GET", "/service+path", []string{"Origin", app}, 200, []string{allowOrigin, app}},
		{"Behaviour_C50 plus, other's origin", "GET", "/service+path", []string{"Origin", other}, 200, []string{allowOrigin, ""}},
		{"Behaviour_C50 space", "GET", "/service%20path", []string{"Origin", other}, 200, []string{allowOrigin, other}},
		{"Behaviour_C50 space, other's origin", "GET", "/service%20path", []string{"Origin", app}, 200, []string{allowOrigin, ""}},
	}
	for _, origin := range []string{
		"null", "https://evil.com", "https://app.example.evil.com", "https://evilapp.example", "http://app.example", "HTTPS://APP.EXAMPLE",
		"https://app.example:443", "https://app.example.", "https://app.example/", "https://аpp.example", "https://app_example", "https://appXexample", "https://app.example, https://evil.com", "",
	} {
		tests = append(tests, tests[0])
		last := &tests[len(tests)-1]
		last.name, last.path, last.header, last.want = "Attack_D04 "+origin, "/credentials", []string{"Origin", origin}, []string{allowOrigin, "", credentials, "", "Vary", "Accept-Encoding, Origin"}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			res, text := f.call(test.method, test.path, nil, test.header...)
			if res.StatusCode != test.status {
				t.Fatalf("%d, want %d: %s", res.StatusCode, test.status, text)
			}
			for i := 0; i < len(test.want); i += 2 {
				if got := strings.Join(res.Header.Values(test.want[i]), " | "); got != test.want[i+1] {
					t.Errorf("%s: %q, want %q", test.want[i], got, test.want[i+1])
				}
			}
			if res.StatusCode == 200 && len(res.Header.Values("Set-Cookie")) != 2 {
				t.Errorf("Behaviour_C15: %d cookies survive", len(res.Header.Values("Set-Cookie")))
			}
		})
	}
}

// A rule whose CORS is open by mistake, or means nothing, is refused.
func TestRefusedCORS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, cors := range map[string]gate.CORS{
		"Behaviour_C4 every origin and credentials":               {Origins: []string{"*"}, Credentials: true},
		"Behaviour_C6 every header":                               {Origins: []string{app}, Headers: []string{"*"}},
		"Behaviour_C9 a pattern":                                  {Origins: []string{"https://*.example"}},
		"Behaviour_C31 Behaviour_C32 Behaviour_C33 an expression": {Origins: []string{`https://\w+\.example`}},
		"Behaviour_C34 two schemes":                               {Origins: []string{"https?://app.example"}},
		"Behaviour_C49 a broken expression":                       {Origins: []string{"}"}},
		"Behaviour_C45 no origin":                                 {},
		"a path":                                                  {Origins: []string{app + "/"}},
		"capitals":                                                {Origins: []string{"https://App.example"}},
		"a needless port":                                         {Origins: []string{"https://app.example:443"}},
		"a port that is none":                                     {Origins: []string{"https://app.example:65536"}},
		"a method in small letters":                               {Origins: []string{app}, Methods: []string{"GET", "patch"}},
		"every method":                                            {Origins: []string{app}, Methods: []string{"*"}},
		"null":                                                    {Origins: []string{"null"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := gate.NewGuard(routes(w, gate.Route{Path: "/x", CORS: &cors})); err == nil || !strings.Contains(err.Error(), "cors") {
				t.Errorf("%v", err)
			}
		})
	}
}
