package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/google/go-cmp/cmp"
)

// serveEmpty starts a server on a new data folder and returns the first password of admin.
func serveEmpty(t *testing.T, args ...string) (*process, string) {
	t.Helper()
	s := serve(t, filepath.Join(t.TempDir(), "data"), args...)
	return s, readPassword(t, s.dir)
}

// A second issuer on one folder is a mistake that shows late: in tokens that are refused.
func TestServeTellsOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	for _, test := range []struct {
		issuer string
		want   bool
	}{
		{"https://one.example", false},
		{"https://one.example", false},
		{"https://two.example", true},
	} {
		s, err := startServer(dir, nil, "--issuer", test.issuer)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(s.logs.text(), "had another issuer"); got != test.want {
			t.Errorf("%s: told %t, want %t:\n%s", test.issuer, got, test.want, s.logs.text())
		}
	}
}

func readPassword(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "admin-password"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestFirstStart(t *testing.T) {
	t.Parallel()
	s, secret := serveEmpty(t)
	modes := map[string]fs.FileMode{}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(s.dir, path)
		modes[rel] = info.Mode().Perm()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{
		".": 0o700, "master.key": 0o600, "doorward.db": 0o600, "doorward.db-wal": 0o600,
		"doorward.db-shm": 0o600, "admin-password": 0o600, "serving.yaml": 0o600,
	}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("the data folder (-want +got):\n%s", diff)
	}
	if strings.Contains(s.logs.text(), secret) {
		t.Error("the log holds the password")
	}
	if !strings.Contains(s.logs.text(), filepath.Join(s.dir, "admin-password")) {
		t.Errorf("the log does not say where the password is:\n%s", s.logs.text())
	}
}

// TestTryIt pastes the lines that the first start prints into sh.
func TestTryIt(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: apt-get install --no-install-recommends %s", tool, tool)
		}
	}
	s, _ := serveEmpty(t)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	lines := s.out.String() // complete, since the process has ended
	addr := strings.TrimPrefix(s.url, "http://")
	again, err := startServer(s.dir, nil, "--listen", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.stop() }()
	sh := exec.CommandContext(t.Context(), "sh", "-eu")
	sh.Stdin = strings.NewReader(lines)
	out, err := sh.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"subject":"u_`) || !strings.HasSuffix(string(out), "logged out: 204\n") {
		t.Errorf("%v: %s\n%s", err, out, lines)
	}
	if n := strings.Count(lines, "curl "); n != 3 || !strings.Contains(lines, `"$DW_PASSWORD"`) {
		t.Errorf("%d curl lines, want 3 that read DW_PASSWORD:\n%s", n, lines)
	}
	if strings.Contains(lines, readPassword(t, s.dir)) {
		t.Error("the lines hold the password, although nobody is at the terminal")
	}
}

