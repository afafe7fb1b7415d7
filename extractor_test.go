package doorward_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// exchange is a request as it goes over the wire and what has to come back.
type exchange struct {
	name, request string
	status        int
	code          string // of the body
	want          string // in the body
}

func (a *api) run(t *testing.T, exchanges []exchange) {
	t.Helper()
	for _, tt := range exchanges {
		t.Run(tt.name, func(t *testing.T) {
			got := a.wire(t, tt.request)
			if got.status != tt.status {
				t.Fatalf("status %d %s, want %d", got.status, got.body, tt.status)
			}
			if code := got.code(t); code != tt.code {
				t.Errorf("code %q, want %q", code, tt.code)
			}
			if !strings.Contains(got.body, tt.want) {
				t.Errorf("body %q, want %q", got.body, tt.want)
			}
		})
	}
	if strings.Contains(a.log.String(), a.token[:40]) {
		t.Error("the token is in the log")
	}
}

// Standard_R01, Standard_R12, Standard_H03.
func TestBearerHeader(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	a.run(t, []exchange{
		{"Behaviour_F41", "GET /need\nAuthorization: Bearer TOKEN", 200, "", "ann"},
		{"Behaviour_B7 lower case", "GET /need\nAuthorization: bearer TOKEN", 200, "", "ann"},
		{"Behaviour_B7 upper case", "GET /need\nAuthorization: BEARER TOKEN", 200, "", "ann"},
		{"Behaviour_B7 two spaces", "GET /need\nAuthorization: Bearer  TOKEN", 200, "", "ann"},
		{"header in lower case", "GET /need\nauthorization: Bearer TOKEN", 200, "", "ann"},
		{"Attack_C02 spaces around the value, which HTTP ignores", "GET /need\nAuthorization:   Bearer TOKEN  ", 200, "", "ann"},
		{"Attack_C02 tab", "GET /need\nAuthorization: Bearer\tTOKEN", 400, "invalid_request", ""},
		{"space and tab", "GET /need\nAuthorization: Bearer \tTOKEN", 400, "invalid_request", ""},
		{"Attack_C02 Behaviour_B2 Behaviour_F48 nothing", "GET /need\nAuthorization: Bearer", 400, "invalid_request", ""},
		{"Attack_C02 space and nothing", "GET /need\nAuthorization: Bearer ", 400, "invalid_request", ""},
		{"Behaviour_B2 two words", "GET /need\nAuthorization: Bearer TOKEN TOKEN", 400, "invalid_request", ""},
		{"Attack_B13 list", "GET /need\nAuthorization: Bearer TOKEN,TOKEN", 400, "invalid_request", ""},
		{"Behaviour_B9 list with spaces", "GET /need\nAuthorization: Bearer TOKEN, Bearer TOKEN", 400, "invalid_request", ""},
		{"Behaviour_F42 Bearer then Basic", "GET /need\nAuthorization: Bearer TOKEN, Basic YTpi", 400, "invalid_request", ""},
		{"Behaviour_F42 Basic then Bearer", "GET /need\nAuthorization: Basic YTpi, Bearer TOKEN", 400, "invalid_request", ""},
		{"Behaviour_F43 trailing comma", "GET /need\nAuthorization: Bearer TOKEN,   ", 400, "invalid_request", ""},
		{"quoted", "GET /need\nAuthorization: Bearer \"TOKEN\"", 400, "invalid_request", ""},
		{"parameters", "GET /need\nAuthorization: Bearer token=\"x\"", 400, "invalid_request", ""},
		{"UTF-8", "GET /need\nAuthorization: Bearer tökén", 400, "invalid_request", ""},
		{"padding alone", "GET /need\nAuthorization: Bearer ===", 400, "invalid_request", ""},
		{"no JWT", "GET /need\nAuthorization: Bearer abc==", 401, "invalid_token", ""},
		{"Attack_C02 no space", "GET /need\nAuthorization: BearerTOKEN", 401, "missing_token", ""},
		{"Attack_C02 other scheme", "GET /need\nAuthorization: Token TOKEN", 401, "missing_token", ""},
		{"Behaviour_F40 Basic", "GET /need\nAuthorization: Basic YTpi", 401, "missing_token", ""},
		{"Behaviour_F47 none", "GET /need", 401, "missing_token", ""},
		{"empty", "GET /need\nAuthorization:", 401, "missing_token", ""},
		{"Attack_C02 slash for a space", "GET /need\nAuthorization: Bearer/TOKEN", 400, "invalid_request", ""},
		{"bare token", "GET /need\nAuthorization: TOKEN", 401, "missing_token", ""},
		{"Attack_C01 two lines", "GET /need\nAuthorization: Bearer TOKEN\nAuthorization: Bearer TOKEN", 400, "invalid_request", ""},
		{"Attack_C01 Bearer and Basic", "GET /need\nAuthorization: Bearer TOKEN\nAuthorization: Basic YTpi", 400, "invalid_request", ""},
		{"Attack_C01 Basic and Bearer", "GET /need\nAuthorization: Basic YTpi\nauthorization: Bearer TOKEN", 400, "invalid_request", ""},
		{"Attack_C05 other headers", "GET /need\nProxy-Authorization: Bearer TOKEN\nX-Authorization: Bearer TOKEN\nX-Access-Token: TOKEN", 401, "missing_token", ""},
		{"Attack_C05 underscore", "GET /need\nAuthoriza_tion: Bearer TOKEN\nAuthorization_: Bearer TOKEN", 401, "missing_token", ""},
		{
			"Attack_C05 trailer", "POST /need\nTransfer-Encoding: chunked\nTrailer: Authorization\n\n" +
				"1\r\nx\r\n0\r\nAuthorization: Bearer TOKEN\r\n\r\n", 401, "missing_token", "",
		},
		{"Attack_C20 GET with a body", "GET /need\nContent-Length: 5\nContent-Type: application/json\n\n{\"a\":", 401, "missing_token", ""},
		{"Behaviour_F80 optional, none", "GET /optional", 200, "", "anonymous"},
		{"Behaviour_F80 optional, Basic", "GET /optional\nAuthorization: Basic YTpi", 200, "", "anonymous"},
		{"Behaviour_F80 optional, list of others", "GET /optional\nAuthorization: Foo 1, Baz, 3", 200, "", "anonymous"},
		{"Behaviour_F79 optional, good", "GET /optional\nAuthorization: Bearer TOKEN", 200, "", "ann"},
		{"Behaviour_F81 optional, Bearer alone", "GET /optional\nAuthorization: Bearer ", 400, "invalid_request", ""},
		{"Behaviour_F81 optional, junk", "GET /optional\nAuthorization: Bearer xxx", 401, "invalid_token", ""},
		{"Behaviour_F81 optional, Bearer in a list", "GET /optional\nAuthorization: Foo 1, Bearer, Baz, 3", 400, "invalid_request", ""},
		{"Behaviour_F81 optional, Bearer 2 in a list", "GET /optional\nAuthorization: Foo 1, bearer 2, Baz, 3", 400, "invalid_request", ""},
		{"Behaviour_F81 optional, commas", "GET /optional\nAuthorization: Bearer ,,0", 400, "invalid_request", ""},
	})
}

