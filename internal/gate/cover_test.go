package gate_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
	"pgregory.net/rapid"
)

// A rule to which those before it leave no request is refused, and the error names them.
func TestRulesThatAreNeverReached(t *testing.T) {
	t.Parallel()
	public := gate.AccessPublic
	tests := []struct {
		name  string
		rules []gate.Route
		exact bool
		want  string // of the error about the last rule; "" if there is none
	}{
		{name: "the same twice", rules: []gate.Route{{Path: "/a"}, {Path: "/a", Access: public}}, want: "/a: is never reached: whatever it fits falls under rule 1 (/a) before"},
		{name: "below another", rules: []gate.Route{{Path: "/x"}, {Path: "/admin/**"}, {Path: "/admin/users/**"}}, want: "rule 2 (/admin/**) before"},
		{name: "one path below another", rules: []gate.Route{{Path: "/admin/**"}, {Path: "/admin"}}, want: "rule 1"},
		{name: "after everything", rules: []gate.Route{{Path: "/**"}, {Path: "/"}}, want: "rule 1 (/**)"},
		{name: "another spelling", rules: []gate.Route{{Path: "/a b/"}, {Path: "/A%20B"}}, want: "rule 1 (/a b/)"},
		{name: "GET is HEAD", rules: []gate.Route{{Path: "/a", Methods: []string{"GET"}}, {Path: "/a", Methods: []string{"HEAD"}}}, want: "rule 1"},
		{
			name:  "by two together",
			rules: []gate.Route{{Path: "/a/**", Methods: []string{"GET"}}, {Path: "/a/b", Methods: []string{"GET"}, Access: public}}, want: "rule 1 (/a/**) before",
		},
		{
			name: "method by method",
			rules: []gate.Route{
				{Path: "/a/**", Methods: []string{"GET"}},
				{Path: "/a/b", Methods: []string{"POST"}},
				{Path: "/a/b", Methods: []string{"GET", "POST"}},
			}, want: "falls under rule 1 (/a/**) or rule 2 (/a/b) before",
		},
		{name: "a method more", rules: []gate.Route{{Path: "/a/**"}, {Path: "/a", Methods: []string{"PROPFIND", "GET"}}}},
		{name: "below one path", rules: []gate.Route{{Path: "/a"}, {Path: "/a/**"}}},
		{name: "a name that begins alike", rules: []gate.Route{{Path: "/a/**"}, {Path: "/ab"}}},
		{name: "another case where it counts", rules: []gate.Route{{Path: "/a"}, {Path: "/A"}}, exact: true},
		{name: "a sign of a form that is meant", rules: []gate.Route{{Path: "/%7Bid%7D/%3Aid"}, {Path: "/a:b"}}},
		{name: "letters that some readers take for one", rules: []gate.Route{{Path: "/ａ"}, {Path: "/a"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := gate.Config{Routes: test.rules, ExactCase: test.exact}.Validate()
			wrong, ok := errors.AsType[*gate.RouteError](err)
			if test.want == "" && err != nil || test.want != "" && (!ok || wrong.Index != len(test.rules)-1 || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q of the last rule", err, test.want)
			}
		})
	}
}

// TestRulesThatNothingMeets: what no token can meet is a mistake in the configuration, and stops no server that runs.
func TestRulesThatNothingMeets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		route gate.Route
		want  string
	}{
		{gate.Route{Path: "/a", Scope: []string{"b c"}}, `/a: scope ["b c"]: want words`},
		{gate.Route{Path: "/a", Scope: []string{"b", `c"`}}, "want words"},
		{gate.Route{Path: "/a", Scope: []string{"é"}}, "want words"},
		{gate.Route{Path: "/a", Scope: []string{""}}, "is empty"},
		{gate.Route{Path: "/a", Roles: []string{"b", ""}}, "is empty"},
		{gate.Route{Path: "/a", Recent: time.Second - 1}, "less than a second"},
	} {
		err := gate.Config{Routes: []gate.Route{tt.route}}.Validate()
		if _, ok := errors.AsType[*gate.RouteError](err); !ok || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %s", tt.route, err, tt.want)
		}
	}
}

