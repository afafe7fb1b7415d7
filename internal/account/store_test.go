package account_test

import (
	"path/filepath"
	"testing"

	"github.com/doorward/doorward/internal/account/accounttest"
	"github.com/doorward/doorward/sqlite"
)

func TestStore(t *testing.T) {
	t.Parallel()
	accounttest.TestStore(t, func(t *testing.T, dir string) accounttest.Store { return open(t, dir) })
}

// open opens the store of a folder, which is closed when the test ends.
func open(t *testing.T, dir string) *sqlite.Store {
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
