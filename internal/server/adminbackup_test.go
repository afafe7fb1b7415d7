package server_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/backup"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

const backups = "/admin/v1/backups"

// listed are the names of the backups.
func (w *world) listed(root with) (names []string) {
	w.t.Helper()
	list, _ := w.do("GET", backups, nil, root).want(w.t, 200, "").object["backups"].([]any)
	for _, b := range list {
		names = append(names, b.(map[string]any)["name"].(string))
	}
	return names
}

// A backup is a store that opens, lies where its owner alone reads it, and is on record, in itself too; ten are kept.
func TestAdminBackup(t *testing.T) {
	t.Parallel()
	w, root, id := adminWorld(t)
	if names := w.listed(root); len(names) > 0 {
		t.Errorf("before the first there are %q", names)
	}
	a := w.do("POST", backups, nil, root).want(t, 201, "")
	path := filepath.Join(w.dir, "backups", a.text("name"))
	info, err := os.Stat(path)
	must(t, err)
	made := timeOf(t, a, "made_at")
	if a.header.Get("Location") != backups+"/"+a.text("name") || a.object["bytes"] != float64(info.Size()) || time.Since(made) > time.Minute || made.After(time.Now()) {
		t.Errorf("made %s at %q", a.body, a.header.Get("Location"))
	}
	folder, err := os.Stat(filepath.Dir(path))
	must(t, err)
	if runtime.GOOS != "windows" && (info.Mode() != 0o600 || folder.Mode().Perm() != 0o700) {
		t.Errorf("the modes are %v in %v", info.Mode(), folder.Mode())
	}
	shown := w.do("GET", a.header.Get("Location"), nil, root).want(t, 200, "")
	if names := w.listed(root); string(shown.body) != string(a.body) || len(names) != 1 || names[0] != a.text("name") {
		t.Errorf("shown %s, listed %q", shown.body, names)
	}
	copied, err := sqlite.Open(t.Context(), path)
	must(t, err)
	records, err := sqlstore.LedgerIn(copied.Store).SearchAudit(t.Context(), audit.Query{Actor: id, Kinds: []issuer.EventKind{backup.EventMake}})
	must(t, errors.Join(err, copied.Close()))
	if len(records) != 1 || records[0].Reason != a.text("name") || records[0].Address != "127.0.0.1" || len(w.logs.about(records[0].RequestID)) == 0 {
		t.Errorf("recorded %+v", records)
	}
	for range backup.Most - 1 {
		w.do("POST", backups, `{}`, root).want(t, 201, "")
	}
	w.do("POST", backups, nil, root).want(t, 409, "conflict")
	names := w.listed(root)
	if len(names) != backup.Most || names[0] < names[1] || names[backup.Most-1] != a.text("name") {
		t.Errorf("listed %q", names)
	}
	w.do("DELETE", a.header.Get("Location"), nil, root).want(t, 204, "")
	w.do("DELETE", a.header.Get("Location"), nil, root).want(t, 404, "not_found")
	w.do("GET", a.header.Get("Location"), nil, root).want(t, 404, "not_found")
	records, err = w.store.SearchAudit(t.Context(), audit.Query{Actor: id, Kinds: []issuer.EventKind{backup.EventRemove}})
	must(t, err)
	if len(records) != 1 || records[0].Reason != a.text("name") || len(w.listed(root)) != backup.Most-1 {
		t.Errorf("recorded %+v", records)
	}
	w.do("POST", backups, `{"name":"x"}`, root).want(t, 400, "invalid_request")
	w.do("POST", backups+"?path=/tmp/x", nil, root).want(t, 400, "invalid_request")
}

