package gate_test

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/doorward/doorward/internal/gate"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// parseTarget reads a request target as net/http does.
func parseTarget(target string) (*url.URL, error) { return url.ParseRequestURI(target) }

// rules that the tests of paths share: one public tree among guarded ones.
var mixed = []gate.Route{
	{Path: "/", Access: gate.AccessPublic},
	{Path: "/public/**", Access: gate.AccessPublic},
	{Path: "/raw/admin/**", Roles: []string{"admin"}},
	{Path: "/raw/**", Access: gate.AccessPublic, RawPath: true},
	{Path: "/admin/**", Roles: []string{"admin"}},
	{Path: "/straße/**", Access: gate.AccessPublic},
	{Path: "/Straße/intern", Methods: []string{"GET", "PROPFIND"}, Access: gate.AccessDeny},
}

// A path that can be read in more than one way is refused; others fall under the rule that is meant, in one spelling.
func TestPaths(t *testing.T) {
	t.Parallel()
	g := newWorld(t).guard(gate.Config{Routes: mixed})
	tests := []struct {
		name, target string
		status       int    // 0: it passes without a token
		path         string // that is forwarded; "": as it came
	}{
		{name: "root", target: "/"},
		{name: "exact is exact", target: "/x", status: 401},
		{name: "tree", target: "/public/a.b/c"},
		{name: "tree without slash", target: "/public"},
		{name: "tree with slash", target: "/public/"},
		{name: "tree in capitals", target: "/PUBLIC/x"},
		{name: "no part of a name", target: "/publicity", status: 401},
		{name: "guarded", target: "/admin/x", status: 401},
		{name: "guarded in capitals", target: "/ADMIN", status: 401},
		{name: "query", target: "/public?next=//admin;x&a=%2f"},
		{name: "needless escapes", target: "/%70ublic/%7Ea%2Dz", path: "/public/~a-z"},
		{name: "guarded with needless escapes", target: "/%61dmin", status: 401},
		{name: "space", target: "/public/a%20b%c3%a9", path: "/public/a%20b%C3%A9"},
		{name: "bare letters", target: "/public/é|[x]", path: "/public/%C3%A9%7C%5Bx%5D"},
		{name: "signs", target: "/public/a+b,c=d@e!$&'()*:~_-"},
		{name: "escaped signs stay", target: "/public/a%2bb", path: "/public/a%2Bb"},
		{name: "two slashes", target: "/public//admin", status: 400},
		{name: "two slashes first", target: "//admin", status: 400},
		{name: "dot", target: "/public/./x", status: 400},
		{name: "dots", target: "/public/../admin", status: 400},
		{name: "dots at the end", target: "/public/..", status: 400},
		{name: "escaped dots", target: "/public/%2e%2E/admin", status: 400},
		{name: "one escaped dot", target: "/public/.%2e/admin", status: 400},
		{name: "escaped slash", target: "/public%2fadmin", status: 400},
		{name: "escaped backslash", target: "/public/..%5cadmin", status: 400},
		{name: "backslash", target: `/public\..\admin`, status: 400},
		{name: "parameter", target: "/public;x/admin", status: 400},
		{name: "parameter and dots", target: "/public/..;/admin", status: 400},
		{name: "escaped parameter", target: "/public/..%3b/admin", status: 400},
		{name: "escaped twice", target: "/public/%252e%252e/admin", status: 400},
		{name: "escaped question mark", target: "/admin%3f/../public", status: 400},
		{name: "fragment", target: "/public/a%23b", status: 400},
		{name: "bare fragment", target: "/public#/../admin", status: 400},
		{name: "NUL", target: "/public/%00", status: 400},
		{name: "line end", target: "/public/%0d%0aX:y", status: 400},
		{name: "delete", target: "/public/%7f", status: 400},
		{name: "overlong", target: "/public/%c0%ae%c0%ae/admin", status: 400},
		{name: "no UTF-8", target: "/public/%ff", status: 400},
		{name: "wide letters", target: "/%ef%bd%81dmin", status: 400},
		{name: "wide slash", target: "/public%ef%bc%8fadmin", status: 400},
		{name: "wide parameter", target: "/admin%ef%bc%9bx", status: 400},
		{name: "wide percent sign", target: "/%ef%bc%8561dmin", status: 400},
		{name: "wide question mark", target: "/admin%ef%bc%9f", status: 400},
		{name: "wide fragment", target: "/admin%ef%bc%83", status: 400},
		{name: "wide backslash", target: "/public%ef%bc%bcadmin", status: 400},
		{name: "wide dots", target: "/public/%ef%bc%8e%ef%bc%8e/admin", status: 400},
		{name: "letter without dot", target: "/adm%c4%b1n", status: 400},
		{name: "not seen", target: "/ad%e2%80%8bmin", status: 400},
		{name: "dot after the name", target: "/admin.", status: 400},
		{name: "space after the name", target: "/admin%20/x", status: 400},
		{name: "dot after a name of no rule's", target: "/public/Inc."},
		{name: "other letters", target: "/public/%E6%97%A5%E6%9C%AC"},
		{name: "sharp s", target: "/stra%C3%9Fe/x"},
		{name: "first match wins", target: "/STRA%C3%9FE/INTERN"},
		{name: "raw escaped slash", target: "/raw/a%2Fb"},
		{name: "raw escaped slash in small letters", target: "/raw/a%2fb"},
		{name: "raw parameter", target: "/raw/a;v=1/b"},
		{name: "raw slashes", target: "/raw//a"},
		{name: "raw escaped percent", target: "/raw/100%25"},
		{name: "raw that leads elsewhere", target: "/raw//admin", status: 400},
		{name: "raw that leads elsewhere once decoded", target: "/raw%2Fadmin", status: 400},
		{name: "raw that leads elsewhere twice decoded", target: "/raw%252Fadmin", status: 400},
		{name: "raw that leads elsewhere without parameter", target: "/raw/admin;x", status: 400},
		{name: "raw dots", target: "/raw/a/%2e%2e/b", status: 400},
		{name: "raw dots behind a parameter", target: "/raw/a/..;x/b", status: 400},
		{name: "raw NUL", target: "/raw/a;%00", status: 400},
		{name: "raw long", target: "/raw//" + strings.Repeat("a", 8<<10), status: 400},
		{name: "long", target: "/public/" + strings.Repeat("a", 8<<10), status: 400},
	}
	for _, test := range tests {
		t.Run("Attack_C10 "+test.name, func(t *testing.T) {
			t.Parallel()
			v := g.Decide(ask(t, http.MethodGet, test.target))
			if got := status(v); got != test.status {
				t.Fatalf("%.200s: %d, want %d", test.target, got, test.status)
			}
			want := test.path
			if want == "" {
				want, _, _ = strings.Cut(test.target, "?")
			}
			if test.status == 0 && v.Path != want {
				t.Errorf("%s is forwarded as %s, want %s", test.target, v.Path, want)
			}
		})
	}
}

