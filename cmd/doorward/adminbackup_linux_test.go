package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// adminOf makes an admin of a folder and returns a token of theirs.
func adminOf(t *testing.T, dir string) string {
	t.Helper()
	command(t, exitDone, "an admin of many quiet words\n", "user", "add", "root", "--role", "admin", "--password-stdin", "--data", dir)
	out, _ := command(t, exitDone, "", "token", "issue", "root", "--data", dir)
	return firstLine(out)
}

// grow makes the store of a folder larger by so many MiB.
func grow(t *testing.T, dir string, size int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "doorward.db"))
	if err == nil {
		_, err = db.ExecContext(t.Context(), `CREATE TABLE ballast AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
			SELECT randomblob(1 << 20) AS b FROM n`, size)
	}
	if err == nil { // so that what is written next is at the beginning of the log
		_, err = db.ExecContext(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// Of a copy that a crash cut short nothing is listed, and the next one is whole.
func TestAdminBackupKilled(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := serve(t, dir, "--issuer", "http://127.0.0.1:8080")
	token := adminOf(t, dir)
	grow(t, dir, 24)
	answered := make(chan answer, 1)
	go func() {
		got, _ := call("POST", s.url+"/admin/v1/backups", token, "")
		answered <- got
	}()
	unfinished := filepath.Join(dir, "backups", ".doorward-backup-*")
	for begun := time.Now(); ; {
		if found, _ := filepath.Glob(unfinished); len(found) > 0 {
			if info, err := os.Stat(found[0]); err == nil && info.Size() > 1<<20 {
				break
			}
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal("no copy is begun")
		}
	}
	s.kill()
	if got := <-answered; got.status != 0 {
		t.Fatalf("it was answered before: %d %s", got.status, got.body)
	}
	again := serve(t, dir, "--issuer", "http://127.0.0.1:8080")
	if got := must(t, 200, "GET", again.url+"/admin/v1/backups", token, ""); strings.TrimSpace(string(got.body)) != `{"backups":[]}` {
		t.Errorf("after the crash: %s", got.body)
	}
	left, err := filepath.Glob(unfinished)
	if err != nil || len(left) == 0 {
		t.Errorf("the crash left %q, %v", left, err)
	}
	must(t, 201, "POST", again.url+"/admin/v1/backups", token, "")
	var list struct{ Backups []struct{ Bytes int64 } }
	got := must(t, 200, "GET", again.url+"/admin/v1/backups", token, "")
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || len(list.Backups) != 1 || list.Backups[0].Bytes < 24<<20 {
		t.Errorf("then: %s, %v", got.body, err)
	}
}

// A disk that takes no copy is told, nothing is left on it, and the server goes on.
func TestAdminBackupFullDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := serve(t, dir, "--issuer", "http://127.0.0.1:8080")
	token := adminOf(t, dir)
	grow(t, dir, 4)
	if err := limitFiles("2097152:")(s.cmd.Process.Pid, ""); err != nil {
		t.Fatal(err)
	}
	got := must(t, 507, "POST", s.url+"/admin/v1/backups", token, "")
	told := eventually(func() bool { return strings.Contains(s.logs.text(), "sqlite: backup to ") })
	if got.member("error") != "backup_failed" || told != nil {
		t.Errorf("%s, %v\n%s", got.body, told, s.logs.text())
	}
	if left, err := os.ReadDir(filepath.Join(dir, "backups")); err != nil || len(left) > 0 {
		t.Errorf("the disk holds %v, %v", left, err)
	}
	if err := limitFiles("unlimited:")(s.cmd.Process.Pid, ""); err != nil {
		t.Fatal(err)
	}
	must(t, 201, "POST", s.url+"/admin/v1/backups", token, "")
	must(t, 200, "POST", s.url+"/login", "", credentials("root", "an admin of many quiet words"))
}
