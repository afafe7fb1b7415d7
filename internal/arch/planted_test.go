package arch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// sound is a module that breaks no rule. Each planted case adds one file to it, or takes one's place.
const sound = `
-- go.mod --
module github.com/doorward/doorward

require example.com/yaml v1.0.0

require (
	example.com/cmp v1.0.0
	modernc.org/libc v1.77.1 // indirect
)
-- docs/decisions/0001-dependencies.md --
- ` + "`example.com/yaml`" + `, runtime: a reason.
- ` + "`example.com/cmp`" + `, tests: a reason.
-- jwt/jwt.go --
// Package jwt is sound.
package jwt

import "github.com/doorward/doorward/internal/strict"
-- jwt/jwt_test.go --
package jwt_test

import (
	"example.com/cmp"
	"testing/synctest"
	"time"
)

func TestSleep(t *testing.T) { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }

// wait is called in a bubble.
func wait() { time.Sleep(1) }
-- internal/strict/strict.go --
// Package strict is sound.
package strict
-- examples/embedded/main.go --
// Command embedded is sound.
package main

import "github.com/doorward/doorward/sqlite"
-- cmd/doorward/main.go --
// Command doorward is sound.
package main

import (
	"os"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/internal/strict"
	"github.com/doorward/doorward/password"
)

var home = os.Getenv("HOME")
`

func TestPlanted(t *testing.T) {
	if got := planted(t, sound).problems; len(got) != 0 {
		t.Fatalf("the sound module breaks a rule: %q", got)
	}
	file := func(name, text string) string { return "-- " + name + " --\n" + text + "\n" }
	code := func(name, text string) string {
		return file(name, "// Package "+filepath.Base(filepath.Dir(name))+" is here.\npackage p\n"+text)
	}
	imports := func(dir, target string) string {
		return code(dir+"/p.go", fmt.Sprintf("import %q", target))
	}
	lines := func(n int) string { return strings.Repeat("var _ = 0\n", n) }
	three := func(dir string, n int) string {
		return code(dir+"/p.go", lines(n)) + file(dir+"/q.go", "package p\n"+lines(n)) + file(dir+"/r.go", "package p\n"+lines(n))
	}
	ours := "github.com/doorward/doorward/"
	for _, tt := range []struct{ name, files, want string }{
		{"issuer imported by jwt", imports("jwt/x", ours+"issuer"), "jwt/x/p.go:2: jwt/x may not import issuer"},
		{"jwt imported by strict", imports("internal/strict/x", ours+"jwt"), "internal/strict/x may not import jwt"},
		{"server imported by gate", imports("internal/gate", ours+"internal/server"), "internal/gate may not import internal/server"},
		{"store imported by issuer", imports("issuer", ours+"sqlite"), "issuer may not import sqlite"},
		{"issuer imported by the core", imports(core, ours+"issuer"), core + " may not import issuer"},
		{"test package in the binary", imports("cmd/doorward/x", ours+"doorwardtest"), "cmd/doorward/x may not import doorwardtest"},
		{"child of another line", imports("internal/server", ours+"issuer/x"), "internal/server may not import issuer/x"},
		{"parent from below", imports("jwt/x", ours+"jwt"), "jwt/x may not import jwt"},
		{"suite imported by its package", imports("internal/account", ours+"internal/account/accounttest"), "may not import internal/account/accounttest"},
		{"unknown package", imports("internal/new", ours+"jwt"), "internal/new may not import jwt"},
		{"internal package in an example", imports("examples/x", ours+"internal/strict"), "examples/x may not import internal/strict"},
		{"module in doorward", imports(core, "example.com/yaml"), core + " imports the standard library only, not example.com/yaml"},
		{"test module in code", imports("sqlite", "example.com/cmp/sub"), "example.com/cmp/sub is for tests only"},
		{"clock in jwt", imports("jwt", "time"), "jwt uses time: no I/O and no clock"},
		{"network in strict", imports("internal/strict", "net/http"), "internal/strict uses net/http"},
		{"dialling verifier", code(core+"/p.go", "import \"net/http\"\nvar c = http.DefaultClient"), "p.go:4: " + core + " uses net/http.DefaultClient"},
		{"environment", code("internal/server/p.go", "import o \"os\"\nvar e = o.Getenv(\"X\")"), "uses os.Getenv: only cmd reads"},
		{"driver in the shared SQL", imports("internal/sqlstore", "modernc.org/sqlite/lib"), "uses modernc.org/sqlite/lib: the shared SQL"},
		{"cgo", imports("postgres", "C"), "postgres uses C"},
		{"no comment", file("password/p.go", "package password"), "password: 0 files document the package"},
		{"two comments", code("password/p.go", "") + code("password/q.go", ""), "password: 2 files document the package"},
		{"comment without the name", file("password/p.go", "// Hashes.\npackage password"), "password: its comment does not start with its name"},
		{"long function", code("password/p.go", "func f() {"+strings.Repeat("\n", 70)+"}"), "f has 71 lines, the wall is 70"},
		{"long file", code("password/p.go", strings.Repeat("// c\n", 500)), "p.go:2: 503 lines in a file"},
		{"large public package", three("password", 500), "password: 1503 lines of code, the wall is 1500"},
		{"large package", three("internal/audit", 1000), "internal/audit: 3003 lines of code, the wall is 3000"},
		{"wide interface", code("password/p.go", "type i interface {"+strings.Repeat("M()\n", 10)+"}"), "10 methods in an interface"},
		{"dependency without a reason", file("go.mod", "require example.com/new v1.0.0"), "go.mod: example.com/new has no reason"},
		{"reason without a dependency", file("docs/decisions/0001-dependencies.md", "- `example.com/gone`, runtime: x."), "example.com/gone is not a direct requirement"},
		{"other libc", file("go.mod", "require modernc.org/libc v1.78.0 // indirect"), `modernc.org/libc is "v1.78.0", modernc.org/sqlite wants "v1.77.1"`},
		{"empty name", imports("internal/util", "fmt"), "internal/util: the name says nothing"},
		{"init", code("password/p.go", "func init() {}"), "p.go:3: no init"},
		{"init in a test", file("password/p_test.go", "package p\nfunc init() {}"), "p_test.go:2: no init"},
		{"sleep", file("jwt/s_test.go", "package p\nimport \"time\"\nfunc f() { time.Sleep(1) }"), "s_test.go:3: a sleep in a test"},
		{"reminder", file("README.md", "one\nTO"+"DO: two"), `README.md:2: forbidden text "TO` + `DO"`},
		{"machine path", file("Makefile", "all: /ho"+"me/me"), "Makefile:1: forbidden text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(planted(t, sound+tt.files).problems, "\n")
			if !strings.Contains(got, tt.want) {
				t.Errorf("problems:\n%s\nwant one with %q", got, tt.want)
			}
		})
	}
}

func planted(t *testing.T, files string) *checker {
	t.Helper()
	c := &checker{root: t.TempDir()}
	for _, f := range txtar.Parse([]byte(files)).Files {
		name := filepath.Join(c.root, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.run()
	c.sameLibc("require modernc.org/libc v1.77.1")
	return c
}
