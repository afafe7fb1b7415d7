// Package arch_test holds the rules of this repository as tests. TestRepository checks them here;
// TestPlanted shows, over small modules with one fault each, that every rule bites.
package arch_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/doorward/doorward"
	core   = "." // the folder of package doorward
)

var remote = path.Join(core, "remote")

// arrows is the import direction. An arrow includes what its target may import; there is no other.
// A folder without a line of its own shares its nearest parent's; only folders of that line import it.
var arrows = map[string][]string{
	"cmd/doorward":       {"internal/server", "internal/admin", "internal/reference", "internal/forward", "internal/metrics", "sqlite", "postgres", "internal/sqlstore/accounts", remote, "internal/masterkey", "internal/move"},
	"internal/server":    {"internal/oauth", "internal/apikey", "internal/endpoint", "internal/audit", "jwt"},
	"internal/admin":     {"internal/apikey", "internal/audit", "internal/roster", "internal/inspect", "internal/backup"},
	"internal/oauth":     {"internal/endpoint", "internal/quota", "jwt"},
	"internal/reference": {"internal/endpoint"},

	"internal/reference/referencetest": {"internal/reference"},

	"internal/endpoint":              {"internal/account", "internal/feed", "internal/origin"},
	"internal/metrics":               {"internal/server"},
	"internal/forward":               {"internal/gate", "internal/endpoint"},
	"internal/gate":                  {"internal/apikey", "internal/account", "internal/audit", "internal/origin", "issuer", core, "jwt"},
	"internal/apikey":                {"internal/endpoint"},
	"internal/account":               {"issuer", "password", "internal/quota"},
	"internal/account/accounttest":   {"internal/account"},
	"internal/roster":                {"internal/account"},
	"internal/inspect":               {"internal/account"},
	"internal/backup":                {"issuer"},
	"internal/audit":                 {"internal/sid", "internal/spelling", "internal/strict", "issuer"},
	"internal/audit/audittest":       {"internal/audit"},
	"internal/feed":                  {"issuer"},
	"sqlite":                         {"internal/sqlstore"},
	"postgres":                       {"internal/sqlstore"},
	"internal/masterkey":             {"internal/sqlstore"},
	"internal/move":                  {"internal/sqlstore"},
	"internal/postgrestest":          {},
	"internal/sqlstore":              {"internal/sqlstore/ledger", "internal/sid", "internal/clock", "internal/audit", "internal/feed", "issuer"},
	"internal/sqlstore/accounts":     {"internal/sqlstore", "internal/account"},
	"internal/sqlstore/sqlstoretest": {"internal/sqlstore/accounts", "sqlite"},
	"internal/sqlstore/ledger":       {"internal/audit"},
	"doorwardtest":                   {"issuer", core, "jwt", "internal/storetest"},
	"internal/storetest":             {"issuer", core, "jwt"},
	remote:                           {core, "jwt", "internal/strict", "internal/clock"},
	"issuer":                         {core, "internal/seal", "internal/quota", "internal/opaque", "internal/assertion", "internal/rotation", "internal/payload", "internal/wellknown"},
	"internal/seal":                  {},
	"internal/quota":                 {},
	"internal/origin":                {},
	"internal/peek":                  {},
	"internal/requestid":             {},
	"internal/payload":               {"jwt"},
	"internal/rotation":              {},
	"internal/sid":                   {},
	"internal/spelling":              {},
	"internal/clock":                 {},
	"internal/wellknown":             {},
	"internal/opaque":                {"internal/strict"},
	"internal/assertion":             {"jwt"},
	core:                             {"jwt", "internal/peek", "internal/cutoff", "internal/tokencache", "internal/cause", "internal/challenge", "internal/requestid"},
	"internal/cause":                 {},
	"internal/challenge":             {},
	"internal/cutoff":                {},
	"internal/tokencache":            {},
	"jwt":                            {"internal/strict"},
	"internal/strict":                {},
	"password":                       {},
	"tools":                          {},
}

// forTests says which packages are code that only tests use. bench is a module of its own, so that what it compares
// reaches no user.
func forTests(dir string) bool { return strings.HasSuffix(dir, "test") || first(dir) == "bench" }

// outside lists the folders that stand where a user of the project stands: any public package, no internal one.
var outside = []string{"examples", "bench"}

// standardOnly lists the packages that import no other module, so that their users get none either.
var standardOnly = []string{"internal/strict", "internal/seal", "internal/quota", "internal/origin", "internal/opaque", "internal/assertion", "internal/rotation", "internal/payload", "internal/sid", "internal/wellknown", "internal/cutoff", "internal/tokencache", "internal/cause", "internal/challenge", "internal/requestid", "jwt", core, remote, "issuer"}

