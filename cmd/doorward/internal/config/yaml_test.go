package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/google/go-cmp/cmp"
)

// A colon without a space after it is a part of a text, in brackets and braces too.
func TestTextsWithColons(t *testing.T) {
	t.Parallel()
	for scope, want := range map[string][]string{
		"[reports:read]":                     {"reports:read"},
		"[a:b:c, d, e:f]":                    {"a:b:c", "d", "e:f"},
		"[ a:b , c:d # of\n, e:f\n  ]":       {"a:b", "c:d", "e:f"},
		"[a:1, 1:a, a:true, a:null, a:-, x]": {"a:1", "1:a", "a:true", "a:null", "a:-", "x"},
		"[http://a.example/b, a:b.c:d-e_f]":  {"http://a.example/b", "a:b.c:d-e_f"},
		"[\"a:b\", 'c:*']":                   {"a:b", "c:*"},
	} {
		for _, file := range []string{
			"upstream: http://127.0.0.1:5000\nroutes: [{path: /, require: {scope: " + scope + "}}]\n",
			"upstream: http://127.0.0.1:5000\nroutes:\n  - path: /\n    require:\n      scope: " + scope + "\n",
		} {
			cfg, err := config.Load(config.Source{File: write(t, file)})
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if diff := cmp.Diff(want, cfg.Routes[0].Scope); diff != "" {
				t.Errorf("%s: %s", file, diff)
			}
		}
	}
	for _, scope := range []string{"[a: b]", "[\"a\":b]", "[a:\"b\"]", "[a :b]", "[a:\tb]", "[a:b: c]", "[a:{b: c}]", "[a:[b]]", "[{a:b, c:d}]", "[{a:b}]", "[a::]"} {
		_, err := config.Load(config.Source{File: write(t, "routes: [{path: /, require: {scope: "+scope+"}}]\n")})
		if err == nil || !strings.Contains(err.Error(), "routes.require.scope: want a text") && !strings.Contains(err.Error(), "must be specified") {
			t.Errorf("%s: %v", scope, err)
		}
	}
}

// The commonest mistakes in YAML are told at their line, in words for people, with what to do.
func TestMistakesInYAML(t *testing.T) {
	t.Parallel()
	const head = "doorward.yaml:"
	tests := []struct{ name, file, want, hint string }{
		{"a space too many", "listen: 127.0.0.1:1\nsession:\n  idle: 1d\n   absolute: 2d\n", "4:4: this line is indented too far", "the same column"},
		{"a space too many after a comment", "session:\n  idle: 1d # a day\n   absolute: 2d\n", "3:4: the indentation of this line or of one above is wrong", "the same column"},
		{"a space too many in a rule", "routes:\n- path: /\n   access: public\n", "3:4: this line is indented too far", "the same column"},
		{"a key below a value", "listen: 127.0.0.1:1\n  audience: a\n", "2:3: this line is indented too far", "the same column"},
		{"a space too few", "session:\n  idle: 1d\n absolute: 2d\n", "3:2: the indentation of this line or of one above is wrong", "the same column"},
		{"the first line indented", " listen: 127.0.0.1:1\naudience: a\n", "2:1: the indentation of this line or of one above is wrong", "the same column"},
		{"default below routes", "routes:\n  - {path: /}\n  default: deny\n", "3:3: the indentation", "routes.default and routes.case are written at the top level"},
		{"an item among keys", "routes:\n  case: exact\n  - {path: /}\n", "3:3: an item of a list (- …) stands among keys", "at the top level"},
		{"tab first", "\tissuer: x\n", "1:7: there is a tab", "indent with spaces"},
		{"tab", "session:\n\tidle: 1d\n", "2:1: there is a tab", "indent with spaces"},
		{"no space after a colon", "audience: a\nlisten:127.0.0.1:1\n", "2:1: want key: value", "a colon and a space"},
		{"no space after the first colon", "listen:127.0.0.1:1\naudience: a\n", "1:1: want key: value", "a colon and a space"},
		{"no space after the only colon", "listen:127.0.0.1:1\n", "1:1: want settings, each as key: value", "a colon and a space"},
		{"no colon", "audience: a\nlisten=127.0.0.1:1\n", "2:1: want key: value", "a colon and a space"},
		{"star in braces", "cors: {origins: *}\n", "1:17: * has a meaning of its own", "in quotes"},
		{"star in a list", "cors:\n  origins: [*]\n", "2:13: * has a meaning of its own", "in quotes"},
		{"star below", "cors:\n  origins:\n  - *\n", "3:5: * has a meaning of its own", "in quotes"},
		{"at", "audience: @a\n", "1:11: @ cannot begin a value", "in quotes"},
		{"percent", "audience: %a\n", "1:11: % has a meaning of its own", "in quotes"},
		{"ampersand", "audience: &a\n", "1:11: & has a meaning of its own", "in quotes"},
		{"bar", "audience: |a\n", "1:11: | and > begin a text of several lines", "in quotes"},
		{"template", "audience: {{ a }}\n", "1:12: { begins keys and values", "in quotes"},
		{"open quote", "audience: \"a\nlisten: 127.0.0.1:1\n", "1:11: this quote has no end", "the same quote"},
		{"open bracket", "audiences: [a, b\nlisten: 127.0.0.1:1\n", "2:1: want , or ] before this", "] at its end"},
		{"open bracket at the end", "audiences: [a, b\n", "1:12: this [ has no ]", "write ]"},
		{"open brace", "session: {idle: 1d\nlisten: 127.0.0.1:1\n", "2:1: want , or } before this", "} at its end"},
		{"open brace at the end", "session: {idle: 1d\n", "1:10: this { has no }", "write }"},
		{"no comma", "audiences: [\"a\" \"b\"]\n", "1:17: want , or ] before this", "commas"},
		{"brace too many", "session: {idle: 1d}}\n", "1:20: this follows a value that has ended already", "in quotes"},
		{"text after quotes", "audience: \"a\" b\n", "1:15: this follows a value that has ended already", "in quotes"},
		{"key twice", "session:\n  idle: 1d\n  idle: 2d\n", "3:3: mapping key \"idle\" already defined at [2:3]", ""},
		{"list under a text", "audiences: a\n  - b\n", "2:6: audiences: want a list, such as [one, two]", ""},
		{"colon in a value", "audience: a: b\n", "1:11: there is a colon with a space inside a value", "in quotes"},
		{"backslash", "audience: \"a\\d\"\n", "1:14: there is a \\ in double quotes", "in single quotes"},
		{"UTF-16", "\xff\xfel\x00", " is UTF-16", "UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(config.Source{File: write(t, test.file)})
			problems := config.AsProblems(err)
			if len(problems) != 1 {
				t.Fatalf("%d problems, want 1: %v", len(problems), err)
			}
			p := problems[0]
			if _, place, _ := strings.Cut(p.Error(), head); !strings.HasPrefix(place, test.want) {
				t.Errorf("%q, want %q", p.Error(), test.want)
			}
			if !strings.Contains(p.Hint, test.hint) || test.hint == "" && p.Hint != "" {
				t.Errorf("hint %q, want %q", p.Hint, test.hint)
			}
		})
	}
}

