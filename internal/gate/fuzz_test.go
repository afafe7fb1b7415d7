package gate_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/gate"
)

// FuzzDecide: what passes is forwarded in a form that no reader takes for something guarded.
func FuzzDecide(f *testing.F) {
	routes := mixed[:5] // without letters for which the readers do not agree with a rule
	g := newWorld(f).guard(gate.Config{Routes: routes})
	for _, seed := range []string{
		"/public/a", "/PUBLIC/%70/é", "/public/%2e%2e/admin", "/raw/a;v=1/b%2fc", "/raw/%252e%252e/admin",
		"/ＰＵＢＬＩＣ/x", "/adm\u0131n", "/public/..;/admin", "//admin", "/public?x#y", "/public/\u017f\u1e9e",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		passes(t, g, routes, target)
	})
}

// FuzzHeaders: what a client sends in a header reaches the upstream neither as something that the gate says, whatever
// folding the upstream does, nor with a cookie of Doorward's; foreign cookies stay.
func FuzzHeaders(f *testing.F) {
	g := newWorld(f).guard(gate.Config{TokenHeader: "X-Access-Token", TokenCookie: "app_token", Names: gate.Names{Subject: "X-User"}})
	for _, seed := range [][2]string{
		{"Doorward_Username", "a=b; __Host-dw-refresh=x; c=d"},
		{"x.user", `a="b; __HOST-DW-csrf=x"; =app_token=y`},
		{"X-User", "app_token"},
		{"Accept", " APP_TOKEN =x;;a;b="},
		{"HTTP_X_USER", "\"__Host-dw\"=x,a=b"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, name, cookies string) {
		if strings.ContainsFunc(cookies, func(r rune) bool { return r != '\t' && r < ' ' || r == 0x7f }) {
			return // The server has refused such a line (RFC 9110 §5.5).
		}
		h := http.Header{"Cookie": {cookies}}
		if name = http.CanonicalHeaderKey(name); name != "Cookie" {
			h[name] = []string{"x"}
		}
		must(t, g.SetIdentity(h, nil))
		for _, own := range []string{"Doorward-Username", "Doorward-Assertion", "X-User", "X-Access-Token", "X-Forwarded-For"} {
			if _, kept := h[name]; kept && folded(name) == folded(own) {
				t.Errorf("the header %q reaches the upstream, which may take it for %s", name, own)
			}
		}
		before, after := cookiesIn(cookies), cookiesIn(strings.Join(h["Cookie"], "; "))
		for _, cookie := range before {
			if ours(cookie.Name) {
				continue
			}
			if len(after) == 0 || after[0].String() != cookie.String() {
				t.Fatalf("of %q remains %q: %s is lost", cookies, h["Cookie"], cookie)
			}
			after = after[1:]
		}
		if len(after) > 0 {
			t.Errorf("of %q remains %q: with %s", cookies, h["Cookie"], after[0])
		}
	})
}

// folded is a name as the variables of CGI are written.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", r) {
			return '_'
		}
		return r
	}, strings.ToUpper(name))
}

// cookiesIn reads cookies as net/http does.
func cookiesIn(line string) []*http.Cookie {
	return (&http.Request{Header: http.Header{"Cookie": {line}}}).Cookies()
}

// ours reports whether Doorward reads a cookie of this name.
func ours(name string) bool {
	return strings.HasPrefix(strings.ToLower(name), "__host-dw") || strings.EqualFold(name, "app_token")
}
