package account_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/account/accounttest"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/sqlite"
)

func TestStore(t *testing.T) {
	t.Parallel()
	accounttest.TestStore(t, func(t *testing.T, dir string) accounttest.Store { return open(t, dir) })
}

// open opens the store of a folder, which is closed when the test ends.
func open(t *testing.T, dir string) sqlstoretest.Whole {
	t.Helper()
	return sqlstoretest.In(openFile(t, dir).Store)
}

func openFile(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(dir, "doorward.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestClients(t *testing.T) {
	t.Parallel()
	accounttest.TestClients(t, func(t *testing.T, dir string) accounttest.ClientStore { return open(t, dir) })
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	accounttest.TestAPIKeys(t, func(t *testing.T, dir string) accounttest.KeyStore { return open(t, dir) })
}

// The last use of what was made is told to the hour, and not as if it had been before that.
func TestShownUse(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 11, 22, 10, 40, 0, 0, time.UTC)
	for _, tt := range []struct{ used, want time.Time }{
		{time.Time{}, time.Time{}},
		{made, made},
		{made.Add(19 * time.Minute), made},
		{made.Add(20 * time.Minute), made.Add(20 * time.Minute)},
		{made.Add(79 * time.Minute), made.Add(20 * time.Minute)},
		{made.Add(-time.Minute), made},
	} {
		if got := account.ShownUse(tt.used, made); !got.Equal(tt.want) {
			t.Errorf("used at %v: %v, want %v", tt.used, got, tt.want)
		}
	}
}