// TestAttack_E10 checks that there is no default secret: the first password is
// random, made once, of one use, and expires.
func TestAttack_E10(t *testing.T) {
	t.Parallel()
	t.Run("start twice", func(t *testing.T) {
		t.Parallel()
		s, first := serveEmpty(t)
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		again := serve(t, s.dir)
		if got := readPassword(t, s.dir); got != first {
			t.Error("the second start made another password")
		}
		if err := again.stop(); err != nil {
			t.Fatal(err)
		}
		if again.out.String() != "" || strings.Contains(again.logs.text(), "admin was made") {
			t.Errorf("the second start tells of a new admin: %s", again.out.String())
		}
		_, other := serveEmpty(t)
		if other == first || len(other) < 25 {
			t.Errorf("two folders have the passwords %q and %q", first, other)
		}
	})
	t.Run("killed before the password was told", func(t *testing.T) {
		t.Parallel()
		s, _ := serveEmpty(t)
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(s.dir, "admin-password")); err != nil {
			t.Fatal(err)
		}
		again := serve(t, s.dir)
		if err := again.stop(); err != nil {
			t.Fatal(err)
		}
		if log := again.logs.text(); !strings.Contains(log, "is in no file") || !strings.Contains(log, "doorward user passwd admin") {
			t.Errorf("the log does not say what to do:\n%s", log)
		}
	})
	t.Run("two at once", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "data")
		var both [2]*process
		var errs [2]error
		var wg sync.WaitGroup
		for i := range both {
			wg.Go(func() { both[i], errs[i] = startServer(dir, nil, "--issuer", "http://127.0.0.1:8080") })
		}
		wg.Wait()
		made := 0
		for i, s := range both {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			defer func() { _ = s.stop() }()
			made += strings.Count(s.logs.text(), "admin was made")
		}
		if made != 1 {
			t.Errorf("admin was made %d times", made)
		}
		login := credentials("admin", readPassword(t, dir))
		token := must(t, 200, "POST", both[0].url+"/login", "", login).member("access_token")
		must(t, 200, "GET", both[1].url+"/me", token, "")
		must(t, 204, "POST", both[0].url+"/logout", token, "")
		if err := eventually(func() bool {
			got, err := call("GET", both[1].url+"/me", token, "")
			return err == nil && got.status == 401
		}); err != nil {
			t.Errorf("the other server still takes the token: %v", err)
		}
	})
	t.Run("of one use", func(t *testing.T) {
		t.Parallel()
		s, first := serveEmpty(t)
		token := must(t, 200, "POST", s.url+"/login", "", credentials("admin", first)).member("access_token")
		if got := must(t, 403, "GET", s.url+"/admin/v1/users", token, ""); !strings.Contains(got.body, "/password") {
			t.Errorf("403 without a word on the change of password: %s", got.body)
		}
		change := fmt.Sprintf(`{"current":%q,"new":"correct horse battery staple"}`, first)
		token = must(t, 200, "POST", s.url+"/password", token, change).member("access_token")
		must(t, 200, "GET", s.url+"/admin/v1/users", token, "")
		must(t, 401, "POST", s.url+"/login", "", credentials("admin", first))
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		serve(t, s.dir)
		if _, err := os.Stat(filepath.Join(s.dir, "admin-password")); err == nil {
			t.Error("the file of a password that opens nothing is still there")
		}
	})
	t.Run("another by passwd", func(t *testing.T) {
		t.Parallel()
		s, first := serveEmpty(t)
		out, errs := command(t, failure.ExitDone, "", "user", "passwd", "admin", "--data", s.dir)
		if !strings.Contains(errs, "no admin rights until it is changed") {
			t.Errorf("stderr: %s", errs)
		}
		must(t, 401, "POST", s.url+"/login", "", credentials("admin", first))
		token := must(t, 200, "POST", s.url+"/login", "", credentials("admin", firstLine(out))).member("access_token")
		must(t, 403, "GET", s.url+"/admin/v1/users", token, "")
		if _, err := os.Stat(filepath.Join(s.dir, "admin-password")); err == nil {
			t.Error("the file of the first password is still there")
		}
	})
}

