package sqlstore_test

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	driver "modernc.org/sqlite"

	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// upgradeEnv names the file that a child of this test binary brings up to date.
const upgradeEnv = "DOORWARD_TEST_UPGRADE"

// Attack_H09: a program that is killed while it makes a large index, or a large table anew, leaves the schema as it was, and
// the next one makes all of it.
func TestAttack_H09_KilledUpgrade(t *testing.T) {
	t.Parallel()
	for _, step := range []struct {
		name   string
		before int64
		index  string // that it would have made
	}{{"index", 9, "sessions_client"}, {"table", 10, "sessions_handle"}} {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			killUpgrade(t, step.before, step.index)
		})
	}
}

func killUpgrade(t *testing.T, before int64, index string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "doorward.db")
	f := &fixture{&sqlstoretest.Fixture{T: t, DB: rawAt(t, path)}}
	f.OK(sqlstore.MigrateTo(t.Context(), f.DB, sqlstore.SQLite, before))
	f.exec(`PRAGMA journal_mode = WAL`)
	f.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
		INSERT INTO sessions SELECT printf('s%05d', 1000 - i), randomblob(32), 'u' || (i / 3), i + 1, printf('%03000d', i), 'scope' || i, 'aud' || i,
			'', i + 2, i + 3, i + 4, i + 5, i + 6, i + 7, 0, 'end' || i, i + 8, i + 9, i + 10, i + 11, i % 2, i / 2 % 2, i + 12, i / 4 % 2 FROM n`)
	rows := f.text(`SELECT * FROM sessions ORDER BY id`)

	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUpgradeUntilKilled$")
	child.Env = append(os.Environ(), upgradeEnv+"="+path)
	if out, err := child.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the upgrade ended by itself: %v\n%s", err, out)
	}
	f.Same("version", f.text(`SELECT MAX(version_id) FROM schema_migrations`), fmt.Sprintln(before))
	f.Same("index", f.text(`SELECT name FROM sqlite_schema WHERE name = '`+index+`'`), "")
	f.Same("digest of the rows", sha256.Sum256([]byte(f.text(`SELECT * FROM sessions ORDER BY id`))), sha256.Sum256([]byte(rows)))

	s, err := sqlite.Open(t.Context(), path)
	f.OK(err)
	defer s.Close()
	f.Same("digest of the rows afterwards", sha256.Sum256([]byte(f.text(`SELECT * FROM sessions ORDER BY id`))), sha256.Sum256([]byte(rows)))
	const schema = `SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name`
	f.Same("schema", f.text(schema), open(t).text(schema))
	f.Same("check", f.text(`PRAGMA integrity_check`), "ok\n")
	list, err := s.Sessions(t.Context(), issuer.SessionQuery{Subject: "u7"})
	f.OK(err)
	f.Same("sessions of a subject", len(list), 3)
}

// Attack_H09: of two processes that bring a file up to date the second may come to a migration that the first has made
// meanwhile. It fails there and changes nothing, not even by doing it all again: a later one may have gone on from it.
func TestAttack_H09_NoMigrationTwice(t *testing.T) {
	t.Parallel()
	f := open(t)
	const schema, newest = `SELECT type, name, sql FROM sqlite_schema ORDER BY type, name`, `SELECT MAX(version_id) FROM schema_migrations`
	before := f.text(schema)
	last, err := strconv.ParseInt(strings.TrimSpace(f.text(newest)), 10, 64)
	f.OK(err)
	for version := last; version > 0; version-- {
		f.exec(fmt.Sprint(`DELETE FROM schema_migrations WHERE version_id >= `, version))
		if err := sqlstore.MigrateTo(t.Context(), f.DB, sqlstore.SQLite, version); err == nil {
			t.Errorf("migration %d can be made twice", version)
		}
		f.Same("newest", f.text(newest), fmt.Sprintln(version-1))
		f.Same("schema", f.text(schema), before)
	}
	if last < 10 {
		t.Errorf("%d migrations were tried", last)
	}
}

// TestUpgradeUntilKilled is the child process of the test above. It ends before the commit of a large transaction.
func TestUpgradeUntilKilled(t *testing.T) {
	path := os.Getenv(upgradeEnv)
	if path == "" {
		return // not a child
	}
	driver.RegisterConnectionHook(func(conn driver.ExecQuerierContext, _ string) error {
		conn.(driver.HookRegisterer).RegisterCommitHook(func() int32 {
			if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 1<<20 {
				_ = kill(os.Getpid())
				select {}
			}
			return 0
		})
		return nil
	})
	_, err := sqlite.Open(t.Context(), path)
	t.Fatalf("open: %v", err)
}

func kill(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

func rawAt(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (f *fixture) exec(query string) {
	f.Helper()
	_, err := f.DB.ExecContext(f.Context(), query)
	f.OK(err)
}

// text returns the rows of a query, one a line.
func (f *fixture) text(query string) string {
	f.Helper()
	rows, err := f.DB.QueryContext(f.Context(), query)
	f.OK(err)
	defer rows.Close()
	columns, err := rows.Columns()
	var b strings.Builder
	row, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range row {
		into[i] = &row[i]
	}
	for err == nil && rows.Next() {
		err = rows.Scan(into...)
		fmt.Fprintln(&b, row...)
	}
	f.OK(errors.Join(err, rows.Err()))
	return b.String()
}