// ban keeps the packages in from using a package (use without a dot at its end) or one of its names.
type ban struct {
	in  func(dir string) bool
	use []string
	why string
}

var bans = []ban{
	{exactly("jwt", "internal/strict"), []string{"time", "net", "net/http", "os"}, "no I/O and no clock here"},
	{
		exactly(core),
		[]string{"net.Dial", "net/http.Client", "net/http.DefaultClient", "net/http.Get", "net/http.Transport", "net/http.DefaultTransport"},
		"a verifier never dials",
	},
	{
		func(dir string) bool {
			return !slices.Contains([]string{"cmd", "examples", "bench", "tools"}, first(dir))
		},
		[]string{"flag", "os.Getenv", "os.LookupEnv", "os.Environ", "github.com/spf13/cobra", "github.com/spf13/pflag"},
		"only cmd reads flags, environment and configuration files",
	},
	{
		func(dir string) bool {
			return !slices.Contains([]string{"cmd", "examples", "bench", "tools"}, first(dir)) && dir != "internal/reference"
		},
		[]string{"github.com/goccy/go-yaml"},
		"only cmd reads configuration files, and internal/reference its own text",
	},
	{exactly("internal/sqlstore", "internal/sqlstore/accounts"), []string{"modernc.org/sqlite", "github.com/jackc/pgx/v5"}, "the shared SQL imports no driver"},
	{
		func(dir string) bool { return dir != "internal/metrics" },
		[]string{"github.com/prometheus/client_golang/prometheus", "github.com/prometheus/client_golang/prometheus/promhttp"},
		"packages tell an observer; internal/metrics alone knows Prometheus",
	},
	{func(string) bool { return true }, []string{"C"}, "the binary is built without cgo"},
}

// Walls. Lines of a file and of a function are all its lines; lines of a package are those with code.
const (
	wallFunction  = 70
	wallFile      = 500
	wallPublic    = 1500
	wallPackage   = 3000
	wallInterface = 9
)

var (
	emptyNames = []string{"util", "utils", "common", "helper", "helpers", "pkg", "base", "misc"}
	// forbidden words are written in pieces, since this file is checked too.
	forbidden = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b|(^|[^\w.>}])/(home|Users|root|work)/\w`)
	reason    = regexp.MustCompile("(?m)^- `([^`]+)`, (runtime|tests): (.+)$")
	required  = regexp.MustCompile(`(?m)^(?:require)?\s+([\w.-]+\.[\w./-]+) (v\S+)( // indirect)?$`)
)

const reasons = "docs/decisions/0001-dependencies.md"

func TestRepository(t *testing.T) {
	c := checker{root: "../.."}
	c.run()
	c.libc(t)
	if c.packages < 3 {
		t.Errorf("only %d packages found: the rules looked at nothing", c.packages)
	}
	for _, p := range c.problems {
		t.Error(p)
	}
}

// checker collects what breaks a rule in the module at root.
type checker struct {
	root     string
	packages int
	problems []string
	files    *token.FileSet
	testOnly []string // modules that only tests may import
}

func (c *checker) run() {
	c.files = token.NewFileSet()
	c.dependencies()
	err := filepath.WalkDir(c.root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.Name() == ".git" && !d.IsDir(): // of a worktree: where its repository is
			return nil
		case !d.IsDir():
			return c.words(name)
		case name != c.root && skipped(d.Name()):
			return filepath.SkipDir
		}
		return c.folder(name)
	})
	if err != nil {
		c.report("%v", err)
	}
}

