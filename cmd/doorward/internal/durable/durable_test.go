package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/durable"
)

// An error names the file that was asked for, and no other: a temporary one would send its reader looking.
func TestErrorsNameTheFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	there, nowhere := filepath.Join(folder, "there"), filepath.Join(folder, "none", "file")
	if err := durable.Create(there, "one"); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(folder, "folder")
	if err := os.Mkdir(taken, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		do   func(path, text string) error
		path string
		want error
	}{
		{"create what is there", durable.Create, there, fs.ErrExist},
		{"create in no folder", durable.Create, nowhere, fs.ErrNotExist},
		{"replace in no folder", durable.Replace, nowhere, fs.ErrNotExist},
		{"replace a folder", durable.Replace, taken, fs.ErrExist},
	} {
		err := c.do(c.path, "two")
		named, ok := errors.AsType[*fs.PathError](err)
		if !errors.Is(err, c.want) || !ok || named.Path != c.path {
			t.Errorf("%s: %v, want %v about %s", c.name, err, c.want, c.path)
		}
	}
	text, err := os.ReadFile(there)
	if left, _ := filepath.Glob(filepath.Join(folder, ".new-*")); err != nil || string(text) != "one" || left != nil {
		t.Errorf("the file holds %q, %v; left: %v", text, err, left)
	}
}
