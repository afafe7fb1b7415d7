package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/postgrestest"
)

// A folder moves into a database while somebody is logged in: the move is refused beside a server, killed in the middle,
// keeps servers from starting on either side, goes on, and nobody has to log in again.
func TestMigrate(t *testing.T) {
	t.Parallel()
	database := withPassword(postgrestest.URL(t))
	dir := filepath.Join(t.TempDir(), "data")
	flags := []string{"--issuer", "http://127.0.0.1:8080"}
	old, err := startServer(dir, nil, flags...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.stop() }()
	login := credentials("admin", readPassword(t, dir))
	live := must(t, 200, "POST", old.url+"/login", "", login)
	out := must(t, 200, "POST", old.url+"/login", "", login)
	must(t, 204, "POST", old.url+"/logout", out.member("access_token"), "")

	move := []string{"migrate", "--data", dir, "--to", database}
	if _, errs := command(t, failure.ExitRefused, "", move...); !strings.Contains(errs, "is in use") {
		t.Errorf("beside a server migrate says %s", errs)
	}
	if err := old.stop(); err != nil {
		t.Fatal(err)
	}
	head, _ := command(t, failure.ExitDone, "", "audit", "export", "--head", "--data", dir)
	lengthen(t, dir)
	killInTheMiddle(t, database, move)
	ns := &nodes{database: database, key: filepath.Join(dir, "master.key")}
	ns.refuses(t, "is not complete", nil, dir)
	ns.refuses(t, "is not complete", ns.environment(), filepath.Join(t.TempDir(), "node"))

	command(t, failure.ExitDone, "", move...)
	command(t, failure.ExitDone, "", move...) // a second time changes nothing
	ns.refuses(t, "was moved to a database", nil, dir)
	node, err := ns.start(filepath.Join(t.TempDir(), "node"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = node.stop() }()
	must(t, 200, "GET", node.url+"/me", live.member("access_token"), "")
	must(t, 401, "GET", node.url+"/me", out.member("access_token"), "")
	next := must(t, 200, "POST", node.url+"/refresh", "", refreshBody(live.member("refresh_token")))
	must(t, 400, "POST", node.url+"/refresh", "", refreshBody(out.member("refresh_token")))
	must(t, 204, "POST", node.url+"/logout", next.member("access_token"), "")
	ns.verifies(t, head)

	command(t, failure.ExitDone, "", "migrate", "--data", dir, "--back")
	command(t, failure.ExitDone, "", "user", "list", "--data", dir)
	if _, errs := command(t, failure.ExitRefused, "", move...); !strings.Contains(errs, "is in use by Doorward already: it holds") || strings.Contains(errs, "DROP") {
		t.Errorf("what was taken back is moved again: %s", errs)
	}
	refusedMove(t, database)
}

// refusedMove wants that a move into a database that is in use is refused and leaves no mark, and that there is nothing to take back.
func refusedMove(t *testing.T, database string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "other")
	other, err := startServer(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.stop(); err != nil {
		t.Fatal(err)
	}
	_, errs := command(t, failure.ExitRefused, "", "migrate", "--data", dir, "--to", database)
	if !strings.Contains(errs, "is in use by Doorward already") || !strings.Contains(errs, "search_path") || strings.Contains(errs, "DROP") {
		t.Errorf("a move into a database in use says %s", errs)
	}
	command(t, failure.ExitDone, "", "user", "list", "--data", dir)
	command(t, failure.ExitUsage, "", "migrate", "--data", dir, "--back", "--to", database)
	command(t, failure.ExitUsage, "", "migrate", "--data", dir, "--to", "")
	_, errs = command(t, failure.ExitUsage, "", "migrate", "--data", dir, "--to", "postgres://u:hu#nter2@127.0.0.1/d")
	if !strings.Contains(errs, "error: --to: want postgres://") || !strings.Contains(errs, "percent-encoded") || strings.Contains(errs, "nter2") {
		t.Errorf("a URL with a special character says %s", errs)
	}
	if _, errs := command(t, failure.ExitDone, "", "migrate", "--data", dir, "--back"); !strings.Contains(errs, "was not moved; nothing to do") {
		t.Errorf("--back without a move says %s", errs)
	}
}

// lengthen gives a folder a long audit record, so that moving it takes a while.
func lengthen(t *testing.T, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "doorward.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
		INSERT INTO audit (at, kind, actor, address, request_id, subject, session, reason)
		SELECT i, 'test', '', '', '', '', '', '' FROM n`)
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// killInTheMiddle kills a move when a part of the audit record has come.
func killInTheMiddle(t *testing.T, database string, args []string) {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		_ = db.QueryRowContext(t.Context(), `SELECT count(*) FROM doorward.audit`).Scan(&n)
		return n
	}
	for deadline := time.Now().Add(30 * time.Second); count() == 0; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the move does not begin")
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if n := count(); n >= 20000 {
		t.Errorf("the move was complete before it was killed: %d rows", n)
	}
}

// verifies wants that the audit record in the database follows that of the folder, and goes on being sealed.
func (ns *nodes) verifies(t *testing.T, head string) {
	t.Helper()
	old, err := audit.ParseHead(head)
	if err != nil || old.Number == 0 {
		t.Errorf("nothing was sealed in the folder: %s", head)
	}
	var got struct {
		Verified bool
		Blocks   int64
	}
	if err := eventually(func() bool {
		cmd := exec.CommandContext(t.Context(), binary, "audit", "verify", "--json", "--head", old.String())
		cmd.Env = append(cmd.Environ(), ns.environment()...)
		text, err := cmd.Output()
		return err == nil && json.Unmarshal(text, &got) == nil && got.Blocks > old.Number
	}); err != nil || !got.Verified {
		t.Errorf("the record that was moved does not verify: %+v", got)
	}
}

func (ns *nodes) environment() []string {
	return []string{"DOORWARD_DATABASE=" + ns.database, "DOORWARD_MASTER_KEY_FILE=" + ns.key}
}

// refuses wants that a server does not start on a folder, or on the database that its environment names.
func (ns *nodes) refuses(t *testing.T, why string, env []string, dir string) {
	t.Helper()
	s, err := startServer(dir, env)
	if err == nil {
		_ = s.stop()
		t.Fatalf("a server starts where it should say that it %s", why)
	}
	if !strings.Contains(err.Error(), why) {
		t.Errorf("it says %v, want %q", err, why)
	}
}