func TestHeader(t *testing.T) {
	t.Parallel()
	a := newAPI(t, places(doorward.Header("x-access-token")))
	a.run(t, []exchange{
		{"Behaviour_F44 named header", "GET /need\nX-Access-Token: TOKEN", 200, "", "ann"},
		{"Behaviour_F44 other case", "GET /need\nx-AcCeSs-tOkEn: TOKEN", 200, "", "ann"},
		{"Behaviour_F44 default ignored", "GET /need\nAuthorization: Bearer TOKEN", 401, "missing_token", ""},
		{"default ignored beside it", "GET /need\nX-Access-Token: TOKEN\nAuthorization: Bearer x, y", 200, "", "ann"},
		{"list", "GET /need\nX-Access-Token: TOKEN, TOKEN", 400, "invalid_request", ""},
		{"two words", "GET /need\nX-Access-Token: Bearer TOKEN", 400, "invalid_request", ""},
		{"two lines", "GET /need\nX-Access-Token: TOKEN\nx-access-token: TOKEN", 400, "invalid_request", ""},
		{"empty", "GET /need\nX-Access-Token:", 401, "missing_token", ""},
		{"underscores", "GET /need\nX_Access_Token: TOKEN", 401, "missing_token", ""},
	})
	b := newAPI(t, places(doorward.SchemeHeader("Authorization", "JWT")))
	b.run(t, []exchange{
		{"Behaviour_F45 own scheme", "GET /need\nAuthorization: JWT TOKEN", 200, "", "ann"},
		{"Behaviour_F45 Bearer is another", "GET /need\nAuthorization: Bearer TOKEN", 401, "missing_token", ""},
		{"Behaviour_F45 in a list", "GET /need\nAuthorization: Basic x, JWT TOKEN", 400, "invalid_request", ""},
	})
	c := newAPI(t, places(doorward.Header("Authorization")))
	c.run(t, []exchange{
		{"Behaviour_F46 bare", "GET /need\nAuthorization: TOKEN", 200, "", "ann"},
		{"Behaviour_F46 two parts", "GET /need\nAuthorization: Bearer TOKEN", 400, "invalid_request", ""},
	})
}

