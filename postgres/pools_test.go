package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/doorward/doorward/issuer"
)

// The pool is as large as it was asked to be, and nobody holds a connection once a call has returned.
func TestPools(t *testing.T) {
	t.Parallel()
	s := open(t, template(t))
	if _, err := s.KeyRing(t.Context()); err != nil {
		t.Fatal(err)
	}
	pools := s.Pools()
	shared, reserved := pools["shared"], pools["reserved"]
	if len(pools) != 2 || shared.MaxOpenConnections != 7 || shared.Idle == 0 || shared.InUse != 0 ||
		reserved.MaxOpenConnections != 1 || reserved.Idle != 1 || reserved.InUse != 0 {
		t.Errorf("%+v", pools)
	}
}

// Somebody locks the table of the sessions, and callers wait for it on all connections that they may have. What was revoked is
// read all the same, and so are the keys: tokens are judged on.
func TestLockedTable(t *testing.T) {
	t.Parallel()
	url := template(t)
	s := open(t, url)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE doorward.sessions IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	const callers = 30
	done := make(chan error, callers)
	for range callers {
		go func() {
			_, _, err := s.SessionByHandle(t.Context(), issuer.Digest{})
			done <- err
		}()
	}
	for waiting := time.Tick(time.Millisecond); s.Pools()["shared"].InUse < s.Pools()["shared"].MaxOpenConnections; {
		select {
		case err := <-done:
			t.Fatalf("a caller did not wait: %v", err)
		case <-waiting:
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := s.RevocationsSince(ctx, ""); err != nil {
		t.Errorf("revocations: %v", err)
	}
	if _, err := s.KeyRing(ctx); err != nil {
		t.Errorf("keys: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for range callers {
		if err := <-done; !errors.Is(err, issuer.ErrNotFound) && !errors.Is(err, issuer.ErrUnavailable) { // the latter after too long a wait
			t.Errorf("a caller who waited: %v", err)
		}
	}
}
