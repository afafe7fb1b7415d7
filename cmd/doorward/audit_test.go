package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

// audited is a line of doorward audit search --json.
type audited struct {
	At, Kind, Result, Actor, Subject, Session, Address, Reason string
	RequestID                                                  string `json:"request_id"`
	Block, Seq                                                 int64
}

// search returns the records of a folder, the newest first, and their text.
func search(t *testing.T, dir string, args ...string) (list []audited, text string) {
	t.Helper()
	out, _ := command(t, failure.ExitDone, "", append([]string{"audit", "search", "--json", "--limit", "1000", "--data", dir}, args...)...)
	for line := range strings.Lines(out) {
		var r audited
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		list = append(list, r)
	}
	return list, out
}

// Attack_H01, Attack_H02, Standard_W07, ASVS 16.2.1, 16.2.2, 16.2.5, 16.3.1, 16.3.2, 16.4.1: each kind of security event is on
// record with who, what, when and where from, none holds a secret or what a stranger typed, and a refresh that went as it
// should is none.
func TestAuditedEvents(t *testing.T) {
	t.Parallel()
	d := &deeds{T: t, dir: filepath.Join(t.TempDir(), "data")}
	var err error
	d.server, err = startServer(d.dir, []string{"DOORWARD_REFRESH_STRICT=true"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.server.stop() })
	began := time.Now().Add(-time.Minute).UTC()
	d.online()
	d.offline()

	list, text := search(t, d.dir)
	for _, secret := range d.secrets {
		if len(secret) < 6 || strings.Contains(text, secret) {
			t.Errorf("on record is %q", secret)
		}
	}
	for _, want := range wanted {
		i := slices.IndexFunc(list, func(r audited) bool { return r.Kind == want.Kind && (want.Reason == "" || r.Reason == want.Reason) })
		if i < 0 {
			t.Errorf("no %s (%s) on record", want.Kind, want.Reason)
			continue
		}
		want.check(t, list[i])
	}
	for _, r := range list {
		at, err := time.Parse("2006-01-02T15:04:05.000Z", r.At)
		if err != nil || at.Before(began) || at.After(time.Now()) {
			t.Errorf("%s at %s", r.Kind, r.At)
		}
		if r.Kind == "refresh" {
			t.Error("a refresh that went as it should is on record")
		}
	}
	if r := list[slices.IndexFunc(list, func(r audited) bool { return r.Reason == "unknown_user" })]; !slices.Contains(d.requests, r.RequestID) {
		t.Errorf("the request %q of %s is not the one that was answered", r.RequestID, r.Kind)
	}
}

// tail -f shows what is sealed from then on, each record once and in its order, also those that were shown unsealed before.
func TestAuditFollow(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if err := serve(t, dir).stop(); err != nil {
		t.Fatal(err)
	}
	command(t, failure.ExitDone, "", "user", "add", "zoe", "--data", dir) // No server seals it yet.
	cmd := exec.CommandContext(t.Context(), binary, "audit", "tail", "-f", "--json", "-n", "1", "--data", dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	last := int64(0)
	next := func() audited {
		t.Helper()
		var r audited
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &r) != nil || r.Seq <= last {
			t.Fatalf("after %d comes %q, %v", last, lines.Text(), lines.Err())
		}
		last = r.Seq
		return r
	}
	if r := next(); r.Kind != "user_add" || r.Block != 0 {
		t.Fatalf("the last record is %+v", r)
	}
	serve(t, dir)
	for _, name := range []string{"alice", "bob", "carol"} {
		command(t, failure.ExitDone, "", "user", "add", name, "--data", dir)
		if r := next(); r.Kind != "user_add" || r.Block == 0 {
			t.Errorf("after %s was added comes %+v", name, r)
		}
	}
}

// deeds does what is to be on record, and collects what is not to be.
type deeds struct {
	*testing.T
	dir      string
	server   *process
	secrets  []string
	requests []string
}

func (d *deeds) call(status int, method, path, token, body string) answer {
	d.Helper()
	got := must(d.T, status, method, d.server.url+path, token, body)
	d.requests = append(d.requests, got.member("request_id"))
	for _, name := range []string{"access_token", "refresh_token", "device"} {
		if secret := got.member(name); secret != "" {
			d.secrets = append(d.secrets, secret, secret[len(secret)-20:])
		}
	}
	return got
}

func (d *deeds) run(args ...string) string {
	d.Helper()
	out, _ := command(d.T, failure.ExitDone, "", append(args, "--data", d.dir)...)
	return strings.TrimSpace(out)
}

