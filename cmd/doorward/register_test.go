package main

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

// People add themselves where the operator lets them, and nowhere else.
func TestRegistration(t *testing.T) {
	t.Parallel()
	s, err := startServer(filepath.Join(t.TempDir(), "data"), []string{"DOORWARD_ACCOUNTS_REGISTRATION=open"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	must(t, 201, "POST", s.url+"/register", "", credentials("carol", "blue kettle sings at noon"))
	must(t, 200, "POST", s.url+"/login", "", credentials("carol", "blue kettle sings at noon"))
	must(t, 400, "POST", s.url+"/register", "", credentials("u_"+strings.Repeat("a", 26), "blue kettle sings at noon"))
	closed := serve(t, filepath.Join(t.TempDir(), "data"))
	must(t, 404, "POST", closed.url+"/register", "", credentials("carol", "blue kettle sings at noon"))
}

// What an operator does to an ID is done to whose it is, even where somebody has it for their name from before that was refused.
func TestCommandsTakeAnIDFirst_Attack_E05(t *testing.T) {
	t.Parallel()
	dir := serve(t, filepath.Join(t.TempDir(), "data")).dir
	run := func(code int, stdin string, args ...string) (out, errs string) {
		t.Helper()
		return command(t, code, stdin, append(args, "--data", dir)...)
	}
	id := map[string]string{}
	for _, name := range []string{"bob", "eve"} {
		_, errs := run(failure.ExitDone, "blue kettle sings at noon\n", "user", "add", name, "--password-stdin")
		_, rest, _ := strings.Cut(errs, "(")
		id[name], _, _ = strings.Cut(rest, ")")
	}
	run(failure.ExitRefused, "blue kettle sings at noon\n", "user", "add", strings.ToUpper(id["bob"]), "--password-stdin")
	run(failure.ExitRefused, "", "client", "add", id["bob"])
	db, err := sql.Open("sqlite", filepath.Join(dir, "doorward.db"))
	if err == nil {
		_, err = db.ExecContext(t.Context(), `UPDATE users SET name = $1, canonical = $1 WHERE id = $2`, id["bob"], id["eve"])
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	run(failure.ExitDone, "", "user", "set", id["bob"], "--add-role", "editor")
	if out, _ := run(failure.ExitDone, "", "user", "show", "bob"); !strings.Contains(out, "editor") {
		t.Errorf("bob has no role:\n%s", out)
	}
	run(failure.ExitDone, "", "apikey", "add", "bob", "--name", "x", "--everything")
	if _, errs := run(failure.ExitDone, "", "apikey", "revoke", "--all", id["bob"], "--yes"); !strings.Contains(errs, ": 1 API keys of ") {
		t.Errorf("%s", errs)
	}
}