// What a value should be is told at once, not first that it should be in quotes.
func TestValuesOfAnotherType(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"listen: 8080\n":                                 "listen: want host:port, such as 127.0.0.1:8080",
		"accounts.registration: true\n":                  "accounts.registration: want closed or open",
		"trusted_proxies: [10]\n":                        "trusted_proxies: want addresses, or networks such as 10.0.0.0/8",
		"audience: 12\n":                                 "audience: want a text; put it in quotes",
		"issuer:\n  - https://a.example\n":               "issuer: want a text, and no list",
		"audiences: [a: b]\n":                            "audiences: want a text; put it in quotes if a colon is a part of it",
		"listen: *:8080\n":                               "listen: want a text; put it in quotes, since *, & and !",
		"routes: [{path: }]\n":                           "routes.path: has no value",
		"routes: [{path: /, require: [admin]}]\n":        "routes.require: want names and values, such as {roles: …}",
		"routes: [/admin]\n":                             "routes: want names and values, such as {path: …}",
		"upstream.token: x-access-token\n":               "upstream.token: want names and values, such as {header: …}",
		"routes: [{path: /, cors: https://a.example}]\n": "routes.cors: want names and values, such as {origins: …}",
	} {
		_, err := config.Load(config.Source{File: write(t, file)})
		ps := config.AsProblems(err)
		if len(ps) != 1 || !strings.HasPrefix(ps[0].Key+": "+ps[0].Text, want) || ps[0].Hint != "" {
			t.Errorf("%q: %v, want %q", file, err, want)
		}
	}
}

// Every rule that is wrong is told, and everything that is wrong with it.
func TestEveryWrongRuleIsTold(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Source{File: write(t, "routes:\n  - {path: /a, access: nobody, timeout: 5}\n  - {path: /b}\n  - /c\n  - {path: /d, require: {roles: admin, role: x}}\n")})
	got := make([]string, 0, 5)
	for _, p := range config.AsProblems(err) {
		p.Where = filepath.Base(p.Where)
		got = append(got, p.Error())
	}
	want := []string{
		"doorward.yaml:2:24: routes.access: want token, optional, public or deny",
		"doorward.yaml:2:41: routes.timeout: want a duration with its unit, such as 90s, 10m, 12h or 14d",
		"doorward.yaml:4:5: routes: want names and values, such as {path: …}",
		"doorward.yaml:5:33: routes.require.roles: want a list, such as [one, two]",
		"doorward.yaml:5:40: routes.require: unknown key \"role\"; want roles, scope or recent",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Who looks for the secret of other programs is told that there is none.
func TestKeysOfOtherPrograms(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"secret", "jwt_secret", "master_key", "secret_key", "JWT_SECRET_KEY", "signing_key", "jwt.secret"} {
		_, err := config.Load(config.Source{File: write(t, key+": x\n")})
		if ps := config.AsProblems(err); len(ps) != 1 || !strings.Contains(ps[0].Hint, "master_key_file") {
			t.Errorf("%s: %+v", key, ps)
		}
	}
}