func (d *deeds) online() {
	const typed = "canary \x1b[31m\r\n{\"kind\":\"login\"} hunter2hunter2"
	old, next := "an old canary 4711", "a new canary 0815 and more"
	d.secrets = append(d.secrets, "hunter2", "canary", old, next, "wrong canary")
	command(d.T, failure.ExitDone, old, "user", "add", "alice", "--password-stdin", "--data", d.dir)
	d.call(401, "POST", "/login", "", credentials(typed, "wrong canary"))
	for range 11 {
		got, err := call("POST", d.server.url+"/login", "", credentials("alice", "wrong canary"))
		if err != nil || got.status != 401 && got.status != 429 {
			d.Fatalf("%+v, %v", got, err)
		}
	}
	d.run("user", "reset", "alice")
	link := d.run("user", "reset", "alice")
	d.secrets = append(d.secrets, link)
	d.call(400, "POST", "/password/reset", "", `{"token":"dwp_canary","new":"`+next+`"}`)
	d.call(204, "POST", "/password/reset", "", `{"token":"`+link+`","new":"`+next+`"}`)

	in := d.call(200, "POST", "/login", "", credentials("alice", next))
	d.call(200, "POST", "/password", in.member("access_token"), `{"current":"`+next+`","new":"`+next+`, again"}`)
	in = d.call(200, "POST", "/login", "", credentials("alice", next+", again"))
	again := d.call(200, "POST", "/refresh", "", refreshBody(in.member("refresh_token")))
	d.call(200, "POST", "/refresh", "", refreshBody(again.member("refresh_token")))
	d.call(400, "POST", "/refresh", "", refreshBody(in.member("refresh_token")))
	in = d.call(200, "POST", "/login", "", credentials("alice", next+", again"))
	d.call(204, "POST", "/logout", in.member("access_token"), "")
	in = d.call(200, "POST", "/login", "", credentials("alice", next+", again"))
	d.call(204, "POST", "/logout?everywhere=true", in.member("access_token"), "")
}

func (d *deeds) offline() {
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(d.run("client", "add", "orders", "--scope", "revocations:read", "--json")), &made); err != nil {
		d.Fatal(err)
	}
	d.secrets = append(d.secrets, made.Secret)
	req, err := http.NewRequestWithContext(d.Context(), http.MethodGet, d.server.url+"/revocations", http.NoBody)
	if err != nil {
		d.Fatal(err)
	}
	req.SetBasicAuth(made.ID, "wrong canary")
	if got, err := exchange(req); err != nil || got.status != 401 {
		d.Fatalf("%+v, %v", got, err)
	}
	d.run("client", "disable", made.ID)
	d.run("role", "add", "editor", "--scope", "orders:read")
	d.run("user", "set", "alice", "--add-role", "editor")
	d.run("key", "rotate")
	d.run("key", "rotate", "--audit")
	file := filepath.Join(d.TempDir(), "users.csv")
	d.run("user", "export", file)
	text, err := os.ReadFile(file)
	if err != nil {
		d.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(line string) bool { return strings.HasPrefix(line, "admin") })
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(strings.Join(lines, ""), "alice", "bob")), 0o600); err != nil {
		d.Fatal(err)
	}
	d.run("user", "import", "--from", file, "--disabled-col", "disabled")
	d.run("session", "revoke", "--user", "alice")
	d.run("user", "passwd", "alice")
	d.run("user", "disable", "alice")
	d.run("user", "delete", "alice", "--yes")
	d.run("audit", "export")
	d.run("backup", filepath.Join(d.TempDir(), "copy.db"))
}

// wanted says of a kind which fields are set, and how it ended.
var wanted = []wantedRecord{
	{Kind: "user_add", actor: true},
	{Kind: "login_failed", Reason: "unknown_user", online: true, refused: true},
	{Kind: "login_failed", Reason: "wrong_password", online: true, refused: true},
	{Kind: "login_throttled", online: true, refused: true},
	{Kind: "password_reset_link", actor: true},
	{Kind: "password_reset_failed", online: true, refused: true},
	{Kind: "password_reset", actor: true, online: true},
	{Kind: "login", online: true, session: true},
	{Kind: "device_new", online: true},
	{Kind: "password_change", actor: true, online: true},
	{Kind: "refresh_reuse", online: true, session: true, refused: true},
	{Kind: "logout", actor: true, online: true, session: true},
	{Kind: "subject_end", actor: true},
	{Kind: "client_add", actor: true},
	{Kind: "client_failed", Reason: "wrong_secret", online: true, refused: true},
	{Kind: "client_disable", actor: true},
	{Kind: "role_add", actor: true},
	{Kind: "user_roles", actor: true},
	{Kind: "key_rotate", actor: true},
	{Kind: "audit_key_rotate", actor: true},
	{Kind: "user_export", actor: true},
	{Kind: "user_import", actor: true},
	{Kind: "password_set", actor: true},
	{Kind: "user_disable", actor: true},
	{Kind: "user_delete", actor: true},
	{Kind: "audit_export", actor: true},
	{Kind: "backup", Reason: "copy.db", actor: true},
}

type wantedRecord struct {
	Kind, Reason                    string
	actor, online, session, refused bool
}

func (w wantedRecord) check(t *testing.T, r audited) {
	t.Helper()
	if w.actor && r.Actor == "" {
		t.Errorf("%s does not say who did it", w.Kind)
	}
	if w.online && (r.Address != "127.0.0.1" || r.RequestID == "") {
		t.Errorf("%s does not say where from: %+v", w.Kind, r)
	}
	if w.session && (r.Session == "" || r.Subject == "") {
		t.Errorf("%s does not say whose session it is: %+v", w.Kind, r)
	}
	if (r.Result == "refused") != w.refused {
		t.Errorf("%s ended as %s", w.Kind, r.Result)
	}
}
