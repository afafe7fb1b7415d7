package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/roster"
)

// python runs a script of testdata in a new folder and returns the folder.
func python(t *testing.T, modules, script string, args ...string) string {
	t.Helper()
	const interpreter = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), interpreter, "-c", "import "+modules).Run(); err != nil {
		t.Skipf("%s cannot import %s: run make deps", interpreter, modules)
	}
	script, err := filepath.Abs(filepath.Join("testdata", script))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), interpreter, append([]string{script}, args...)...)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return cmd.Dir
}

// hashes returns what an export says about each user.
func hashes(t *testing.T, dir string) map[string]roster.Entry {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.jsonl")
	command(t, 0, "", "user", "export", path, "--data", dir)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]roster.Entry{}
	for line := range strings.Lines(string(text)) {
		var e roster.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		users[e.Name] = e
	}
	return users
}

// The users of a Flask app log in with the password that they have.
func TestImportFlask_Attack_E04(t *testing.T) {
	t.Parallel()
	folder := python(t, "flask_sqlalchemy", "app_of_flask.py", "600")
	s := serve(t, filepath.Join(t.TempDir(), "data"))
	from := []string{"user", "import", "--data", s.dir, "--from", "sqlite:" + filepath.Join(folder, "app.db"), "--table", "user", "--roles-col", "role", "--external-id-col", "id"}

	out, errs := command(t, 3, "", append(from, "--dry-run")...)
	summary := "605 rows: 603 would be added, 0 here already, 0 in conflict, 2 refused"
	if !strings.Contains(errs, summary) || len(hashes(t, s.dir)) != 1 {
		t.Errorf("a dry run says %s%s", out, errs)
	}
	out, errs = command(t, 3, "", from...)
	for _, want := range []string{"605 rows: 603 added, 0 here already", "1 of the hashes are one cheap digest", "602 with werkzeug pbkdf2:sha256"} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is not in\n%s", want, errs)
		}
	}
	want := "row 4\t\"eve\"\tthe hash is not taken: it costs too much: about 20s of a core, at most 1.1s\n" +
		"row 5\t\"mallory\"\tthe hash is not taken: not a form that is read here\n"
	if out != want {
		t.Errorf("refused rows\n%swant\n%s", out, want)
	}
	if strings.Contains(out+errs, "mallory's") || strings.Contains(out+errs, "$salt$") {
		t.Errorf("a hash is shown:\n%s%s", out, errs)
	}
	before := hashes(t, s.dir)
	passwords := map[string]string{"ada": "ada's old password", "bob": "bob's old password", "Zażółć": "hasło żółwia"}
	for name, old := range passwords {
		must(t, 401, "POST", s.url+"/login", "", credentials(name, "not "+old))
		must(t, 200, "POST", s.url+"/login", "", credentials(name, old))
	}
	after := hashes(t, s.dir)
	if before["ada"].ExternalID != "1" || after["bob"].ExternalID != "3" {
		t.Errorf("ada and bob have the external IDs %q and %q", before["ada"].ExternalID, after["bob"].ExternalID)
	}
	for name, old := range passwords {
		if strings.HasPrefix(before[name].Hash, "$argon2id$") || !strings.HasPrefix(after[name].Hash, "$argon2id$v=19$m=19456,") {
			t.Errorf("the hash of %s is %.20s… before the login and %.20s… after it", name, before[name].Hash, after[name].Hash)
		}
		must(t, 200, "POST", s.url+"/login", "", credentials(strings.ToUpper(name), old))
	}
	if got := after["user7"]; got.Hash != before["user7"].Hash || strings.Join(got.Roles, " ") != "reader" {
		t.Errorf("user7 is %+v", got)
	}
	must(t, 401, "POST", s.url+"/login", "", credentials("mallory", "mallory's old password"))

	// Again: those who have logged in since have another hash.
	_, errs = command(t, 3, "", from...)
	if !strings.Contains(errs, "605 rows: 0 added, 600 here already, 3 in conflict, 2 refused") {
		t.Errorf("a second run says\n%s", errs)
	}
}

