package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/internal/postgrestest"
)

// place is where two versions meet: a folder, or a database.
type place struct {
	dir    string
	env    []string
	driver string
	source string // of the driver
}

func folderPlace(t *testing.T) place {
	dir := filepath.Join(t.TempDir(), "data")
	return place{dir: dir, driver: "sqlite", source: filepath.Join(dir, "doorward.db")}
}

func databasePlace(t *testing.T) place {
	t.Helper()
	ns := &nodes{database: postgrestest.URL(t), key: filepath.Join(t.TempDir(), "master.key")}
	command(t, failure.ExitDone, "", "key", "new-master", ns.key)
	return place{
		dir: filepath.Join(t.TempDir(), "node"), env: ns.environment(),
		driver: "pgx", source: ns.database + "&search_path=doorward",
	}
}

func (p place) serve(t *testing.T, program string) *process {
	t.Helper()
	s, err := startProgram(program, "", p.dir, p.env, "--issuer", "http://127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	return s
}

// Attack_H09: the program from before the newest migration serves beside today's on one store, which today's brings up
// to date under it, and starts again afterwards.
func TestAttack_H09_YesterdaysBinary(t *testing.T) {
	t.Parallel()
	programs := t.TempDir()
	for dialect, at := range map[string]func(*testing.T) place{"sqlite": folderPlace, "postgres": databasePlace} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			p := at(t)
			before := programBefore(t, dialect, programs)
			old := p.serve(t, before)
			login := credentials("admin", readPassword(t, p.dir))
			first := must(t, 200, "POST", old.url+"/login", "", login)

			now := p.serve(t, binary)
			for _, said := range []string{"the store is brought up to date", "the store is up to date"} {
				if !strings.Contains(now.logs.text(), said) {
					t.Errorf("the log does not say that %s:\n%s", said, now.logs.text())
				}
			}
			must(t, 200, "GET", now.url+"/me", first.member("access_token"), "")
			second := must(t, 200, "POST", now.url+"/login", "", login)
			must(t, 200, "GET", old.url+"/me", second.member("access_token"), "")
			must(t, 200, "POST", old.url+"/refresh", "", refreshBody(second.member("refresh_token")))
			must(t, 200, "POST", now.url+"/refresh", "", refreshBody(first.member("refresh_token")))
			must(t, 204, "POST", now.url+"/logout", first.member("access_token"), "")
			if err := eventually(func() bool {
				got, err := call("GET", old.url+"/me", first.member("access_token"), "")
				return err == nil && got.status == 401
			}); err != nil {
				t.Errorf("yesterday's program does not hear of a logout: %v", err)
			}
			if err := old.stop(); err != nil {
				t.Fatal(err)
			}
			again := p.serve(t, before)
			must(t, 200, "GET", again.url+"/me", second.member("access_token"), "")
		})
	}
}

// Attack_H09: a schema from the future is used if it says that this program may, and refused with what to do otherwise.
func TestAttack_H09_SchemaOfTheFuture(t *testing.T) {
	t.Parallel()
	for dialect, at := range map[string]func(*testing.T) place{"sqlite": folderPlace, "postgres": databasePlace} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			p := at(t)
			if err := p.serve(t, binary).stop(); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open(p.driver, p.source)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), `INSERT INTO schema_migrations (version_id, is_applied) VALUES (99, true)`); err != nil {
				t.Fatal(err)
			}
			if err := p.serve(t, binary).stop(); err != nil {
				t.Errorf("a schema that this program may use: %v", err)
			}
			if _, err := db.ExecContext(t.Context(), `UPDATE meta SET value = '99' WHERE name = 'usable_from'`); err != nil {
				t.Fatal(err)
			}
			s, err := startProgram(binary, "", p.dir, p.env)
			if err == nil {
				_ = s.stop()
				t.Fatal("the program serves on a schema that it must not use")
			}
			for _, want := range []string{"newer doorward", "install the newer version"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("it says %v, want %q", err, want)
				}
			}
		})
	}
}

var (
	building sync.Mutex            // guards built
	built    = map[string]string{} // programs by commit
)

// programBefore builds the program of the commit before the newest migration of a dialect, in a folder of programs. In
// a copy of the sources without their history it is today's program, which shows less: two of one version on one store.
func programBefore(t *testing.T, dialect, programs string) string {
	t.Helper()
	files, err := filepath.Glob("../../internal/sqlstore/migrations/" + dialect + "/*.sql")
	if err != nil || len(files) < 2 {
		t.Fatalf("migrations %q, %v", files, err)
	}
	commit, err := git(t.Context(), "log", "-1", "--diff-filter=A", "--format=%H", "--", files[len(files)-1])
	if err != nil {
		t.Log("UPGRADES WERE NOT TESTED: there is no git history here; today's program stands for yesterday's")
		return binary
	}
	if commit = strings.TrimSpace(commit) + "^"; commit == "^" {
		commit = "HEAD" // the migration is not committed yet
	}
	if commit, err = git(t.Context(), "rev-parse", "--verify", "--quiet", commit); err != nil {
		t.Log("UPGRADES WERE NOT TESTED: this clone is shallow; git fetch --unshallow; today's program stands for yesterday's")
		return binary
	}
	building.Lock()
	defer building.Unlock()
	if built[commit] == "" {
		built[commit] = build(t, strings.TrimSpace(commit), programs)
	}
	return built[commit]
}

func build(t *testing.T, commit, programs string) string {
	t.Helper()
	dir := filepath.Join(programs, commit)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`cd ../.. && git archive %s | tar -x -C '%[2]s' && cd '%[2]s' && go build -trimpath -o doorward ./cmd/doorward`, commit, dir)
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", commit, err, out)
	}
	return filepath.Join(dir, "doorward")
}

func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	return string(out), err
}
