package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

var event = issuer.Event{Kind: "test"}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	// A new database as another program, a newer doorward and a bad disk leave it.
	foreign := func(path string) error { return execute(t.Context(), path, `CREATE TABLE users (name TEXT)`) }
	newer := func(path string) error {
		return errors.Join(opened(t.Context(), path), execute(t.Context(), path,
			`INSERT INTO schema_migrations (version_id, is_applied) VALUES (9999, 1); UPDATE meta SET value = '9999' WHERE name = 'usable_from'`))
	}
	damaged := func(path string) error {
		err := opened(t.Context(), path)
		data, readErr := os.ReadFile(path)
		for i := 100; i < len(data); i++ {
			data[i] = 0xff
		}
		return errors.Join(err, readErr, os.WriteFile(path, data, 0o600))
	}
	text := func(path string) error {
		return os.WriteFile(path, bytes.Repeat([]byte("not a database. "), 100), 0o600)
	}
	tests := []struct {
		name    string
		path    string
		make    func(path string) error
		wantErr error // nil: any
	}{
		{"a text file", "f", text, sqlite.ErrNotDatabase},
		{"a damaged file", "f", damaged, sqlite.ErrDamaged},
		{"the database of another program", "f", foreign, sqlite.ErrForeign},
		{"a newer schema", "f", newer, sqlite.ErrNewer},
		{"a folder", ".", nil, nil},
		{"a folder that is not there", "a/f", nil, os.ErrNotExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), tt.path)
			if tt.make != nil {
				if err := tt.make(path); err != nil {
					t.Fatal(err)
				}
			}
			before, _ := os.ReadFile(path)
			s, err := sqlite.Open(t.Context(), path)
			if err == nil {
				s.Close()
				t.Fatal("Open succeeds")
			}
			if tt.wantErr != nil && !errors.Is(err, tt.wantErr) {
				t.Errorf("error is %v, want %v", err, tt.wantErr)
			}
			if after, _ := os.ReadFile(path); errors.Is(tt.wantErr, sqlite.ErrNotDatabase) && !bytes.Equal(before, after) {
				t.Error("the file has changed")
			}
		})
	}
	for _, path := range []string{"", ":memory:"} {
		if _, err := sqlite.Open(t.Context(), path); err == nil {
			t.Errorf("Open(%q) succeeds", path)
		}
	}
}

func opened(ctx context.Context, path string) error {
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	return s.Close()
}

func execute(ctx context.Context, path, statement string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}

// Attack_F12: what is written to a file without a name is lost with the process, so nothing
// is, until the file is back.
func TestFileGone(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"removed":  os.Remove,
		"replaced": func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) },
		"moved":    func(path string) error { return os.Rename(path, path+".old") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "doorward.db")
			s := openAt(t, path)
			must(t, spoil(path))
			_, read := s.KeyRing(t.Context())
			_, write := s.EndSession(t.Context(), "s_1", "x", event)
			for _, err := range []error{read, write} {
				if !errors.Is(err, sqlite.ErrGone) || !errors.Is(err, issuer.ErrUnavailable) {
					t.Errorf("error is %v, want ErrGone", err)
				}
			}
			if name == "moved" {
				must(t, os.Rename(path+".old", path))
				_, err := s.EndSession(t.Context(), "s_1", "x", event)
				must(t, err)
			}
		})
	}
}

// A copy that was kept read-only is restored, with what a store that was opened like that has left.
func TestOpenOfReadOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.WriteFile(path+suffix, nil, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	openAt(t, path)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(path + suffix); err != nil || info.Mode() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%q: %v, %v", suffix, info, err)
		}
	}
}