func status(v gate.Verdict) int {
	if v.Refusal == nil {
		return 0
	}
	return v.Refusal.Status
}

// Attack_C10: TestPathLists sends the traversals that people collect towards a guarded tree. None
// passes unless every reader takes it for something public.
func TestPathLists(t *testing.T) {
	t.Parallel()
	corpora := os.Getenv("DOORWARD_CORPORA")
	if corpora == "" {
		t.Skip("DOORWARD_CORPORA is not set: lists of traversals are not tried")
	}
	var lines []string
	for _, name := range []string{
		"fuzzdb/path-traversal/traversals-8-deep-exotic-encoding.txt",
		"payloads-all-the-things/deep-traversal.txt", "payloads-all-the-things/directory-traversal.txt",
		"payloads-all-the-things/open-redirect-payloads.txt", "wpt-url/urltestdata.json",
	} {
		text, err := os.ReadFile(filepath.Join(corpora, name))
		must(t, err)
		lines = append(lines, strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == '"' })...)
	}
	if len(lines) < 2000 {
		t.Fatalf("only %d lines", len(lines))
	}
	g := newWorld(t).guard(gate.Config{Routes: mixed})
	passed := 0
	for _, line := range lines {
		line = strings.ReplaceAll(line, "{FILE}", "admin")
		for _, target := range []string{"/" + line, "/public/" + line + "/admin", "/public" + line + "admin", "/raw/" + line + "admin", "/admin" + line} {
			u, err := parseTarget(target)
			if err != nil {
				continue
			}
			r := ask(t, http.MethodGet, "/")
			r.URL = u
			v := g.Decide(r)
			if v.Refusal != nil {
				continue
			}
			passed++
			for name, read := range readers {
				if text := read(v.Path); guarded(mixed, text) {
					t.Errorf("%q passes as %q, which the reader %s takes for %q", target, v.Path, name, text)
				}
			}
		}
	}
	t.Logf("%d lines in five places: %d pass", len(lines), passed)
}