// TestUnreachableRules checks what Validate says of the last rule of some, that it is never reached or that it may
// be, against every request of a small world.
func TestUnreachableRules(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{"a", "b", "A", "aa", "\uff41", "a.b", "é", "%C3%89"})
	path := rapid.Custom(func(r *rapid.T) string {
		parts := rapid.SliceOfN(part, 0, 2).Draw(r, "parts")
		return "/" + strings.Join(parts, "/")
	})
	method := rapid.SampledFrom([]string{"GET", "HEAD", "POST", "PROPFIND"})
	rule := rapid.Custom(func(r *rapid.T) gate.Route {
		route := gate.Route{
			Path: path.Draw(r, "path"), Methods: rapid.SliceOfN(method, 0, 2).Draw(r, "methods"),
			RawPath: rapid.Bool().Draw(r, "raw"),
		}
		if rapid.Bool().Draw(r, "below") {
			route.Path = strings.TrimSuffix(route.Path, "/") + "/**"
		}
		return route
	})
	refused, passed := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		rules, exact := rapid.SliceOfN(rule, 2, 5).Draw(r, "rules"), rapid.Bool().Draw(r, "exact")
		err := gate.Config{Routes: rules, ExactCase: exact}.Validate()
		if wrong, ok := errors.AsType[*gate.RouteError](err); ok {
			rules = rules[:wrong.Index+1]
		} else if err != nil {
			r.Fatal(err)
		}
		choose, wrong := gate.Chooser(rules, exact)
		if wrong != nil {
			r.Fatal(wrong)
		}
		reached := reaches(choose, rules[len(rules)-1].Path, len(rules)-1)
		if reached && err != nil {
			r.Fatalf("%v, but it is reached", err)
		}
		if !reached && err == nil && !slices.ContainsFunc(rules, oddLetters) {
			r.Fatalf("nothing reaches %q, and Validate does not say so", rules[len(rules)-1].Path)
		}
		if err != nil {
			refused++
		} else {
			passed++
		}
	})
	if refused == 0 || passed == 0 {
		t.Errorf("%d refused, %d passed", refused, passed)
	}
}

// oddLetters reports whether readers differ about a rule's path: then all its requests may be refused as ambiguous.
func oddLetters(route gate.Route) bool { return strings.ContainsAny(route.Path, "\uff41é%") }

// reaches reports whether any request falls under a rule.
func reaches(choose func(wire, method string) int, path string, index int) bool {
	base := strings.TrimSuffix(strings.TrimSuffix(path, "**"), "/")
	for _, end := range []string{"", "/", "/fresh", "/fresh/b", "/a", "//a;x", "/a/b", "/A/b", "/\uff41", "/a.b/", "/é", "/%2F"} {
		for _, wire := range []string{base + end, strings.ToUpper(base) + end, strings.ToLower(base) + end} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "PROPFIND", "MKCOL"} {
				if wire != "" && choose(wire, method) == index {
					return true
				}
			}
		}
	}
	return false
}

// Every rule that is wrong is in the error, with its own index. A rule that is wrong covers no other one.
func TestEveryWrongRule(t *testing.T) {
	t.Parallel()
	err := gate.Config{Routes: []gate.Route{
		{}, {Path: "/a/**"}, {Path: "/a/b"}, {Path: "/<c>"}, {Path: "/d", WebSocket: true, Methods: []string{"POST"}}, {Path: "/d"}, {Path: "/a"},
	}}.Validate()
	all, ok := errors.AsType[gate.RouteErrors](err)
	if !ok {
		t.Fatal(err)
	}
	got := map[int]string{}
	for _, e := range all {
		got[e.Index], _, _ = strings.Cut(e.Err.Error(), ";")
	}
	want := map[int]string{
		0: "rule: path is missing", 2: "/a/b: is never reached: whatever it fits falls under rule 2 (/a/**) before",
		3: "/<c>: <name>, {name} and :name mean nothing here", 4: "/d: websocket needs GET among the methods: every WebSocket begins with it",
		6: "/a: is never reached: whatever it fits falls under rule 2 (/a/**) before",
	}
	if !maps.Equal(want, got) {
		t.Errorf("%v, want %v", got, want)
	}
}
