package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/postgres"
)

// Timeouts that the server has by default do not end the making of the schema, nor the wait for a node that does it.
func TestSchemaTakesItsTime(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	for _, setting := range []string{"lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"} {
		if err := postgrestest.Shared(t).Exec("ALTER DATABASE " + postgrestest.Name(url) + " SET " + setting + " = '1ms'"); err != nil {
			t.Fatal(err)
		}
	}
	db := raw(t, url+"&statement_timeout=0&idle_in_transaction_session_timeout=0")
	other := begin(t, db, `SELECT pg_advisory_xact_lock(1685024626, 2)`)
	opened := make(chan error)
	go func() {
		s, err := postgres.Open(t.Context(), postgres.Config{URL: url})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	for waiting, tick := false, time.Tick(time.Millisecond); !waiting; <-tick {
		err := db.QueryRowContext(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-opened:
			t.Fatalf("open did not wait: %v", err)
		default:
		}
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// Tables are in the schema that was asked for, or nowhere; and the error says why.
func TestSchemaRights(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	super := raw(t, strings.Replace(url, postgrestest.Role+"@", postgrestest.Superuser+"@", 1))
	exec(t, super, `CREATE SCHEMA doorward`)
	if _, err := postgres.Open(t.Context(), postgres.Config{URL: url}); !errors.Is(err, postgres.ErrServer) {
		t.Errorf("a schema that the role may not use: %v, want ErrServer", err)
	}
	exec(t, super, `GRANT USAGE ON SCHEMA doorward TO `+postgrestest.Role)
	if _, err := postgres.Open(t.Context(), postgres.Config{URL: url}); err == nil || !strings.Contains(err.Error(), "permission denied for schema doorward") {
		t.Errorf("a schema in which the role may make nothing: %v", err)
	}
	exec(t, super, `GRANT CREATE ON SCHEMA doorward TO `+postgrestest.Role)
	open(t, url)
}
