package backup_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/doorward/doorward/internal/backup"
)

// What cannot be put on record before is not done: no copy is made, and none is removed.
func TestNothingIsDoneUnrecorded(t *testing.T) {
	t.Parallel()
	f := backup.New(filepath.Join(t.TempDir(), "backups"), func(_ context.Context, path string) error {
		return os.WriteFile(path, []byte("copy"), 0o600)
	})
	down := errors.New("down")
	if _, err := f.Make(t.Context(), func(string) error { return down }); !errors.Is(err, down) {
		t.Error(err)
	}
	if list, err := f.List(); err != nil || len(list) != 0 {
		t.Errorf("made unrecorded: %v, %v", list, err)
	}
	made, err := f.Make(t.Context(), func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(made.Name, func() error { return down }); !errors.Is(err, down) {
		t.Error(err)
	}
	if _, err := f.Find(made.Name); err != nil {
		t.Errorf("removed unrecorded: %v", err)
	}
}
