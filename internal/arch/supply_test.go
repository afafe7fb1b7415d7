package arch_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// requirement is every requirement of a go.mod; summed is every line of a go.sum.
	requirement = regexp.MustCompile(`(?m)^(?:require)?\s+([\w.-]+\.[\w./-]+ v\S+)(?: // indirect)?$`)
	summed      = regexp.MustCompile(`(?m)^(\S+ v\S+?)(/go\.mod)? h1:[A-Za-z0-9+/]{43}=$`)
	// elsewhere makes the go command take code from another place than go.mod and go.sum say.
	elsewhere = regexp.MustCompile(`(?m)^(replace|exclude)\b|-mod=mod|-modcacherw|\b(GONOSUMDB|GONOSUMCHECK|GOINSECURE|GOPRIVATE|GOFLAGS)=|GOSUMDB=off|GOPROXY=.*direct`)
	// own is the one replacement allowed: a module beside the root takes the root from the same tree.
	own = regexp.MustCompile(`(?m)^replace github\.com/doorward/doorward => (?:\.\./)*\.\./?$`)
	// action is a step of others in a workflow, pinned when a commit is named.
	action = regexp.MustCompile(`uses:\s*(\S+)`)
	pinned = regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40}$`)
)

// Attack_H11: what is built is what go.sum says, from nowhere else, and CI runs nobody's moving target.
func TestSupply(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	for _, module := range []string{"", "tools/"} {
		sums := map[string]int{}
		for _, m := range summed.FindAllStringSubmatch(read(t, root, module+"go.sum"), -1) {
			sums[m[1]]++
		}
		wanted := requirement.FindAllStringSubmatch(read(t, root, module+"go.mod"), -1)
		if len(wanted) < 10 {
			t.Fatalf("%sgo.mod: only %d requirements found", module, len(wanted))
		}
		for _, m := range wanted {
			if sums[m[1]] != 2 { // the code and its go.mod
				t.Errorf("%sgo.sum: %d sums of %s, want 2", module, sums[m[1]], m[1])
			}
		}
	}
	files, err := fs.Glob(root, "*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	workflows, err := fs.Glob(root, ".github/workflows/*.yml")
	if err != nil || len(workflows) == 0 {
		t.Fatalf("no workflow is looked at: %v", err)
	}
	files = append(files, "go.mod", "Makefile", ".ci/run", "tools/deps.sh", "tools/lint.sh")
	for _, name := range append(files, workflows...) {
		if m := elsewhere.FindString(own.ReplaceAllString(read(t, root, name), "")); m != "" {
			t.Errorf("%s: %q", name, m)
		}
	}
	for _, name := range workflows {
		text := read(t, root, name)
		for _, m := range action.FindAllStringSubmatch(text, -1) {
			if !pinned.MatchString(m[1]) {
				t.Errorf("%s: %s is not pinned to a commit", name, m[1])
			}
		}
		if !strings.Contains(text, "permissions:\n  contents: read\n") || !strings.Contains(text, "govulncheck") && name == ".github/workflows/ci.yml" {
			t.Errorf("%s: may write, or looks for no known vulnerability", name)
		}
	}
	for _, name := range []string{"vendor", "go.work"} {
		if _, err := fs.Stat(root, name); err == nil {
			t.Errorf("%s is there", name)
		}
	}
}

// Attack_H11: the binary is built without network, and is the same wherever it is built.
func TestReproducibleBuild(t *testing.T) {
	t.Parallel()
	copied := t.TempDir()
	copySources(t, "../..", copied)
	var builds [][]byte
	for _, dir := range []string{"../..", copied} {
		out := filepath.Join(t.TempDir(), "doorward")
		build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-o", out, "./cmd/doorward")
		build.Dir = dir
		build.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly", "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build in %s: %v\n%s", dir, err, text)
		}
		binary, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		builds = append(builds, binary)
	}
	if !bytes.Equal(builds[0], builds[1]) {
		t.Errorf("two builds of %d and %d bytes differ", len(builds[0]), len(builds[1]))
	}
	if bytes.Contains(builds[1], []byte(copied)) {
		t.Error("the folder of the build is in the binary")
	}
}

// copySources copies what the build reads of a module.
func copySources(t *testing.T, from, to string) {
	t.Helper()
	copied := 0
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != from && (skipped(d.Name()) || slices.Contains([]string{"bench", "tools", "examples", "docs"}, rel)):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case !d.Type().IsRegular() || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		copied++
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
	if err != nil || copied < 100 {
		t.Fatalf("%d files copied: %v", copied, err)
	}
}

func read(t *testing.T, root fs.FS, name string) string {
	t.Helper()
	data, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