// Django's own table: who is not active stays out, who has no password is refused.
func TestImportDjango(t *testing.T) {
	t.Parallel()
	folder := python(t, "django", "app_of_django.py", "carol")
	s := serve(t, filepath.Join(t.TempDir(), "data"))
	from := []string{"user", "import", "--data", s.dir, "--from", "sqlite:" + filepath.Join(folder, "db.sqlite3"), "--table", "auth_user", "--hash-col", "password"}
	_, errs := command(t, 2, "", from...)
	if !strings.Contains(errs, `"is_active"`) || !strings.Contains(errs, "hint: --active-col") {
		t.Errorf("who may not log in would be let in:\n%s", errs)
	}
	out, errs := command(t, 3, "", append(from, "--active-col", "is_active", "--role", "customer")...)
	if !strings.Contains(errs, "3 rows: 2 added") || out != "row 3\t\"carol\"\tthe hash is not taken: the user has no password\n" {
		t.Errorf("import says\n%s%s", out, errs)
	}
	must(t, 200, "POST", s.url+"/login", "", credentials("dana", "dana's old password"))
	must(t, 401, "POST", s.url+"/login", "", credentials("dana", "ben's old password"))
	must(t, 401, "POST", s.url+"/login", "", credentials("ben", "ben's old password"))
	command(t, 0, "", "user", "enable", "ben", "--data", s.dir)
	must(t, 200, "POST", s.url+"/login", "", credentials("ben", "ben's old password"))
}

