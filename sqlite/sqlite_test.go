package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/account/accounttest"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/audit/audittest"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestStore(t *testing.T) {
	t.Parallel()
	doorwardtest.TestStore(t, func(t *testing.T) issuer.Store { return open(t) })
}

func TestPeople(t *testing.T) {
	t.Parallel()
	accounttest.TestStore(t, func(t *testing.T, dir string) accounttest.Store {
		return sqlstoretest.In(openAt(t, filepath.Join(dir, "doorward.db")).Store)
	})
}

func TestAudit(t *testing.T) {
	t.Parallel()
	audittest.TestStore(t, func(t *testing.T, dir string) (audit.Store, *sql.DB) {
		path := filepath.Join(dir, "doorward.db")
		return sqlstoretest.In(openAt(t, path).Store), raw(t, path)
	})
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	accounttest.TestThrottle(t, func(t *testing.T, dir string) (account.Throttle, *sql.DB) {
		path := filepath.Join(dir, "doorward.db")
		return sqlstoretest.In(openAt(t, path).Store), raw(t, path)
	})
}

func TestSessionLimit(t *testing.T) {
	t.Parallel()
	accounttest.TestSessionLimit(t, func(t *testing.T, dir string) accounttest.Store {
		s := openAt(t, filepath.Join(dir, "doorward.db"))
		sqlstore.LimitSessions(s.Store, accounttest.SessionLimit)
		return sqlstoretest.In(s.Store)
	})
}

func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// open returns a new store, which is closed when the test ends.
func open(t testing.TB) *sqlite.Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "doorward.db"))
}

func openAt(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
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
