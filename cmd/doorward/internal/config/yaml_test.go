package config_test

import (
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
	for _, scope := range []string{"[a: b]", "[\"a\":b]", "[a:\"b\"]", "[a :b]", "[a:\tb]", "[a:b: c]", "[a:{b: c}]", "[a:[b]]", "[{a:b, c:d}]", "[{a:b}]"} {
		_, err := config.Load(config.Source{File: write(t, "routes: [{path: /, require: {scope: "+scope+"}}]\n")})
		if err == nil || !strings.Contains(err.Error(), "routes.require.scope: want a list of texts") && !strings.Contains(err.Error(), "must be specified") {
			t.Errorf("%s: %v", scope, err)
		}
	}
}
