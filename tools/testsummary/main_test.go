package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const head = "module example.com/m\n\ngo 1.26\n"

func TestRun(t *testing.T) {
	passing := "package m\nimport \"testing\"\nfunc TestA(t *testing.T) { t.Run(\"sub\", func(*testing.T) {}); t.Log(\"quiet\") }\n"
	skipping := passing + "func TestB(t *testing.T) { t.Skip(\"no server: install it\") }\n"
	for _, tt := range []struct {
		name, file string
		strict     bool
		code       int
		want       []string
	}{
		{"passes", passing, true, 0, []string{"ok    example.com/m  2 tests", "\n2 passed, 0 failed, 0 skipped\n"}},
		{"skips", skipping, false, 0, []string{"skip  1: no server: install it\n      example.com/m.TestB\n", "2 passed, 0 failed, 1 skipped\n"}},
		{"skips where none may", skipping, true, 1, []string{"a skipped test counts as a failure", "2 passed, 0 failed, 1 skipped\n"}},
		{
			"fails", passing + "func TestC(t *testing.T) { t.Error(\"the cause\") }\n", false, 1,
			[]string{"m_test.go:4: the cause", "--- FAIL: TestC", "2 passed, 1 failed, 0 skipped\n"},
		},
		{"panics", passing + "func TestD(t *testing.T) { panic(\"the cause\") }\n", false, 1, []string{"panic: the cause", "2 passed, 1 failed"}},
		{"exits", "package m\nimport (\"os\"; \"testing\")\nfunc TestMain(*testing.M) { os.Exit(3) }\n", false, 1, []string{"0 passed, 1 failed"}},
		{"does not build", "package m\nvar x int = \"text\"\n", false, 1, []string{"m_test.go:2:13: cannot use", "0 passed, 1 failed"}},
		{"no test", "package m\n", false, 1, []string{"no test ran\n", "0 passed, 0 failed, 0 skipped\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, out := runIn(t, tt.strict, map[string]string{"go.mod": head, "m_test.go": tt.file})
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("want %q in:\n%s", want, out)
				}
			}
			if strings.Contains(out, "quiet") {
				t.Errorf("the output of a passing test is shown:\n%s", out)
			}
		})
	}
}

func TestRunBadModule(t *testing.T) {
	t.Parallel()
	code, out := runIn(t, false, map[string]string{"go.mod": "nonsense"})
	if code != 1 || !strings.Contains(out, "0 passed, 1 failed") || !strings.Contains(out, "exit status") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestRunSecondCommandAfterFailure(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	code := run(t.Context(), []string{"--", "false", "--", "echo", "second"}, false, &out, &out)
	if code != 1 || !strings.Contains(out.String(), "second") {
		t.Errorf("exit code %d:\n%s", code, out.String())
	}
}

func runIn(t *testing.T, strict bool, files map[string]string) (int, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	code := run(t.Context(), []string{"--", "go", "-C", dir, "test", "-json", "./..."}, strict, &out, &out)
	return code, out.String()
}