// The cookie and its defence against other sites' pages, without a second secret.
func TestCookie(t *testing.T) {
	t.Parallel()
	a := newAPI(t, places(doorward.Cookie("__Host-token", "https://app.example")))
	const cookie = "\nCookie: __Host-token=TOKEN"
	a.run(t, []exchange{
		{"Behaviour_F51 GET", "GET /need" + cookie, 200, "", "ann"},
		{"Behaviour_F50 none", "GET /need", 401, "missing_token", ""},
		{"Behaviour_F51 cleared", "GET /need\nCookie: __Host-token=", 401, "missing_token", ""},
		{"other name", "GET /need\nCookie: token=TOKEN", 401, "missing_token", ""},
		{"other case", "GET /need\nCookie: __host-token=TOKEN", 401, "missing_token", ""},
		{"among others", "GET /need\nCookie: a=b; __Host-token=TOKEN; c=d", 200, "", "ann"},
		{"Behaviour_B9a two of the name", "GET /need\nCookie: __Host-token=TOKEN; __Host-token=TOKEN", 400, "invalid_request", ""},
		{"Behaviour_B9a on two lines", "GET /need\nCookie: __Host-token=TOKEN\nCookie: __Host-token=x", 400, "invalid_request", ""},
		{"Behaviour_B9a one of them empty", "GET /need\nCookie: __Host-token=; __Host-token=TOKEN", 400, "invalid_request", ""},
		{"Attack_D05 name with a space", "GET /need\nCookie: a=b; __Host-token =TOKEN", 400, "invalid_request", ""},
		{"Attack_D05 name with a tab", "GET /need\nCookie: __Host-token\t=TOKEN", 400, "invalid_request", ""},
		{"Attack_D05 one that cannot be read beside it", "GET /need\nCookie: __Host-token=a\"b; __Host-token=TOKEN", 400, "invalid_request", ""},
		{"after a tab", "GET /need\nCookie: a=b;\t__Host-token=TOKEN", 200, "", "ann"},
		{"junk", "GET /need\nCookie: __Host-token=a b", 401, "invalid_token", ""},
		{"GET of another site", "GET /need\nSec-Fetch-Site: cross-site" + cookie, 200, "", "ann"},
		{"Behaviour_F53 POST of this origin", "POST /need\nSec-Fetch-Site: same-origin" + cookie, 200, "", "ann"},
		{"POST of a program", "POST /need" + cookie, 200, "", "ann"},
		{"Behaviour_F52 POST of another site", "POST /need\nSec-Fetch-Site: cross-site" + cookie, 403, "cross_origin", ""},
		{"Behaviour_F54 POST of a sibling", "POST /need\nSec-Fetch-Site: same-site" + cookie, 403, "cross_origin", ""},
		{"DELETE of another site", "DELETE /need\nSec-Fetch-Site: cross-site" + cookie, 403, "cross_origin", ""},
		{"POST, old browser, another origin", "POST /need\nOrigin: https://evil.example" + cookie, 403, "cross_origin", ""},
		{"POST, old browser, this origin", "POST /need\nOrigin: http://api.example" + cookie, 200, "", "ann"},
		{"POST, origin null", "POST /need\nOrigin: null" + cookie, 403, "cross_origin", ""},
		{"POST of a trusted origin", "POST /need\nOrigin: https://app.example\nSec-Fetch-Site: cross-site" + cookie, 200, "", "ann"},
		{"POST of nearly a trusted origin", "POST /need\nOrigin: https://app.example.evil\nSec-Fetch-Site: cross-site" + cookie, 403, "cross_origin", ""},
		{"unknown method of another site", "FROB /need\nSec-Fetch-Site: cross-site" + cookie, 403, "cross_origin", ""},
		{"WebSocket of another site", "GET /need\nUpgrade: websocket\nOrigin: https://evil.example" + cookie, 403, "cross_origin", ""},
		{"WebSocket of this origin", "GET /need\nUpgrade: websocket\nOrigin: http://api.example" + cookie, 200, "", "ann"},
		{"Behaviour_F63 optional POST without a cookie", "POST /optional\nSec-Fetch-Site: cross-site", 200, "", "anonymous"},
		{"Behaviour_F63 optional POST of another site", "POST /optional\nSec-Fetch-Site: cross-site" + cookie, 403, "cross_origin", ""},
	})
}

