// Package postgrestest starts a real PostgreSQL for tests: the one that Debian packages, as a user who is not root, in a
// temporary folder and on a unix socket. Nothing of it outlives the test binary, however that ends.
package postgrestest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver
)

// Superuser is the role that owns the cluster; Role is the ordinary one of the URLs that tests get.
const (
	Superuser = "postgres"
	Role      = "doorward"
)

var shared = sync.OnceValues(func() (*Server, error) { return start("fsync=off") })

// Shared returns the server that all tests of this binary share. It skips the test, loudly, on a machine without
// PostgreSQL. Tests that stop or pause a server take one of their own with [Start].
func Shared(t testing.TB) *Server {
	t.Helper()
	return usable(t)(shared())
}

// Start returns a server of the test's own, which is gone when the test ends. Settings are lines of postgresql.conf,
// such as "fsync=off"; without that one the server is as durable as any.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := usable(t)(start(settings...))
	t.Cleanup(s.remove)
	return s
}

// URL returns the URL of a new and empty database on the shared server. The database is dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	return Shared(t).Database(t)
}

var errMissing = errors.New("PostgreSQL is not installed")

func usable(t testing.TB) func(*Server, error) *Server {
	return func(s *Server, err error) *Server {
		t.Helper()
		if errors.Is(err, errMissing) {
			t.Skip("SKIPPED, NOTHING WAS TESTED ON POSTGRES: no PostgreSQL on this machine; tools/deps.sh installs Debian's")
		}
		if err != nil {
			t.Fatalf("start PostgreSQL: %v", err)
		}
		return s
	}
}

// start makes a cluster and starts a server on it.
func start(settings ...string) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	user, err := unprivileged()
	if err != nil {
		return nil, err
	}
	// The path of a unix socket is at most 107 bytes long: t.TempDir is too long for it.
	dir, err := os.MkdirTemp("", "doorward-pg-*")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir, user: user, settings: settings}
	if err := s.init(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *Server) init() error {
	if err := s.user.give(s.dir); err != nil {
		return err
	}
	if err := s.watch(); err != nil {
		return err
	}
	// A language whose order is not that of the bytes, so that a column without COLLATE "C" shows.
	initdb := s.command("initdb", "--pgdata="+s.data(), "--username="+Superuser, "--auth=trust", "--encoding=UTF8",
		"--locale=C", "--locale-provider=icu", "--icu-locale=en-US", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := s.Start(); err != nil {
		return err
	}
	return s.Exec("CREATE ROLE " + Role + " LOGIN")
}

// binaries finds the newest PostgreSQL of Debian's packages, or the one of pg_config.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		slices.Sort(found)
		return filepath.Dir(found[len(found)-1]), nil
	}
	out, err := exec.CommandContext(context.Background(), "pg_config", "--bindir").Output()
	if err != nil {
		return "", errMissing
	}
	bin := strings.TrimSpace(string(out))
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		return "", errMissing
	}
	return bin, nil
}

// Database makes an empty database that belongs to [Role], and returns its URL. It is dropped when the test ends.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	return s.Clone(t, "template1")
}

// Clone is [Server.Database] with the content of another database, to which nobody may be connected.
func (s *Server) Clone(t testing.TB, template string) string {
	t.Helper()
	name := "t_" + strings.ToLower(rand.Text())
	if err := s.Exec("CREATE DATABASE " + name + " TEMPLATE " + template + " OWNER " + Role); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil && s.running() {
			t.Error(err)
		}
	})
	return s.URL(name)
}

// URL returns the URL of a database for [Role].
func (s *Server) URL(database string) string { return s.url(Role, database) }

// Name returns the name of the database in a URL.
func Name(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(u.Path, "/")
}

func (s *Server) url(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database, RawQuery: url.Values{"host": {s.dir}}.Encode()}
	return u.String()
}

// Socket is the path of the unix socket on which the server listens: what a proxy under test dials.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// Exec runs a statement as the superuser, in the database postgres.
func (s *Server) Exec(statement string) error {
	db, err := sql.Open("pgx", s.url(Superuser, "postgres"))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(context.Background(), statement)
	return errors.Join(err, db.Close())
}
