package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

// adminOf makes an admin of a folder and returns a token of theirs.
func adminOf(t *testing.T, dir string) string {
	t.Helper()
	command(t, failure.ExitDone, "an admin of many quiet words\n", "user", "add", "root", "--role", "admin", "--password-stdin", "--data", dir)
	out, _ := command(t, failure.ExitDone, "", "token", "issue", "root", "--data", dir)
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

// beginBackup asks for a backup and returns when it is being written, or was answered. The function that it returns gives the request up, and
// waits for its end.
func beginBackup(t *testing.T, s *process, token string) (giveUp func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", s.url+"/admin/v1/backups", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = exchange(r)
	}()
	for begun := time.Now(); !isWritten(s.dir); {
		select {
		case <-answered:
			return cancel
		default:
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal("no copy is begun")
		}
	}
	return func() {
		cancel()
		<-answered
	}
}

// isWritten reports whether a part of a copy lies in a folder.
func isWritten(dir string) bool {
	for _, path := range unfinished(dir) {
		if info, err := os.Stat(path); err == nil && info.Size() > 1<<20 {
			return true
		}
	}
	return false
}

func unfinished(dir string) []string {
	found, _ := filepath.Glob(filepath.Join(dir, "backups", ".doorward-backup-*"))
	return found
}

// checkBackups wants that every backup which is listed is a whole one of a store of so many MiB.
func checkBackups(t *testing.T, s *process, token string, size int64) (listed int) {
	t.Helper()
	var list struct{ Backups []struct{ Bytes int64 } }
	got := must(t, 200, "GET", s.url+"/admin/v1/backups", token, "")
	if err := json.Unmarshal([]byte(got.body), &list); err != nil {
		t.Fatal(err)
	}
	for _, b := range list.Backups {
		if b.Bytes < size<<20 {
			t.Errorf("listed is %d bytes of %d MiB", b.Bytes, size)
		}
	}
	return len(list.Backups)
}

// Of a copy that was given up, or cut short by a crash, nothing is listed; the first leaves nothing, and the next one is whole.
func TestAdminBackupCutShort(t *testing.T) {
	t.Parallel()
	const size, tries = 24, 4
	dir := filepath.Join(t.TempDir(), "data")
	s := serve(t, dir, "--issuer", "http://127.0.0.1:8080")
	token := adminOf(t, dir)
	grow(t, dir, size)
	beginBackup(t, s, token)()
	if err := eventually(func() bool { return len(unfinished(dir)) == 0 }); err != nil {
		t.Errorf("what was given up has left %q", unfinished(dir))
	}
	for range tries { // On a fast disk it may be done before the crash.
		giveUp := beginBackup(t, s, token)
		s.kill()
		giveUp()
		s = serve(t, dir, "--issuer", "http://127.0.0.1:8080")
		if len(unfinished(dir)) > 0 {
			break
		}
	}
	if len(unfinished(dir)) == 0 {
		t.Error("no crash came in the middle")
	}
	before := checkBackups(t, s, token, size)
	must(t, 201, "POST", s.url+"/admin/v1/backups", token, "")
	if after := checkBackups(t, s, token, size); after != before+1 {
		t.Errorf("%d backups, and then %d", before, after)
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