// A handler sees the request as it came, also after a WebSocket was judged as a POST.
func TestCookieLeavesTheMethod(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.HS256, places(doorward.Cookie("token")))
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Cookie", "token=x")
	if token, err := s.v.Token(r); token != "x" || err != nil || r.Method != http.MethodGet {
		t.Errorf("Token = %q, %v; the method is %s", token, err, r.Method)
	}
}

// A form that a handler further out has read is not read again.
func TestFormFieldReadBefore(t *testing.T) {
	t.Parallel()
	s := newSubject(t, jwt.HS256, places(doorward.FormField("token")))
	for _, tt := range []struct {
		body, want string
		wantErr    error
	}{
		{"token=x", "x", nil},
		{"token=x&token=y", "", doorward.ErrTwoTokens},
	} {
		r := httptest.NewRequest(http.MethodPost, "/?token=z", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if err := r.ParseForm(); err != nil {
			t.Fatal(err)
		}
		if token, err := s.v.Token(r); token != tt.want || !errors.Is(err, tt.wantErr) {
			t.Errorf("%s: %q, %v", tt.body, token, err)
		}
	}
}

func TestFormField(t *testing.T) {
	t.Parallel()
	a := newAPI(t, places(doorward.FormField("access_token")))
	form := func(method, contentType, body string) string {
		body = strings.ReplaceAll(body, "TOKEN", a.token)
		return method + " /need\nContent-Type: " + contentType + "\nContent-Length: " + itoa(len(body)) + "\n\n" + body
	}
	const plain = "application/x-www-form-urlencoded"
	a.run(t, []exchange{
		{"Standard_R04 POST", form("POST", plain, "a=1&access_token=TOKEN"), 200, "", "ann a=1&access_token="},
		{"Standard_R04 PUT", form("PUT", plain+"; charset=UTF-8", "access_token=TOKEN&a=1"), 200, "", "&a=1"},
		{"Standard_R04 GET", form("GET", plain, "access_token=TOKEN"), 401, "missing_token", ""},
		{"Attack_C20 DELETE", form("DELETE", plain, "access_token=TOKEN"), 401, "missing_token", ""},
		{"other type", form("POST", "text/plain", "access_token=TOKEN"), 401, "missing_token", ""},
		{"Attack_B14 multipart", form("POST", "multipart/form-data; boundary=x", "access_token=TOKEN"), 401, "missing_token", ""},
		{"no type", "POST /need\nContent-Length: 2\n\na=", 401, "missing_token", ""},
		{"in the URL", strings.Replace(form("POST", plain, "a=1"), "/need", "/need?access_token=TOKEN", 1), 401, "missing_token", ""},
		{"twice", form("POST", plain, "access_token=TOKEN&access_token=x"), 400, "invalid_request", ""},
		{"twice, one escaped", form("POST", plain, "access_token=TOKEN&access%5Ftoken=x"), 400, "invalid_request", ""},
		{"bad escape", form("POST", plain, "access_token=TOKEN&a=%zz"), 400, "invalid_request", ""},
		{"semicolon", form("POST", plain, "access_token=TOKEN;a=1"), 400, "invalid_request", ""},
		{"empty value", form("POST", plain, "access_token="), 401, "missing_token", ""},
		{"no body", "POST /need\nContent-Type: " + plain + "\nContent-Length: 0", 401, "missing_token", ""},
		{"Attack_B06 large", form("POST", plain, "access_token=TOKEN&a="+strings.Repeat("x", 64<<10)), 413, "too_large", ""},
	})
}

func TestJSONField(t *testing.T) {
	t.Parallel()
	a := newAPI(t, places(doorward.BearerHeader(), doorward.JSONField("access_token")))
	body := func(contentType, body string) string {
		body = strings.ReplaceAll(body, "TOKEN", a.token)
		return "POST /need\nContent-Type: " + contentType + "\nContent-Length: " + itoa(len(body)) + "\n\n" + body
	}
	const plain = "application/json"
	large := `{"pad":"` + strings.Repeat("x", 64<<10) + `"}`
	a.run(t, []exchange{
		{"Behaviour_F69", body(plain, `{"a":1,"access_token":"TOKEN"}`), 200, "", `ann {"a":1,"access_token":`},
		{"Behaviour_F70 charset", body(plain+";charset=UTF-8", `{"access_token":"TOKEN"}`), 200, "", "ann"},
		{"escaped name", body(plain, `{"access\u005ftoken":"TOKEN"}`), 200, "", "ann"},
		{"Behaviour_F68 other type", body("application/x-www-form-urlencoded", `{"access_token":"TOKEN"}`), 401, "missing_token", ""},
		{"Behaviour_F69 missing", body(plain, `{"token":"TOKEN"}`), 401, "missing_token", ""},
		{"nested", body(plain, `{"x":{"access_token":"TOKEN"}}`), 401, "missing_token", ""},
		{"other case", body(plain, `{"Access_Token":"TOKEN"}`), 401, "missing_token", ""},
		{"Behaviour_B9b list", body(plain, `["TOKEN"]`), 401, "missing_token", ""},
		{"Behaviour_B9b string", body(plain, `"TOKEN"`), 401, "missing_token", ""},
		{"Behaviour_B9b number", body(plain, `1`), 401, "missing_token", ""},
		{"Behaviour_B9b null", body(plain, `null`), 401, "missing_token", ""},
		{"no body", body(plain, ``), 401, "missing_token", ""},
		{"token a number", body(plain, `{"access_token":1}`), 400, "invalid_request", ""},
		{"token null", body(plain, `{"access_token":null}`), 400, "invalid_request", ""},
		{"Attack_B14 twice", body(plain, `{"access_token":"TOKEN","access_token":"TOKEN"}`), 400, "invalid_request", ""},
		{"Attack_B14 broken", body(plain, `{"access_token":"TOKEN"`), 400, "invalid_request", ""},
		{"Attack_B14 trailing", body(plain, `{"access_token":"TOKEN"}{}`), 400, "invalid_request", ""},
		{"Attack_B06 large", body(plain, large), 413, "too_large", ""},
		{"large with the token elsewhere", strings.Replace(body(plain, large), "\n", "\nAuthorization: Bearer TOKEN\n", 1), 200, "", `ann ` + large},
		{
			"Attack_C03 header and body",
			strings.Replace(body(plain, `{"access_token":"TOKEN"}`), "\n", "\nAuthorization: Bearer TOKEN\n", 1), 400, "invalid_request", "",
		},
	})
}

func TestQuery(t *testing.T) {
	t.Parallel()
	off := newAPI(t, nil)
	off.run(t, []exchange{
		{"Attack_C04 Standard_R03 Behaviour_B8 off", "GET /need?access_token=TOKEN", 401, "missing_token", ""},
		{"Attack_C04 off, beside the header", "GET /need?access_token=TOKEN\nAuthorization: Bearer TOKEN", 200, "", "ann"},
	})
	if got := off.wire(t, "GET /need?access_token=TOKEN"); strings.Contains(got.body, off.token) {
		t.Error("the answer repeats the token")
	}
	on := newAPI(t, places(doorward.BearerHeader(), doorward.Query("foo")))
	on.run(t, []exchange{
		{"Behaviour_F65", "GET /need?foo=TOKEN", 200, "", "ann"},
		{"Behaviour_F66", "GET /need?jwt=TOKEN", 401, "missing_token", ""},
		{"Behaviour_F65 missing", "GET /need", 401, "missing_token", ""},
		{"Behaviour_F67 prefix", "GET /need?foo=bearer%20TOKEN", 401, "invalid_token", ""},
		{"twice", "GET /need?foo=TOKEN&foo=x", 400, "invalid_request", ""},
		{"Attack_C03 header and query", "GET /need?foo=TOKEN\nAuthorization: Bearer TOKEN", 400, "invalid_request", ""},
		{"Attack_C20 semicolon", "GET /need?a=1;foo=TOKEN", 400, "invalid_request", ""},
		{"semicolon elsewhere", "GET /need?a=1;b=2\nAuthorization: Bearer TOKEN", 200, "", "ann"},
		{"refused and not logged", "GET /need?foo=TOKENx", 401, "invalid_token", ""},
	})
	if got := on.wire(t, "GET /need?foo=TOKEN"); got.header.Get("Cache-Control") != "private" {
		t.Errorf("Standard_R03: Cache-Control %q", got.header.Get("Cache-Control"))
	}
	if got := on.wire(t, "GET /need\nAuthorization: Bearer TOKEN"); got.header.Get("Cache-Control") != "" {
		t.Errorf("from the header: Cache-Control %q", got.header.Get("Cache-Control"))
	}
}

// Attack_C03, Standard_R02, Behaviour_B9, Behaviour_F10, Behaviour_F71, Behaviour_F73, Behaviour_F74: every pair of places.
func TestTwoPlaces(t *testing.T) {
	t.Parallel()
	a := newAPI(t, places(
		doorward.BearerHeader(), doorward.Header("x-access-token"), doorward.Cookie("token"),
		doorward.Query("token"), doorward.FormField("token"), doorward.JSONField("token"),
	))
	a.run(t, []exchange{{"Behaviour_F72 none", "GET /need", 401, "missing_token", ""}})
	in := map[string]func(r *http.Request, token string){
		"bearer": func(r *http.Request, token string) { r.Header.Set("Authorization", "Bearer "+token) },
		"header": func(r *http.Request, token string) { r.Header.Set("X-Access-Token", token) },
		"cookie": func(r *http.Request, token string) { r.Header.Set("Cookie", "token="+token) },
		"query":  func(r *http.Request, token string) { r.URL.RawQuery = "token=" + token },
		"form": func(r *http.Request, token string) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body = http.NoBody
			setBody(r, "token="+token)
		},
	}
	for first, put := range in {
		for second, also := range in {
			for _, other := range []string{a.token, "x"} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL+"/optional", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				put(r, a.token)
				want := http.StatusOK
				if first != second {
					also(r, other)
					want = http.StatusBadRequest
				}
				resp, err := a.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				if got := read(t, resp); got.status != want {
					t.Errorf("%s and %s: %d %s, want %d", first, second, got.status, got.body, want)
				}
			}
		}
	}
}