func (c *checker) report(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// dependencies compares the direct requirements of go.mod with the reasons written down for them.
func (c *checker) dependencies() {
	want := map[string]bool{}
	for _, m := range reason.FindAllStringSubmatch(c.read(reasons), -1) {
		want[m[1]] = true
		if m[2] == "tests" {
			c.testOnly = append(c.testOnly, m[1])
		}
	}
	for _, m := range required.FindAllStringSubmatch(c.read("go.mod"), -1) {
		if m[3] != "" {
			continue
		}
		if !want[m[1]] {
			c.report("go.mod: %s has no reason in %s", m[1], reasons)
		}
		delete(want, m[1])
	}
	for name := range want {
		c.report("%s: %s is not a direct requirement of go.mod", reasons, name)
	}
}

// libc compares the version of modernc.org/libc in use with the one that the SQLite driver was generated for.
func (c *checker) libc(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	driver, err := os.ReadFile(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	c.sameLibc(string(driver))
}

func (c *checker) sameLibc(driver string) {
	ours, theirs := version(c.read("go.mod"), "modernc.org/libc"), version(driver, "modernc.org/libc")
	if ours != theirs || ours == "" {
		c.report("go.mod: modernc.org/libc is %q, modernc.org/sqlite wants %q", ours, theirs)
	}
}

func (c *checker) read(name string) string {
	data, err := os.ReadFile(filepath.Join(c.root, name))
	if err != nil {
		c.report("%v", err)
	}
	return string(data)
}

// words looks for what must not be committed in any text file.
func (c *checker) words(name string) error {
	if base := filepath.Base(name); base == "LICENSE" || base == "go.sum" || strings.HasSuffix(base, ".test") {
		return nil
	}
	data, err := os.ReadFile(name)
	if err != nil || bytes.IndexByte(data, 0) >= 0 {
		return err
	}
	for i, line := range strings.Split(string(data), "\n") {
		if word := forbidden.FindString(line); word != "" {
			c.report("%s:%d: forbidden text %q", c.rel(name), i+1, word)
		}
	}
	return nil
}

// folder checks the package in one folder, if there is one.
func (c *checker) folder(name string) error {
	names, err := filepath.Glob(filepath.Join(name, "*.go"))
	if err != nil || len(names) == 0 {
		return err
	}
	dir := c.rel(name)
	c.packages++
	var docs []string
	code, private := 0, true
	for _, name := range names {
		f, err := parser.ParseFile(c.files, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		c.anyFile(f)
		if strings.HasSuffix(name, "_test.go") {
			c.testFile(f)
			continue
		}
		private = false
		docs = append(docs, f.Doc.Text())
		code += c.codeFile(dir, name, f)
	}
	if slices.ContainsFunc(strings.Split(dir, "/"), func(s string) bool { return slices.Contains(emptyNames, s) }) {
		c.report("%s: the name says nothing", dir)
	}
	if !private {
		c.document(dir, docs)
		c.size(dir, code)
	}
	return nil
}

// document wants one comment that names the package, as "Package x …" or "Command x …".
func (c *checker) document(dir string, docs []string) {
	docs = slices.DeleteFunc(docs, func(s string) bool { return s == "" })
	name := path.Base(path.Join("doorward", dir))
	if len(docs) != 1 {
		c.report("%s: %d files document the package, want 1", dir, len(docs))
	} else if !strings.HasPrefix(docs[0], "Package "+name+" ") && !strings.HasPrefix(docs[0], "Command "+name+" ") {
		c.report("%s: its comment does not start with its name", dir)
	}
}

func (c *checker) size(dir string, code int) {
	wall := wallPackage
	if !slices.Contains([]string{"internal", "cmd", "examples", "bench", "tools"}, first(dir)) {
		wall = wallPublic
	}
	if code > wall {
		c.report("%s: %d lines of code, the wall is %d", dir, code, wall)
	}
}

func (c *checker) anyFile(f *ast.File) {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			c.at(fn.Pos(), "no init")
		}
	}
}

// testFile allows time.Sleep only where the clock is a synctest bubble's: inside synctest.Test, or in a function
// whose comment says that it runs in a bubble.
func (c *checker) testFile(f *ast.File) {
	imports := importNames(f)
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			return !strings.Contains(n.Doc.Text(), "bubble")
		case *ast.CallExpr:
			return qualified(imports, n.Fun) != "testing/synctest.Test"
		case *ast.SelectorExpr:
			if qualified(imports, n) == "time.Sleep" {
				c.at(n.Pos(), "a sleep in a test")
			}
		}
		return true
	})
}

// codeFile checks a file that is not a test and returns its number of lines with code.
func (c *checker) codeFile(dir, name string, f *ast.File) int {
	imports := importNames(f)
	for _, target := range imports {
		c.imported(f, dir, target)
	}
	if n := c.files.File(f.Pos()).LineCount(); n > wallFile {
		c.at(f.Pos(), "%d lines in a file, the wall is %d", n, wallFile)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if lines := c.line(n.End()) - c.line(n.Pos()) + 1; lines > wallFunction {
				c.at(n.Pos(), "%s has %d lines, the wall is %d", n.Name.Name, lines, wallFunction)
			}
		case *ast.InterfaceType:
			if n.Methods.NumFields() > wallInterface {
				c.at(n.Pos(), "%d methods in an interface, the wall is %d", n.Methods.NumFields(), wallInterface)
			}
		case *ast.SelectorExpr:
			c.banned(n.Pos(), dir, qualified(imports, n))
		}
		return true
	})
	return codeLines(name)
}

