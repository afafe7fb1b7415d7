package postgres_test

import (
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/doorward/doorward/doorwardtest"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/account/accounttest"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/audit/audittest"
	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/postgres"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// Every other call goes to another node.
func TestStore(t *testing.T) {
	t.Parallel()
	doorwardtest.TestStore(t, func(t *testing.T) issuer.Store {
		url := template(t)
		return &pair{nodes: [2]*postgres.Store{open(t, url), open(t, url)}}
	})
}

func TestPeople(t *testing.T) {
	t.Parallel()
	openFolder := folders()
	accounttest.TestStore(t, func(t *testing.T, dir string) accounttest.Store { return openFolder(t, dir) })
}

func TestAudit(t *testing.T) {
	t.Parallel()
	var databases sync.Map // the URL of each folder's database
	audittest.TestStore(t, func(t *testing.T, dir string) (audit.Store, *sql.DB) {
		url, ok := databases.Load(dir)
		if !ok {
			url = template(t)
			databases.Store(dir, url)
		}
		return sqlstoretest.In(open(t, url.(string)).Store), raw(t, url.(string))
	})
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	var databases sync.Map // the URL of each folder's database
	accounttest.TestThrottle(t, func(t *testing.T, dir string) (account.Throttle, *sql.DB) {
		url, ok := databases.Load(dir)
		if !ok {
			url = template(t)
			databases.Store(dir, url)
		}
		return sqlstoretest.In(open(t, url.(string)).Store), raw(t, url.(string))
	})
}

func TestSessionLimit(t *testing.T) {
	t.Parallel()
	openFolder := folders()
	accounttest.TestSessionLimit(t, func(t *testing.T, dir string) accounttest.Store {
		s := openFolder(t, dir)
		sqlstore.LimitSessions(s.Store, accounttest.SessionLimit)
		return s
	})
}

func TestClients(t *testing.T) {
	t.Parallel()
	openFolder := folders()
	accounttest.TestClients(t, func(t *testing.T, dir string) accounttest.ClientStore { return openFolder(t, dir) })
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	openFolder := folders()
	accounttest.TestAPIKeys(t, func(t *testing.T, dir string) accounttest.KeyStore { return openFolder(t, dir) })
}

// folders returns a function that opens the database of a folder.
func folders() func(t *testing.T, dir string) sqlstoretest.Whole {
	var databases sync.Map // the URL of each folder's database
	return func(t *testing.T, dir string) sqlstoretest.Whole {
		url, ok := databases.Load(filepath.Clean(dir))
		if !ok {
			url = template(t)
			databases.Store(filepath.Clean(dir), url)
		}
		return sqlstoretest.In(open(t, url.(string)).Store)
	}
}

// template returns the URL of a new database that has the schema already.
func template(t testing.TB) string {
	t.Helper()
	s := postgrestest.Shared(t)
	prepared.Do(func() {
		if err := s.Exec("CREATE DATABASE prepared OWNER " + postgrestest.Role); err != nil {
			t.Fatal(err)
		}
		store, err := postgres.Open(t.Context(), postgres.Config{URL: s.URL("prepared")})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	})
	return s.Clone(t, "prepared")
}

var prepared sync.Once

// open opens the store at a URL, and closes it when the test ends.
func open(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url, Connections: 8})
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
