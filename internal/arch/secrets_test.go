package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hasty are comparisons that end at the first byte that differs, so that their time tells how much of a guess is right.
var hasty = []string{"bytes.Equal", "bytes.Compare", "reflect.DeepEqual", "slices.Equal", "slices.Compare", "strings.Compare"}

// public are the files that may use them, and what it is that everybody may know there.
var public = map[string]string{
	"internal/audit/file.go":              "a line of an export and itself, written anew",
	"internal/cutoff/value.go":            "sessions' public ids",
	"internal/sqlstore/accounts/edits.go": "users and clients as an admin reads them, without hash and secret",
	"internal/sqlstore/accounts/roles.go": "a role as an admin reads it",
	"internal/strict/object.go":           "names of JSON members",
	"jwt/internal/jwa/ecdsa.go":           "a number of a signature and the order of its curve",
}

// steady are the packages in which something secret is compared, each with what must compare it. Whatever else is
// secret is never compared: sessions are looked up by the digest of their handle, keys by their public names.
var steady = map[string]string{
	"internal/opaque":  "crypto/hmac.Equal",
	"jwt/internal/jwa": "crypto/hmac.Equal",
	"internal/account": "crypto/subtle.ConstantTimeCompare",
	"password":         "crypto/subtle.ConstantTimeCompare",
}

// Attack_G08, Attack_G09: secrets are compared in constant time, and randomness comes from crypto/rand alone.
func TestSecrets(t *testing.T) {
	t.Parallel()
	u := usesOf(t, "../..")
	if len(u.of) < 50 {
		t.Fatalf("only %d files with code were found", len(u.of))
	}
	for _, problem := range u.problems() {
		t.Error(problem)
	}
}

// The rules bite, over a module with each fault.
func TestSecretsPlanted(t *testing.T) {
	t.Parallel()
	c := planted(t, sound+`
-- jwt/p.go --
package jwt
import "math/rand"
var _ = rand.Int()
-- issuer/q.go --
// Package issuer is here.
package issuer
import (
	r "math/rand/v2"
	b "bytes"
)
var _ = b.Equal(nil, nil) || r.Int() == 0
-- password/p_test.go --
package password
import "bytes"
import "math/rand"
var _ = bytes.Equal(nil, nil)
`)
	got := usesOf(t, c.root).problems()
	for _, want := range []string{
		"issuer/q.go uses bytes.Equal", "issuer/q.go imports math/rand/v2", "jwt/p.go imports math/rand",
		"internal/opaque: nothing uses crypto/hmac.Equal", "password: nothing uses crypto/subtle.ConstantTimeCompare",
		"internal/strict/object.go compares nothing",
	} {
		if !slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, want) }) {
			t.Errorf("no problem %q in %q", want, got)
		}
	}
	if slices.ContainsFunc(got, func(p string) bool { return strings.Contains(p, "_test.go") }) {
		t.Errorf("tests may do this: %q", got)
	}
}

// uses is what each file with code, tests left out, imports and names of other packages.
type uses struct{ of map[string][]string }

func usesOf(t *testing.T, root string) uses {
	t.Helper()
	u := uses{of: map[string][]string{}}
	files := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && (skipped(d.Name()) || forTests(d.Name())):
			return filepath.SkipDir
		case d.IsDir(), !strings.HasSuffix(name, ".go"), strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		imports := importNames(f)
		list := slices.Collect(maps.Values(imports))
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				list = append(list, qualified(imports, sel))
			}
			return true
		})
		u.of[filepath.ToSlash(rel)] = list
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (u uses) problems() []string {
	var problems []string
	compares := map[string]bool{}
	used := map[string][]string{} // by package
	for name, list := range u.of {
		for _, use := range list {
			switch {
			case use == "math/rand" || use == "math/rand/v2":
				problems = append(problems, name+" imports "+use+": what it makes can be guessed")
			case slices.Contains(hasty, use) && public[name] == "":
				problems = append(problems, name+" uses "+use+": compare in constant time, or say in this test what is public")
			case slices.Contains(hasty, use):
				compares[name] = true
			}
		}
		used[path.Dir(name)] = append(used[path.Dir(name)], list...)
	}
	for name := range public {
		if !compares[name] {
			problems = append(problems, name+" compares nothing any more: strike it from the list")
		}
	}
	for dir, want := range steady {
		if !slices.Contains(used[dir], want) {
			problems = append(problems, dir+": nothing uses "+want)
		}
	}
	return problems
}