// linesOf writes a table of another program as the lines of an import over HTTP.
func linesOf(t *testing.T, path, table string, c roster.Columns) string {
	t.Helper()
	source, err := roster.OpenTable(t.Context(), path, table, c)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for {
		row, err := source.Next()
		if errors.Is(err, io.EOF) && source.Close() == nil {
			return text.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(roster.Entry{Name: row.Name, Hash: row.Hash, Roles: append([]string{}, row.Roles...), Disabled: row.Disabled})
		if err != nil {
			t.Fatal(err)
		}
		text.Write(append(raw, '\n'))
	}
}

// The users of Flask and Django come over HTTP, and log in with the password that they have.
func TestImportOverHTTP_Attack_E04(t *testing.T) {
	t.Parallel()
	flask := filepath.Join(python(t, "flask_sqlalchemy", "app_of_flask.py", "1"), "app.db")
	django := filepath.Join(python(t, "django", "app_of_django.py", "carol"), "db.sqlite3")
	body := linesOf(t, flask, "user", roster.Columns{Name: "username", Hash: "password_hash", Roles: "role"}) +
		linesOf(t, django, "auth_user", roster.Columns{Name: "username", Hash: "password", Active: "is_active"})
	s := serve(t, filepath.Join(t.TempDir(), "data"))
	command(t, 0, "an admin of many quiet words", "user", "add", "root", "--role", "admin", "--password-stdin", "--data", s.dir)
	token, _ := command(t, 0, "", "token", "issue", "root", "--data", s.dir)
	send := func(want string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/admin/v1/users/import", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
		r.Header.Set("Content-Type", "application/x-ndjson")
		got, err := exchange(r)
		if err != nil || got.status != 200 || !strings.Contains(got.body, want) || strings.Contains(got.body, "mallory's") || strings.Contains(got.body, "$salt$") {
			t.Errorf("%d %s, %v: want %s", got.status, got.body, err, want)
		}
	}
	send(`"rows":9,"added":6,"present":0,"conflict":0,"refused":3,`)
	before := hashes(t, s.dir)
	for name, old := range map[string]string{"ada": "ada's old password", "bob": "bob's old password", "Zażółć": "hasło żółwia", "dana": "dana's old password"} {
		must(t, 401, "POST", s.url+"/login", "", credentials(name, "not "+old))
		must(t, 200, "POST", s.url+"/login", "", credentials(name, old))
		if strings.HasPrefix(before[name].Hash, "$argon2id$") {
			t.Errorf("%s came with %.20s", name, before[name].Hash)
		}
	}
	must(t, 401, "POST", s.url+"/login", "", credentials("ben", "ben's old password"))
	must(t, 401, "POST", s.url+"/login", "", credentials("mallory", "mallory's old password"))
	if after := hashes(t, s.dir)["dana"]; !strings.HasPrefix(after.Hash, "$argon2id$") || strings.Join(before["ada"].Roles, " ") != "editor" {
		t.Errorf("dana has %.20s after a login, and ada is %+v", after.Hash, before["ada"])
	}
	send(`"rows":9,"added":0,"present":2,"conflict":4,"refused":3,`)
}

// What docs/import.md tells people to type is typed here.
func TestImportDocument(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, made := range []string{
		filepath.Join(python(t, "flask_sqlalchemy", "app_of_flask.py"), "app.db"),
		filepath.Join(python(t, "django", "app_of_django.py"), "db.sqlite3"),
	} {
		if err := os.Rename(made, filepath.Join(folder, filepath.Base(made))); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, filepath.Join(folder, "doorward-data"))
	text := typed(t, "docs/import.md", folder, strings.TrimPrefix(s.url, "http://"))
	for _, want := range []string{"3 rows: 3 would be added", "3 rows: 3 added", `"access_token"`, "2 rows: 2 added", "1 row: 1 added", "holds 7 users"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// What is exported is what was imported, and another folder takes it all.
func TestExportRoundTrip(t *testing.T) {
	t.Parallel()
	first, second := serve(t, filepath.Join(t.TempDir(), "data")), serve(t, filepath.Join(t.TempDir(), "data"))
	command(t, 0, "four unrelated words", "user", "add", "ada", "--email", "ada@example.com", "--external-id", "17", "--role", "editor", "--role", "auditor", "--password-stdin", "--data", first.dir)
	command(t, 0, "five unrelated words", "user", "add", "żółw", "--password-stdin", "--data", first.dir)
	command(t, 0, "", "user", "disable", "żółw", "--data", first.dir)
	for _, name := range []string{"users.csv", "users.jsonl"} {
		path := filepath.Join(t.TempDir(), name)
		_, errs := command(t, 0, "", "user", "export", path, "--data", first.dir)
		if !strings.Contains(errs, "holds 3 users") {
			t.Errorf("export says %s", errs)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v, %v", name, info.Mode(), err)
		}
		_, errs = command(t, 3, "", "user", "export", path, "--data", first.dir)
		if !strings.Contains(errs, "is there already") {
			t.Errorf("a second export says %s", errs)
		}
		_, errs = command(t, 3, "", "user", "import", "--from", path, "--roles-col", "roles", "--disabled-col", "disabled", "--email-col", "email", "--external-id-col", "external_id", "--data", second.dir)
		if want := map[string]string{"users.csv": "2 added", "users.jsonl": "2 here already"}[name]; !strings.Contains(errs, want) || !strings.Contains(errs, "1 refused") {
			t.Errorf("import of %s says %s", name, errs)
		}
	}
	was, is := hashes(t, first.dir), hashes(t, second.dir)
	for _, name := range []string{"ada", "żółw"} {
		a, b := was[name], is[name]
		if a.Hash != b.Hash || strings.Join(a.Roles, " ") != strings.Join(b.Roles, " ") || a.Disabled != b.Disabled || a.Email != b.Email || a.ExternalID != b.ExternalID || a.ID == b.ID {
			t.Errorf("%s was %+v and is %+v", name, a, b)
		}
	}
	if was["ada"].Email != "ada@example.com" || was["ada"].ExternalID != "17" {
		t.Errorf("ada is %+v", was["ada"])
	}
	must(t, 200, "POST", second.url+"/login", "", credentials("ada", "four unrelated words"))
	must(t, 401, "POST", second.url+"/login", "", credentials("żółw", "five unrelated words"))
}

// A row is told without what a terminal would obey.
func TestImportQuotes_Attack_H01(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if err := serve(t, dir).stop(); err != nil {
		t.Fatal(err)
	}
	from := filepath.Join(t.TempDir(), "users.csv")
	hostile := "\"\x1b[2J\r\nline 9 ok " + strings.Repeat("x", 1000) + "\""
	if err := os.WriteFile(from, []byte("username,password_hash\n"+hostile+",$2b$10$x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--dry-run", "--json"} {
		out, _ := command(t, 3, "", "user", "import", "--data", dir, "--from", from, flag)
		if line, _, _ := strings.Cut(out, "\n"); strings.Contains(out, "\x1b") || strings.Contains(out, "\r") || len(line) > 400 || strings.Contains(out, "$2b$") {
			t.Errorf("%s prints %q", flag, out)
		}
	}
}