func TestOpenIsPrivateAndDurable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ä ?#%20&x=1.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	if _, err := s.EndSession(t.Context(), "s_1", "x", event); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, want 3: %v (%v)", len(files), files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
	pragmas := map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "trusted_schema": "0",
	}
	pragma := func(ctx context.Context, tx sqlstore.Tx) error {
		for name, want := range pragmas {
			var got string
			if err := tx.QueryRowContext(ctx, `PRAGMA `+name).Scan(&got); err != nil {
				return err
			}
			if got != want {
				t.Errorf("PRAGMA %s is %s, want %s", name, got, want)
			}
		}
		return nil
	}
	if err := errors.Join(s.Write(t.Context(), pragma), s.Read(t.Context(), pragma)); err != nil {
		t.Error(err)
	}
	if err := s.Read(t.Context(), put("x")); err == nil {
		t.Error("a reader can write")
	}
}

// Several processes may open a new file at once; connections stand in for them.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := opened(t.Context(), path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestOpenAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	s := openAt(t, path)
	cut, err := s.EndSession(t.Context(), "s_1", "x", event)
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.RevocationsSince(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the file: %v, %v", info, err)
	}
	after, err := openAt(t, path).RevocationsSince(t.Context(), "")
	if err != nil || after.Lineage != before.Lineage || after.Next != before.Next || !slices.Contains(after.Entries, cut) {
		t.Errorf("got %+v, %v; want %+v", after, err, before)
	}
}

// TestOldCopy puts an older copy of the file back, without Backup, under a reader.
func TestOldCopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	end := func(s *sqlite.Store, ids ...string) issuer.Cursor {
		t.Helper()
		for _, id := range ids {
			_, err := s.EndSession(t.Context(), id, "x", event)
			must(t, err)
		}
		page, err := s.RevocationsSince(t.Context(), "")
		must(t, err)
		return page.Next
	}
	s := openAt(t, path)
	kept := end(s, "s_1")
	must(t, s.Close())
	old, err := os.ReadFile(path)
	must(t, err)
	s = openAt(t, path)
	lost := end(s, "s_2", "s_3")
	must(t, s.Close(), os.WriteFile(path, old, 0o600))

	s = openAt(t, path)
	for _, more := range []string{"s_4", "s_5", "s_6"} {
		for name, c := range map[string]issuer.Cursor{"kept": kept, "lost": lost} {
			page, err := s.RevocationsSince(t.Context(), c)
			must(t, err)
			if name == "lost" && page.Entries[0].ID != "s_1" {
				t.Errorf("before %s: a reader of the lost history goes on with %+v", more, page.Entries)
			}
			if name == "kept" && len(page.Entries) > 0 && page.Entries[0].ID == "s_1" {
				t.Errorf("before %s: a reader of the history that was kept starts again", more)
			}
		}
		end(s, more)
	}
}

func TestBackupToRelativePath(t *testing.T) {
	s := open(t)
	t.Chdir(t.TempDir())
	must(t, s.Backup(t.Context(), "copy.db"))
	if _, err := os.Stat("copy.db"); err != nil {
		t.Error(err)
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	s := open(t)
	cut, err := s.EndSession(t.Context(), "s_1", "x", event)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), path); !errors.Is(err, sqlite.ErrExists) {
		t.Errorf("a second backup: %v, want %v", err, sqlite.ErrExists)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("beside the copy lie %v (%v)", files, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the copy: %v, %v", info, err)
	}
	if err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "no", "copy.db")); err == nil {
		t.Error("a backup into no folder succeeds")
	}
	checkCopy(t, s, openAt(t, path), cut.ID)
}

// checkCopy checks that a copy holds what the original does, and that a reader who
// followed one does not take the log of the other for it.
func checkCopy(t *testing.T, s, backup *sqlite.Store, id string) {
	t.Helper()
	original, err := s.RevocationsSince(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	page, err := backup.RevocationsSince(t.Context(), original.Next)
	if err != nil {
		t.Fatal(err)
	}
	if page.Lineage == original.Lineage {
		t.Error("the copy has the lineage of the original")
	}
	if len(page.Entries) != 1 || page.Entries[0].ID != id {
		t.Errorf("the copy answers the cursor of the original with %+v", page.Entries)
	}
}