// readers are how upstreams may take a path.
var readers = map[string]func(string) string{
	"bytes":         func(s string) string { return s },
	"decoding":      unescaped,
	"twice":         func(s string) string { return unescaped(unescaped(s)) },
	"clean":         func(s string) string { return path.Clean(unescaped(s)) },
	"clean first":   func(s string) string { return unescaped(path.Clean(s)) },
	"clean twice":   func(s string) string { return path.Clean(unescaped(unescaped(s))) },
	"java":          func(s string) string { return path.Clean(unescaped(withoutParameters(s))) },
	"java late":     func(s string) string { return path.Clean(withoutParameters(unescaped(unescaped(s)))) },
	"windows":       func(s string) string { return path.Clean(strings.ReplaceAll(trimmed(unescaped(s)), `\`, "/")) },
	"unicode":       func(s string) string { return path.Clean(norm.NFKC.String(unescaped(s))) },
	"capitals":      func(s string) string { return strings.ToLower(strings.ToUpper(norm.NFKC.String(unescaped(s)))) },
	"C":             func(s string) string { s, _, _ = strings.Cut(unescaped(s), "\x00"); return path.Clean(s) },
	"query":         func(s string) string { s, _, _ = strings.Cut(unescaped(s), "?"); return path.Clean(s) },
	"fragment":      func(s string) string { s, _, _ = strings.Cut(unescaped(s), "#"); return path.Clean(s) },
	"what is shown": func(s string) string { return strings.Map(shown, unescaped(s)) },
}

func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if one, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(one)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func withoutParameters(s string) string {
	segments := strings.Split(s, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return strings.Join(segments, "/")
}

func trimmed(s string) string {
	segments := strings.Split(s, "/")
	for i := range segments {
		segments[i] = strings.TrimRight(segments[i], " .")
	}
	return strings.Join(segments, "/")
}

func shown(r rune) rune {
	if unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}

// guarded is the rules in the plainest form: what a reader of the documentation expects of a path
// as an upstream has understood it. It knows nothing of methods.
func guarded(routes []gate.Route, text string) bool {
	for _, route := range routes {
		prefix, tree := strings.CutSuffix(route.Path, "/**")
		text := strings.ToLower(text)
		prefix = strings.ToLower(prefix)
		if text != "/" {
			text = strings.TrimSuffix(text, "/")
		}
		if text == prefix || tree && strings.HasPrefix(text, prefix+"/") {
			return route.Access != gate.AccessPublic
		}
	}
	return true
}

// TestPathProperty draws rules and spellings. What passes without a token is forwarded in a form
// that no reader takes for something guarded, and the decision on that form is the same again.
func TestPathProperty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := []string{"admin", "a", "b", "public", "admin", "a", "b", "public", "ADMIN", "ａdmin", "admin.", "admin ", "adm\u0131n", "ad\u200bmin", "ß", "K"}
	joints := []string{"//", "%2f", "%252F", `\`, "%5C", "/./", "/x/../", ";x/", "/..;/", "/%2e/", "%00/", "?", "%3f", "%23", "/.%2e/"}
	passed := 0
	rapid.Check(t, func(t *rapid.T) {
		var routes []gate.Route
		for range rapid.IntRange(1, 4).Draw(t, "rules") {
			p := ""
			for range rapid.IntRange(1, 2).Draw(t, "depth") {
				p += "/" + rapid.SampledFrom([]string{"admin", "a", "b", "public"}).Draw(t, "name")
			}
			routes = append(routes, gate.Route{
				Path:    p + rapid.SampledFrom([]string{"", "/**"}).Draw(t, "below"),
				Access:  rapid.SampledFrom([]gate.Access{gate.AccessPublic, gate.AccessToken, gate.AccessDeny}).Draw(t, "access"),
				RawPath: rapid.Bool().Draw(t, "raw"),
			})
		}
		g, err := gate.NewGuard(gate.Config{Issuer: w.Issuer, Routes: routes})
		for unreached, ok := errors.AsType[*gate.RouteError](err); ok; unreached, ok = errors.AsType[*gate.RouteError](err) {
			routes = slices.Delete(routes, unreached.Index, unreached.Index+1)
			g, err = gate.NewGuard(gate.Config{Issuer: w.Issuer, Routes: routes})
		}
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)) // evenly, which rapid is not
		for range 100 {
			target := ""
			for range 1 + random.IntN(3) {
				joint := "/"
				if random.IntN(4) == 0 {
					joint = joints[random.IntN(len(joints))]
				}
				target += joint + escapedSome(random, names[random.IntN(len(names))])
			}
			if passes(t, g, routes, "/"+strings.TrimPrefix(target, "/")) {
				passed++
			}
		}
	})
	if passed < 50 {
		t.Errorf("only %d paths passed: the rules were never tried", passed)
	}
}

// passes reports whether a path passes without a token, and wants every reader to take it for
// what it was decided as.
func passes(t rapid.TB, g *gate.Guard, routes []gate.Route, target string) bool {
	u, err := parseTarget(target)
	if err != nil {
		return false
	}
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.URL = u
	v := g.Decide(r)
	if v.Refusal != nil {
		return false
	}
	for name, read := range readers {
		if text := read(v.Path); guarded(routes, text) {
			t.Fatalf("%q passes as %q, which the reader %s takes for %q", target, v.Path, name, text)
		}
	}
	again := *r
	if again.URL, err = parseTarget(v.Path); err != nil {
		t.Fatal(err)
	}
	if w := g.Decide(&again); w.Refusal != nil || w.Path != v.Path || w.Route.Path != v.Route.Path {
		t.Fatalf("%q, forwarded as %q, is decided otherwise there: %+v", target, v.Path, w)
	}
	return true
}

// escapedSome escapes some bytes of a name, once or twice.
func escapedSome(random *rand.Rand, name string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for _, c := range []byte(name) {
		switch random.IntN(30) {
		case 0:
			b.WriteString("%25" + string([]byte{hex[c>>4], hex[c&15]}))
		case 1, 2:
			b.WriteString("%" + string([]byte{hex[c>>4], hex[c&15]}))
		default:
			if c == ' ' {
				b.WriteString("%20")
				continue
			}
			b.WriteByte(c)
		}
	}
	return b.String()
}