// No name leads out of the folder, or to what is none of the server's copies.
func TestAdminBackupNames(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	const good = "doorward-20260102T030405.678Z.db"
	folder := filepath.Join(w.dir, "backups")
	must(t, os.Mkdir(folder, 0o700))
	for _, name := range []string{"notes.txt", ".doorward-backup-1", "doorward-20260102T030405.678Z.db-wal", "doorward-20261302T030405.678Z.db", "doorward-20260102T030405,678Z.db", "doorward.db"} {
		must(t, os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600))
	}
	must(t, os.WriteFile(filepath.Join(w.dir, good), []byte("x"), 0o600))
	must(t, os.Mkdir(filepath.Join(folder, strings.Replace(good, "678", "679", 1)), 0o700))
	must(t, os.Symlink(filepath.Join(w.dir, "doorward.db"), filepath.Join(folder, strings.Replace(good, "678", "680", 1))))
	if names := w.listed(root); len(names) > 0 {
		t.Errorf("listed %q", names)
	}
	for _, name := range []string{
		"..%2Fdoorward.db", "..%2F" + good, "%2e%2e%2f" + good, ".%2F" + good, good + "%00", good + "%0A", "%0a" + good, "doorward.db", "notes.txt", ".doorward-backup-1", good + "-wal",
		"..%5C" + good, strings.ToUpper(good), strings.Replace(good, "678", "679", 1), strings.Replace(good, "678", "680", 1), "doorward-20261302T030405.678Z.db", "*",
		strings.Replace(good, "2026", "%D9%A2%D9%A0%D9%A2%D9%A6", 1),
	} {
		for _, method := range []string{"GET", "DELETE"} {
			if a := w.do(method, backups+"/"+name, nil, root); a.status != 404 {
				t.Errorf("%s %s: %d %s", method, name, a.status, a.body)
			}
		}
	}
	for _, path := range []string{filepath.Join(w.dir, "doorward.db"), filepath.Join(w.dir, good), filepath.Join(folder, "notes.txt")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// A copy that fails is told and leaves nothing, one at a time is made, and a request that is given up ends its own.
func TestAdminBackupFails(t *testing.T) {
	t.Parallel()
	var fail error
	begun := make(chan struct{})
	var w *world
	w, root, _ := adminWorld(t, func(s *settings) {
		s.direct = false
		s.backups = backup.New(filepath.Join(t.TempDir(), "backups"), func(ctx context.Context, path string) error {
			if fail != nil {
				return fail
			}
			select {
			case begun <- struct{}{}:
				<-ctx.Done()
				return ctx.Err()
			default:
			}
			return w.file.Backup(ctx, path)
		})
	})
	ctx, giveUp := context.WithCancel(t.Context())
	given := w.asking(ctx, "POST", backups, root)
	<-begun
	w.do("POST", backups, nil, root).want(t, 503, "busy")
	w.do("GET", backups, nil, root).want(t, 200, "")
	giveUp()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var a answer
	for deadline := time.Now().Add(10 * time.Second); ; {
		if a = w.do("POST", backups, nil, root); a.status != 503 || time.Now().After(deadline) {
			break
		}
	}
	if a.want(t, 201, ""); len(w.listed(root)) != 1 || bytes.Contains(bytes.Join(w.logs.lines(), nil), []byte("backup_failed")) {
		t.Errorf("listed %q", w.listed(root))
	}
	fail = &os.PathError{Op: "write", Path: "/secret/place", Err: syscall.ENOSPC}
	a = w.do("POST", backups, nil, root).want(t, 507, "backup_failed")
	if strings.Contains(string(a.body), "/secret") || len(w.logs.about(a.text("request_id"))) == 0 || len(w.listed(root)) != 1 {
		t.Errorf("refused %s", a.body)
	}
}

// A database has no copies here, and says what has.
func TestAdminBackupOfDatabase(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t, func(s *settings) { s.backups = nil })
	for _, call := range []string{"GET " + backups, "POST " + backups, "GET " + backups + "/x", "DELETE " + backups + "/x"} {
		method, path, _ := strings.Cut(call, " ")
		if a := w.do(method, path, nil, root).want(t, 409, "no_backups"); !strings.Contains(a.text("error_description"), "pg_dump") {
			t.Errorf("%s", a.body)
		}
	}
}

// What a process has left that ended in the middle goes with the next copy, and what another process is writing stays.
func TestBackupTidies(t *testing.T) {
	t.Parallel()
	w, root, _ := adminWorld(t)
	folder := filepath.Join(w.dir, "backups")
	must(t, os.Mkdir(folder, 0o700))
	left, fresh, other := filepath.Join(folder, ".doorward-backup-1"), filepath.Join(folder, ".doorward-backup-2"), filepath.Join(folder, "notes")
	for _, path := range []string{left, fresh, other} {
		must(t, os.WriteFile(path, []byte("half"), 0o600))
	}
	old := time.Now().Add(-2 * time.Hour)
	must(t, errors.Join(os.Chtimes(left, old, old), os.Chtimes(other, old, old)))
	w.do("POST", backups, nil, root).want(t, 201, "")
	for path, there := range map[string]bool{left: false, fresh: true, other: true} {
		if _, err := os.Stat(path); (err == nil) != there {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
}
