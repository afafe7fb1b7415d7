package postgrestest_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/postgrestest"
)

func TestServer(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t, "fsync=off")
	url := s.Database(t)
	db := open(t, url)
	ask := func(ctx context.Context) error { return db.QueryRowContext(ctx, `SELECT 1`).Scan(new(int)) }
	must(t, ask(t.Context()))

	must(t, s.Restart())
	must(t, ask(t.Context()))
	must(t, s.Kill())
	if err := ask(t.Context()); err == nil {
		t.Error("a server that was killed answers")
	}
	must(t, s.Start())
	must(t, ask(t.Context()))

	resume, err := s.Pause()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while paused: %v", err)
	}
	must(t, resume())
	must(t, ask(t.Context()))

	conn, err := db.Conn(t.Context())
	must(t, err)
	must(t, s.Cut(postgrestest.Name(url)))
	if _, err := conn.ExecContext(t.Context(), `SELECT 1`); err == nil {
		t.Error("a connection that was cut answers")
	}
}

// TestNothingIsLeft kills a process that has a server, paused, and wants the server and its folder gone.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	if os.Getenv("POSTGRESTEST_CHILD") != "" {
		s := postgrestest.Start(t, "fsync=off")
		_, err := s.Pause()
		must(t, err)
		if _, err := os.Stdout.WriteString("\nsocket " + s.Socket() + "\n"); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	postgrestest.Shared(t) // skips where there is none
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingIsLeft$")
	cmd.Env = append(os.Environ(), "POSTGRESTEST_CHILD=1")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	socket := ""
	for lines := bufio.NewScanner(out); socket == "" && lines.Scan(); {
		_, socket, _ = strings.Cut(lines.Text(), "socket ")
	}
	must(t, cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait()
	if socket == "" {
		t.Fatal("the child started no server")
	}
	dir := strings.TrimSuffix(socket, "/.s.PGSQL.5432")
	gone := func() bool {
		_, err := os.Stat(dir)
		processes, _ := exec.CommandContext(t.Context(), "sh", "-c", "cat /proc/[0-9]*/cmdline").Output()
		return errors.Is(err, os.ErrNotExist) && !strings.Contains(string(processes), dir)
	}
	for deadline := time.Now().Add(10 * time.Second); !gone(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the server in %s is still there", dir)
		}
	}
}

func open(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