// TestAttack_H13 stops a server while a request is on its way and others refresh.
func TestAttack_H13(t *testing.T) {
	t.Parallel()
	t.Run("a request under way is answered", func(t *testing.T) {
		t.Parallel()
		s, secret := serveEmpty(t)
		addr := strings.TrimPrefix(s.url, "http://")
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		body := credentials("admin", secret)
		fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", addr, len(body))
		answers := bufio.NewReader(conn)
		if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
			t.Fatalf("%q, %v", line, err) // 100 says that the handler reads the body.
		}
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := eventually(func() bool {
			c, err := dialer.DialContext(t.Context(), "tcp", addr)
			if err == nil {
				_ = c.Close()
			}
			return err != nil
		}); err != nil {
			t.Fatalf("connections are still accepted: %v", err)
		}
		fmt.Fprint(conn, body)
		_, _ = answers.ReadString('\n') // the empty line after 100
		res, err := http.ReadResponse(answers, nil)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%v, %v", res, err)
		}
		_ = res.Body.Close()
		if err := s.stop(); err != nil {
			t.Errorf("exit code: %v", err)
		}
	})
	t.Run("load balancers have time to see it", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		file := filepath.Join(dir, "doorward.yaml")
		writeFile(t, file, "server.drain: 3s\n")
		s := serve(t, filepath.Join(dir, "data"), "--config", file)
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := eventually(func() bool {
			got, err := call("GET", s.url+"/readyz", "", "")
			return err == nil && got.status == 503
		}); err != nil {
			t.Fatalf("/readyz: %v", err)
		}
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatalf("no connection is accepted any more: %v", err)
		}
		_ = conn.Close()
		must(t, 200, "GET", s.url+"/.well-known/jwks.json", "", "")
		if err := s.stop(); err != nil {
			t.Errorf("exit code: %v", err)
		}
	})
	t.Run("no rotation is lost", func(t *testing.T) {
		t.Parallel()
		flags := rotating(t, "3")
		s, secret := serveEmpty(t, flags...)
		w := newWork(t, s, secret, 8)
		w.refreshUntil(func(rounds int64) bool { return rounds == 200 }, func() { _ = s.cmd.Process.Signal(syscall.SIGTERM) })
		if err := s.stop(); err != nil {
			t.Errorf("exit code: %v", err)
		}
		w.check(serve(t, s.dir, flags...))
	})
}

// SIGHUP makes the server read its configuration again, and go on.
func TestHangup(t *testing.T) {
	t.Parallel()
	s, _ := serveEmpty(t)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := eventually(func() bool { return strings.Contains(s.logs.text(), "the configuration was read again") }); err != nil {
		t.Error(err)
	}
	must(t, 200, "GET", s.url+"/readyz", "", "")
}

