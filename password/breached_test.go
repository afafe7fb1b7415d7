package password_test

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/doorward/doorward/password"
)

// breachedFile writes the digests of n passwords, with what line makes of each.
func breachedFile(t testing.TB, n int, line func(i int, digest string) string) (path string, passwords []string) {
	t.Helper()
	lines := make([]string, n)
	for i := range n {
		passwords = append(passwords, fmt.Sprintf("breached password %d", i))
		lines[i] = fmt.Sprintf("%X", sha1.Sum([]byte(passwords[i])))
	}
	slices.Sort(lines)
	for i, digest := range lines {
		lines[i] = line(i, digest)
	}
	path = filepath.Join(t.TempDir(), "breached.txt")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, passwords
}

// ASVS_6.2.12.
func TestBreached_Standard_U10(t *testing.T) {
	t.Parallel()
	forms := map[string]func(i int, digest string) string{
		"fixed length":       func(_ int, d string) string { return d + "\n" },
		"fixed, with counts": func(i int, d string) string { return fmt.Sprintf("%s:%09d\n", d, i) },
		"as downloaded":      func(i int, d string) string { return fmt.Sprintf("%s:%d\r\n", d, 1<<(i%40)) },
		"small letters":      func(i int, d string) string { return fmt.Sprintf("%s:%d\n", strings.ToLower(d), i*i) },
	}
	for name, form := range forms {
		for _, n := range []int{1, 2, 3, 50, 91, 100, 5000} {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				t.Parallel()
				path, passwords := breachedFile(t, n, form)
				b, err := password.OpenBreached(path)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = b.Close() }()
				for _, text := range passwords {
					if known, err := b.Contains(text); err != nil || !known {
						t.Fatalf("Contains(%q) = %v, %v", text, known, err)
					}
				}
				for i := range 200 {
					if known, err := b.Contains(fmt.Sprintf("another password %d", i)); err != nil || known {
						t.Fatalf("Contains of another = %v, %v", known, err)
					}
				}
			})
		}
	}
}

func TestBreachedRule(t *testing.T) {
	t.Parallel()
	const composed = "caf\u00e9 breached au lait"
	path := filepath.Join(t.TempDir(), "breached.txt")
	text := fmt.Sprintf("%X:3", sha1.Sum([]byte(composed))) // no line end
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := password.OpenBreached(path)
	if err != nil {
		t.Fatal(err)
	}
	rules := password.Rules{Breached: b}
	for _, typed := range []string{composed, norm.NFD.String(composed)} {
		if err := rules.Check(typed); !errors.Is(err, password.ErrBreached) || !strings.Contains(err.Error(), "wherever else") {
			t.Errorf("Check(%+q) = %v, want ErrBreached", typed, err)
		}
	}
	if err := rules.Check("correct horse battery staple"); err != nil {
		t.Errorf("Check = %v", err)
	}
	// Without its file nothing is accepted unseen.
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	err = rules.Check("correct horse battery staple")
	if _, ok := errors.AsType[*password.RuleError](err); err == nil || ok {
		t.Errorf("Check with a closed file = %v, want an error that is no RuleError", err)
	}
}

func TestBreachedRefused(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("A", 40)
	many := func(lines ...string) string { return strings.Join(lines, "\n") + "\n" }
	var backwards []string
	for i := range 50_000 {
		backwards = append(backwards, fmt.Sprintf("%X:1", sha1.Sum(fmt.Append(nil, i))))
	}
	slices.Sort(backwards)
	half := slices.Concat(backwards[25_000:], backwards[:25_000])
	slices.Reverse(backwards)
	tests := []struct{ name, text string }{
		{"empty", ""},
		{"no digests", "password\n123456\n"},
		{"NTLM", many(strings.Repeat("A", 32) + ":5")},
		{"by count", many(strings.Repeat("B", 40)+":9", digest+":8")},
		{"backwards", many(backwards...)},
		{"two sorted halves", many(half...)},
		{"a long line", many(digest+":1", strings.Repeat("B", 40)+":"+strings.Repeat("1", 100))},
		{"one line without end", digest + strings.Repeat("1", 1<<20)},
		{"blank lines", many(digest, "", "", strings.Repeat("B", 40))},
		{"gzip", "\x1f\x8b\x08\x00" + strings.Repeat("\x00", 100)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "breached.txt")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := password.OpenBreached(path); !errors.Is(err, password.ErrBreachedFile) {
				t.Errorf("OpenBreached = %v, want ErrBreachedFile", err)
			}
		})
	}
	if _, err := password.OpenBreached(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenBreached of no file = %v", err)
	}
	if _, err := password.OpenBreached(t.TempDir()); !errors.Is(err, password.ErrBreachedFile) {
		t.Errorf("OpenBreached of a folder = %v", err)
	}
}