// Behaviour_F82: routes that take the token from different places have different verifiers.
func TestPlacesPerRoute(t *testing.T) {
	t.Parallel()
	cookies := newAPI(t, places(doorward.Cookie("token")))
	headers := newAPI(t, func(c *doorward.Config) { c.Keys = cookies.key })
	headers.token = cookies.token
	headers.run(t, []exchange{
		{"header", "GET /need\nAuthorization: Bearer TOKEN", 200, "", "ann"},
		{"cookie", "GET /need\nCookie: token=TOKEN", 401, "missing_token", ""},
	})
	cookies.run(t, []exchange{
		{"header", "GET /need\nAuthorization: Bearer TOKEN", 401, "missing_token", ""},
		{"cookie", "GET /need\nCookie: token=TOKEN", 200, "", "ann"},
	})
}

type brokenPlace struct{}

func (brokenPlace) Extract(r *http.Request) (string, error) {
	if r.Header.Get("X-Break") != "" {
		return "", errors.New("out of order")
	}
	return r.Header.Get("X-Mine"), nil
}

// An Extractor of the user's own: what it cannot read is a 400, and caches are told that nobody knows what it looks at.
func TestForeignExtractor(t *testing.T) {
	t.Parallel()
	a := newAPI(t, places(doorward.BearerHeader(), brokenPlace{}))
	a.run(t, []exchange{
		{"found", "GET /need\nX-Mine: TOKEN", 200, "", "ann"},
		{"none", "GET /need", 401, "missing_token", ""},
		{"two", "GET /need\nX-Mine: TOKEN\nAuthorization: Bearer TOKEN", 400, "invalid_request", ""},
		{"broken", "GET /need\nX-Break: 1\nAuthorization: Bearer TOKEN", 400, "invalid_request", ""},
	})
	if got := a.wire(t, "GET /need\nX-Mine: TOKEN").header.Get("Vary"); got != "*" {
		t.Errorf("Vary %q, want *", got)
	}
}