// A SIGHUP that comes before the server is ready, as from a reload right after a restart, ends nothing.
func TestHangupAtStart(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	key := filepath.Join(t.TempDir(), "master.key")
	command(t, 0, "", "key", "new-master", key)
	cmd := exec.CommandContext(t.Context(), binary, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	cmd.Env = append(clean(os.Environ()), "DOORWARD_MASTER_KEY_FILE="+key, "DOORWARD_DATABASE=postgres://u@"+ln.Addr().String()+"/d?sslmode=disable")
	var errs output
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept() // It waits for what this database says.
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for _, closed := range []io.Closer{conn, ln} {
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != failure.ExitFailed || !strings.Contains(errs.String(), "doorward: error: ") {
		t.Errorf("%v, and it says %q", cmd.ProcessState, errs.String())
	}
}

// What a server reads again, commands beside it know.
func TestHangupReachesCommands(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	writeFile(t, file, "server: {prefix: /auth}\n")
	s, _ := serveEmpty(t, "--config", file)
	sent := func() string {
		_, errs := command(t, 0, "", "--data", s.dir, "user", "reset", "admin")
		return errs
	}
	if errs := sent(); !strings.Contains(errs, s.url+"/auth/password/reset\n") {
		t.Errorf("after the start: %s", errs)
	}
	writeFile(t, file, "server: {prefix: /door}\n")
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := eventually(func() bool { return strings.Contains(s.logs.text(), "the configuration was read again") }); err != nil {
		t.Fatal(err)
	}
	if errs := sent(); !strings.Contains(errs, s.url+"/door/password/reset\n") {
		t.Errorf("after SIGHUP: %s", errs)
	}
	// Another server has left its own meanwhile.
	writeFile(t, filepath.Join(s.dir, "serving.yaml"), "server: {prefix: /other}\n")
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := eventually(func() bool { return strings.Contains(sent(), s.url+"/door/password/reset\n") }); err != nil {
		t.Error(err)
	}
}

// A server that cannot leave its settings, as on a full disk, serves all the same, and leaves them when it can.
func TestServeLeavesSettingsLater(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(dir, "serving.yaml")
	if err := os.MkdirAll(filepath.Join(file, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir)
	if !strings.Contains(s.logs.text(), "the settings cannot be left for the commands beside this server") {
		t.Errorf("nothing is said:\n%s", s.logs.text())
	}
	token := must(t, 200, "POST", s.url+"/login", "", credentials("admin", readPassword(t, dir))).member("access_token")
	must(t, 200, "GET", s.url+"/protected", token, "")
	if err := errors.Join(os.RemoveAll(file), s.cmd.Process.Signal(syscall.SIGHUP)); err != nil {
		t.Fatal(err)
	}
	if err := eventually(func() bool {
		text, _ := os.ReadFile(file)
		return strings.Contains(string(text), s.url)
	}); err != nil {
		t.Errorf("after SIGHUP: %v\n%s", err, s.logs.text())
	}
}

// TestAttack_H16 asks for what servers leave open by mistake.
func TestAttack_H16(t *testing.T) {
	t.Parallel()
	s, _ := serveEmpty(t)
	paths := []string{
		"/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/metrics", "/status", "/server-status", "/.git/config", "/.env",
		"/doorward.db", "/master.key", "/admin-password", "/serving.yaml", "/data/", "/static/", "/console/", "/swagger", "/openapi.json",
	}
	for _, path := range paths {
		got := must(t, 404, "GET", s.url+path, "", "")
		for _, name := range []string{"Server", "X-Powered-By", "Via"} {
			if got.header.Get(name) != "" {
				t.Errorf("%s: header %s: %s", path, name, got.header.Get(name))
			}
		}
		if banner := strings.ToLower(got.body); strings.Contains(banner, "go1.") || strings.Contains(banner, "version") || strings.Contains(banner, "<pre>") {
			t.Errorf("%s: %s", path, got.body)
		}
	}
}

// TestKeyRotation sees a key that a command rotates in the key set within two
// seconds, and signing after the publish lead.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "doorward.yaml")
	if err := os.WriteFile(file, []byte("keys: {publish_lead: 1s, algorithm: ES256}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, filepath.Join(dir, "data"), "--config", file)
	login := credentials("admin", readPassword(t, s.dir))
	// The command is not told of the file: serve left what it has to know.
	out, _ := command(t, failure.ExitDone, "", "key", "rotate", "--data", s.dir)
	kid := firstLine(out)
	if err := eventually(func() bool {
		got, err := call("GET", s.url+"/.well-known/jwks.json", "", "")
		return err == nil && strings.Contains(got.body, kid)
	}); err != nil {
		t.Fatalf("the key is not published: %v", err)
	}
	if err := eventually(func() bool {
		got, err := call("POST", s.url+"/login", "", login)
		if err != nil || got.status != 200 {
			return false
		}
		out, _ := command(t, failure.ExitDone, got.member("access_token"), "token", "inspect")
		return strings.Contains(out, kid) && strings.Contains(out, `"alg": "ES256"`)
	}); err != nil {
		t.Errorf("the key does not sign after its lead: %v", err)
	}
}

// TestReady prints how long a start takes; the target is in the design, and
// machines differ.
func TestReady(t *testing.T) {
	begin := time.Now()
	serveEmpty(t)
	t.Logf("ready on an empty folder after %s", time.Since(begin).Round(time.Millisecond))
}

// TestStoreGone removes the store of a running server: it says that it is not ready, and
// acknowledges nothing that would be lost.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	s, secret := serveEmpty(t)
	must(t, 200, "GET", s.url+"/readyz", "", "")
	if err := os.Remove(filepath.Join(s.dir, "doorward.db")); err != nil {
		t.Fatal(err)
	}
	if err := eventually(func() bool {
		a, err := call("GET", s.url+"/readyz", "", "")
		return err == nil && a.status == 503
	}); err != nil {
		t.Error("the server is ready without its store")
	}
	must(t, 503, "POST", s.url+"/login", "", credentials("admin", secret))
	if err := eventually(func() bool { return strings.Contains(s.logs.text(), "was removed, moved or replaced") }); err != nil {
		t.Errorf("the log does not say why:\n%s", s.logs.text())
	}
}
