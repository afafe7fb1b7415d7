package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/postgres"
)

// Attack_F12: a database that is down is told as such and at once, one that came back is used at once, and connections
// that died meanwhile are no error of anybody.
func TestAttack_F12_Postgres(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t, "fsync=off")
	url := s.Database(t)
	store := open(t, url)
	work := func() error {
		_, err := store.EndSubject(t.Context(), "u_1", "test", issuer.Event{})
		if err == nil {
			_, err = store.KeyRing(t.Context())
		}
		return err
	}
	fill(t, store)
	for name, fault := range map[string]func() error{
		"restart": s.Restart,
		"crash":   func() error { return errors.Join(s.Kill(), s.Start()) },
		"cut":     func() error { return s.Cut(postgrestest.Name(url)) },
	} {
		if err := errors.Join(fault(), work()); err != nil {
			t.Errorf("after a %s: %v", name, err)
		}
		fill(t, store)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := work(); !errors.Is(err, issuer.ErrUnavailable) {
		t.Errorf("while the server is down: %v", err)
	}
	if err := store.WaitChange(t.Context()); err != nil {
		t.Errorf("WaitChange while the server is down: %v", err)
	}
	if err := errors.Join(s.Start(), work()); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// Attack_F12: a database that hangs is given up in a stated time.
func TestAttack_F12_PostgresHangs(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t, "fsync=off")
	store := open(t, s.Database(t))
	resume, err := s.Pause()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err = store.KeyRing(t.Context())
	if took := time.Since(began); !errors.Is(err, issuer.ErrUnavailable) || took > 30*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	if err := resume(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.KeyRing(t.Context()); err != nil {
		t.Errorf("when it goes on: %v", err)
	}
}

// Attack_F12: who says how long they can wait for a database that hangs, waits no longer: they go on without it.
func TestAttack_F12_PostgresHangsForWhoCannotWait(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t, "fsync=off")
	store := open(t, s.Database(t))
	fill(t, store)
	resume, err := s.Pause()
	if err != nil {
		t.Fatal(err)
	}
	const patience = 500 * time.Millisecond
	for name, ask := range map[string]func(context.Context) error{
		"read": func(ctx context.Context) error { _, err := store.KeyRing(ctx); return err },
		"write": func(ctx context.Context) error {
			_, err := store.EndSubject(ctx, "u_1", "test", issuer.Event{})
			return err
		},
	} {
		began := time.Now()
		ctx, cancel := context.WithDeadline(t.Context(), began.Add(patience))
		err := ask(ctx)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > patience+2*time.Second {
			t.Errorf("%s: after %v: %v", name, took, err)
		}
		cancel()
	}
	if err := resume(); err != nil {
		t.Fatal(err)
	}
	fill(t, store)
}

// fill makes the pool hold several connections.
func fill(t *testing.T, store *postgres.Store) {
	t.Helper()
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := store.KeyRing(t.Context())
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// In parameters a space is %20 and a plus sign is itself, as with libpq and not as in forms.
func TestURLParameters(t *testing.T) {
	t.Parallel()
	base := postgrestest.URL(t)
	s, err := postgres.Open(t.Context(), postgres.Config{URL: base + "&application_name=one%20node+more&options=-c%20work_mem%3D1234kB"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db, err := sql.Open("pgx", base)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var named int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'one node+more'").Scan(&named); err != nil || named == 0 {
		t.Errorf("%d connections have the name, %v", named, err)
	}
}

// The URL says what is wrong with it and repeats no password.
func TestURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, url, want string }{
		{"empty", "", "want postgres://"},
		{"another scheme", "mysql://u:hunter2@h/d", "want postgres://"},
		{"no URL", "host=h password=hunter2", "want postgres://"},
		{"port", "postgres://u:hunter2@h:port/d", "want postgres://"},
		{"space in the password", "postgres://u:hunter2 hunter2@h:port/d", "want postgres://"},
		{"parameters", "postgres://u:hunter2@h/d?a=%zz", "are not understood"},
		{"sslmode", "postgres://u:hunter2@h/d?sslmode=maybe", "sslmode"},
		{"password as a parameter", "postgres://u@h/d?password=hunter2&sslmode=maybe", "sslmode"},
		{"prefer", "postgres://u:hunter2@db.example.com/d?sslmode=prefer", "sslmode=prefer lets anyone"},
		{"allow", "postgres://u:hunter2@192.0.2.1/d?sslmode=allow", "sslmode=allow lets anyone"},
		{"one host of two", "postgres://u:hunter2@localhost,db.example.com/d?sslmode=prefer", "sslmode=prefer lets anyone"},
		{"schema", "postgres://u:hunter2@/d?search_path=a,public", "search_path must name one schema"},
		{"schema with a quote", "postgres://u:hunter2@/d?search_path=%22x", "search_path must name one schema"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := postgres.Open(t.Context(), postgres.Config{URL: tt.url})
			if !errors.Is(err, postgres.ErrURL) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}
