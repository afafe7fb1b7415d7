package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// Whoever has the file alone keeps everybody else out, and does not get it while it is open elsewhere.
func TestOpenAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	first := openAt(t, path)
	if _, err := first.Epoch(t.Context(), "u_1"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.OpenAlone(t.Context(), path); !errors.Is(err, sqlite.ErrInUse) {
		t.Fatalf("while it is open: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	alone, err := sqlite.OpenAlone(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	work := func(when string) {
		t.Helper()
		if _, err := alone.EndSubject(t.Context(), "u_1", "test", issuer.Event{}); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	work("alone")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if s, err := sqlite.Open(ctx, path); err == nil {
		t.Error("another opens it")
		_ = s.Close()
	}
	if _, err := sqlite.OpenAlone(t.Context(), path); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("a second one alone: %v", err)
	}
	work("after others tried")
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
	if epoch, err := openAt(t, path).Epoch(t.Context(), "u_1"); err != nil || epoch != 2 {
		t.Errorf("afterwards: %d, %v", epoch, err)
	}
}