func (c *checker) imported(f *ast.File, dir, target string) {
	c.banned(f.Pos(), dir, target)
	if within(target, module) {
		ours := path.Join(".", strings.TrimPrefix(target, module))
		if !allowed(dir, ours) {
			c.at(f.Pos(), "%s may not import %s", dir, ours)
		}
		return
	}
	if strings.Contains(first(target), ".") && slices.Contains(standardOnly, dir) {
		c.at(f.Pos(), "%s imports the standard library only, not %s", dir, target)
	}
	if slices.ContainsFunc(c.testOnly, func(m string) bool { return within(target, m) }) && !forTests(dir) {
		c.at(f.Pos(), "%s is for tests only", target)
	}
}

func (c *checker) banned(pos token.Pos, dir, use string) {
	for _, b := range bans {
		if b.in(dir) && slices.ContainsFunc(b.use, func(name string) bool { return within(use, name) }) {
			c.at(pos, "%s uses %s: %s", dir, use, b.why)
		}
	}
}

func (c *checker) at(pos token.Pos, format string, args ...any) {
	p := c.files.Position(pos)
	c.report("%s:%d: %s", c.rel(p.Filename), p.Line, fmt.Sprintf(format, args...))
}

func (c *checker) line(pos token.Pos) int { return c.files.Position(pos).Line }

func (c *checker) rel(name string) string {
	rel, err := filepath.Rel(c.root, name)
	if err != nil {
		return name
	}
	return filepath.ToSlash(rel)
}

// allowed says whether dir may import target, following the arrows.
func allowed(dir, target string) bool {
	if slices.Contains(outside, first(dir)) {
		return first(target) != "internal" && first(target) != "cmd"
	}
	from, to := line(dir), line(target)
	if from == "" || from == to {
		return from != "" && target != to // folders under one line, but nobody imports the line's own package from below
	}
	return target == to && reaches(from, to)
}

// line returns the folder whose arrows hold for dir: its own or its nearest parent's, "" if there are none.
func line(dir string) string {
	for from := dir; from == dir || from != "."; from = path.Dir(from) {
		if _, ok := arrows[from]; ok {
			return from
		}
	}
	return ""
}

func reaches(from, to string) bool {
	return slices.ContainsFunc(arrows[from], func(next string) bool { return next == to || reaches(next, to) })
}

// importNames maps the names that a file gives to its imports to their paths.
func importNames(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.Imports {
		target := strings.Trim(spec.Path.Value, "\"`")
		name := path.Base(target)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == "_" || name == "." {
			name = target
		}
		names[name] = target
	}
	return names
}

// qualified returns "path.Name" for a name of an imported package, "" for anything else.
func qualified(imports map[string]string, e ast.Expr) string {
	if sel, ok := e.(*ast.SelectorExpr); ok {
		if id, ok := sel.X.(*ast.Ident); ok && imports[id.Name] != "" {
			return imports[id.Name] + "." + sel.Sel.Name
		}
	}
	return ""
}

// codeLines counts the lines of a file that hold more than comments.
func codeLines(name string) int {
	src, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	set := token.NewFileSet()
	file := set.AddFile(name, -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, 0)
	lines := map[int]bool{}
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return len(lines)
		}
		if tok == token.SEMICOLON && text == "\n" {
			continue
		}
		for i := range strings.Count(text, "\n") + 1 {
			lines[file.Line(pos)+i] = true
		}
	}
}

// skipped says which folders hold nothing of the project's own text.
func skipped(name string) bool {
	if strings.HasPrefix(name, ".") {
		return name != ".ci" && name != ".github"
	}
	return slices.Contains([]string{"testdata", "dist", "doorward-data", "node_modules", "__pycache__"}, name)
}

func version(gomod, name string) string {
	for _, m := range required.FindAllStringSubmatch(gomod, -1) {
		if m[1] == name {
			return m[2]
		}
	}
	return ""
}

// within says whether the import path name is parent or lies below it.
func within(name, parent string) bool {
	return name == parent || strings.HasPrefix(name, parent+"/")
}

func first(name string) string {
	name, _, _ = strings.Cut(name, "/")
	return name
}

func exactly(dirs ...string) func(string) bool {
	return func(dir string) bool { return slices.Contains(dirs, dir) }
}
