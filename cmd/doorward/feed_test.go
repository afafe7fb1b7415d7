package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// service is a process of examples/service, which checks tokens by itself.
type service struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
}

// serviceBinary is built once, as it is run.
var serviceBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "service")
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", path, "../../examples/service")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// startService starts a service that follows the server, whose revocations it asks for at the URL.
func startService(t *testing.T, s *process, revocations, maxStaleness string) *service {
	t.Helper()
	path, err := serviceBinary()
	if err != nil {
		t.Fatal(err)
	}
	id, secret := addClient(t, s.dir)
	return runService(t, path, nil, secret,
		"-issuer", s.url, "-revocations", revocations, "-audience", s.url, "-client", id, "-max-staleness", maxStaleness)
}

// runService runs the program at path until the test ends, with the secret of a client, of which its log must say nothing.
func runService(t *testing.T, path string, env []string, secret string, args ...string) *service {
	t.Helper()
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"-listen", "127.0.0.1:0", "-secret-file", secretFile}, args...)
	v := &service{t: t, cmd: exec.CommandContext(context.Background(), path, args...)}
	v.cmd.Env = append(os.Environ(), env...)
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log output
	v.cmd.Stderr = &log
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = v.cmd.Process.Signal(syscall.SIGCONT)
		_ = v.cmd.Process.Signal(syscall.SIGTERM)
		if err := v.cmd.Wait(); err != nil || strings.Contains(log.String(), secret) {
			t.Errorf("the service ended: %v\n%s", err, log.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	v.url = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	return v
}

func addClient(t *testing.T, dir string) (id, secret string) {
	t.Helper()
	name := fmt.Sprint("c", time.Now().UnixNano())
	out, _ := command(t, 0, "", "client", "add", name, "--scope", "revocations:read", "--data", dir, "--json")
	var c struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(out), &c); err != nil || c.Secret == "" {
		t.Fatalf("%v: %s", err, out)
	}
	return c.ID, c.Secret
}

// status is the answer of one request with a token.
func (v *service) status(path, token string) int {
	v.t.Helper()
	got, err := call("GET", v.url+path, token, "")
	if err != nil {
		v.t.Fatal(err)
	}
	return got.status
}

// await waits for a status, and returns how long that took.
func (v *service) await(path, token string, status int, limit time.Duration) time.Duration {
	v.t.Helper()
	begun, last := time.Now(), 0
	for time.Since(begun) < limit {
		if last = v.status(path, token); last == status {
			return time.Since(begun)
		}
	}
	v.t.Fatalf("GET %s: %d after %v, want %d", path, last, limit, status)
	return 0
}

// person is a user of the server with a live session.
func person(t *testing.T, s *process, name string) (token string) {
	t.Helper()
	secret, _ := command(t, 0, "", "user", "add", name, "--data", s.dir)
	return loginAt(t, s, name, firstLine(secret))
}

func loginAt(t *testing.T, s *process, name, secret string) string {
	t.Helper()
	got, err := call("POST", s.url+"/login", "", credentials(name, secret))
	if err != nil || got.status != 200 {
		t.Fatalf("login: %d %s, %v", got.status, got.body, err)
	}
	var tokens struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &tokens); err != nil {
		t.Fatal(err)
	}
	return tokens.Access
}

func logout(t *testing.T, s *process, token string) {
	t.Helper()
	if got, err := call("POST", s.url+"/logout", token, ""); err != nil || got.status != 204 {
		t.Fatalf("logout: %d, %v", got.status, err)
	}
}

// Attack_F13: a real service follows a real server, directly, through a proxy that holds streams back and through one that is cut. No token is
// accepted that was revoked longer ago than the bound, none is refused that was not; out of touch the service says so.
func TestAttack_F13_Service(t *testing.T) {
	t.Parallel()
	s := serve(t, filepath.Join(t.TempDir(), "data"))
	link := newLink(t, s.url)
	near := startService(t, s, s.url+"/revocations", "60s")
	far := startService(t, s, link.url+"/revocations", "4s")
	alice := person(t, s, "alice")
	near.await("/orders", alice, 200, 20*time.Second)
	far.await("/orders", alice, 200, 20*time.Second)

	t.Run("a logout arrives", func(t *testing.T) {
		token := person(t, s, "bob")
		near.await("/orders", token, 200, 5*time.Second)
		logout(t, s, token)
		t.Logf("refused after %v", near.await("/orders", token, 401, 5*time.Second))
	})
	t.Run("a proxy holds the stream back", func(t *testing.T) {
		link.hold(true)
		defer link.hold(false)
		token := person(t, s, "carol")
		far.await("/orders", token, 200, 5*time.Second)
		logout(t, s, token)
		t.Logf("refused after %v", far.await("/orders", token, 401, 4*time.Second))
	})
	t.Run("the link is cut", func(t *testing.T) {
		link.cut(true)
		token := person(t, s, "dave")
		logout(t, s, token)
		gone := time.Now()
		for sure := false; !sure; { // up to the bound it may pass, then never
			late := time.Since(gone) > 4*time.Second
			switch got := far.status("/orders", token); {
			case got == 503:
				sure = true
			case got != 200 || late:
				t.Fatalf("%v after the logout: %d", time.Since(gone), got)
			}
		}
		if got := far.status("/orders", alice); got != 503 {
			t.Errorf("a good token: %d", got)
		}
		if got := far.status("/orders", "junk"); got != 401 {
			t.Errorf("junk: %d", got)
		}
		if got, err := call("GET", far.url+"/readyz", "", ""); err != nil || got.status != 503 || !strings.Contains(got.body, "out of date") {
			t.Errorf("/readyz: %d %s", got.status, got.body)
		}
		if got := far.status("/menu", person(t, s, "erin")); got != 200 {
			t.Errorf("a young token where the route takes it: %d", got)
		}
		link.cut(false)
		t.Logf("recovered after %v", far.await("/orders", alice, 200, 10*time.Second))
		if got := far.status("/orders", token); got != 401 {
			t.Errorf("the revoked token after that: %d", got)
		}
	})
	t.Run("the service is suspended past its bound", func(t *testing.T) {
		token := person(t, s, "frank")
		far.await("/orders", token, 200, 5*time.Second)
		if err := far.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if err := eventually(func() bool { return isStopped(far.cmd.Process.Pid) }); err != nil {
			t.Fatal(err)
		}
		logout(t, s, token)
		link.cut(true) // so that nothing but its clock can tell it
		first := make(chan int, 1)
		go func() { first <- far.status("/orders", token) }()
		timer := time.NewTimer(4500 * time.Millisecond)
		<-timer.C
		if err := far.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if got := <-first; got != 503 {
			t.Errorf("the first request after it: %d, want 503", got)
		}
		link.cut(false)
		far.await("/orders", token, 401, 10*time.Second)
		far.await("/orders", alice, 200, 10*time.Second)
	})
	t.Run("the client is disabled", func(t *testing.T) {
		out, _ := command(t, 0, "", "client", "list", "--data", s.dir, "--json")
		var list []struct{ Name string }
		if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 2 {
			t.Fatal(err, out)
		}
		command(t, 0, "", "client", "disable", list[1].Name, "--data", s.dir)
		far.await("/orders", alice, 503, 10*time.Second)
		if got := near.status("/orders", alice); got != 200 {
			t.Errorf("the other service: %d", got)
		}
		command(t, 0, "", "client", "enable", list[1].Name, "--data", s.dir)
		far.await("/orders", alice, 200, 10*time.Second)
	})
}

// Attack_F12: a restart of the server inside the bound costs its services nothing.
func TestAttack_F12_ServiceOutlivesRestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := serve(t, dir)
	v := startService(t, s, s.url+"/revocations", "60s")
	token := person(t, s, "alice")
	v.await("/orders", token, 200, 20*time.Second)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if got := v.status("/orders", token); got != 200 {
		t.Errorf("while the server is down: %d", got)
	}
	again := serve(t, dir, "--listen", strings.TrimPrefix(s.url, "http://"))
	if got := v.status("/orders", token); got != 200 {
		t.Errorf("after the restart: %d", got)
	}
	logout(t, again, token)
	v.await("/orders", token, 401, 20*time.Second)
}

// Attack_F11: a service that starts beside many revocations reads them all, in pages.
func TestAttack_F11_LargeSnapshot(t *testing.T) {
	t.Parallel()
	entries := 20_000
	if soak {
		entries = 100_000
	}
	s := serve(t, filepath.Join(t.TempDir(), "data"))
	token := person(t, s, "alice")
	fillRevocations(t, filepath.Join(s.dir, "doorward.db"), entries)
	begun := time.Now()
	v := startService(t, s, s.url+"/revocations", "60s")
	v.await("/orders", token, 200, 60*time.Second)
	took := time.Since(begun)
	got, err := call("GET", v.url+"/readyz", "", "")
	if err != nil || !strings.HasPrefix(got.body, fmt.Sprintf("ready: %d revocations", entries)) {
		t.Errorf("%v: %s", err, got.body)
	}
	t.Logf("%d revocations after %v", entries, took)
	logout(t, s, token)
	v.await("/orders", token, 401, 20*time.Second)
}

// isStopped reports whether no thread of a process runs any more: it may still answer for
// a moment after the signal. Where there is no /proc to ask, the signal is taken for it.
func isStopped(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(stat, []byte(") T "))
}

func fillRevocations(t *testing.T, path string, n int) {
	t.Helper()
	addRevocations(t, path, 1, n)
}

// addRevocations writes n more into a store, whose numbers begin with first.
func addRevocations(t *testing.T, path string, first, n int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `
		PRAGMA busy_timeout = 10000;
		WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 + ?2 - 1)
		INSERT INTO revocations (kind, id, before, expires_at, recorded_at)
		SELECT 'session', printf('0199f3c2-7d5a-7c31-9d52-%012d', i), '', 4000000000000, 1 FROM n`, first, n)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// link is a way to a server that a test can disturb.
type link struct {
	url string

	mu            sync.Mutex // guards what follows
	held, severed bool
	transport     *http.Transport
}

func newLink(t *testing.T, server string) *link {
	t.Helper()
	l := &link{transport: &http.Transport{DisableCompression: true}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.pass(w, r, server) }))
	l.url = proxy.URL
	t.Cleanup(func() {
		l.cut(true)
		proxy.CloseClientConnections()
		proxy.Close()
	})
	return l
}

// hold keeps back what streams bring, as a proxy that buffers does.
func (l *link) hold(on bool) {
	l.mu.Lock()
	l.held = on
	l.mu.Unlock()
}

// cut breaks off what is under way, and lets nothing through.
func (l *link) cut(on bool) {
	l.mu.Lock()
	l.severed = on
	old := l.transport
	l.transport = &http.Transport{DisableCompression: true}
	l.mu.Unlock()
	old.CloseIdleConnections()
}

func (l *link) state() (held, severed bool, transport *http.Transport) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held, l.severed, l.transport
}

func (l *link) pass(w http.ResponseWriter, r *http.Request, server string) {
	_, severed, transport := l.state()
	out, err := http.NewRequestWithContext(r.Context(), r.Method, server+r.RequestURI, http.NoBody)
	if severed || err != nil {
		abort(w)
		return
	}
	out.Header = r.Header.Clone()
	resp, err := transport.RoundTrip(out)
	if err != nil {
		abort(w)
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	buffer := make([]byte, 32<<10)
	for {
		n, err := resp.Body.Read(buffer)
		held, severed, _ := l.state()
		switch {
		case severed:
			abort(w)
			return
		case held && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		default:
			_, _ = w.Write(buffer[:n])
			_ = http.NewResponseController(w).Flush()
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				abort(w)
			}
			return
		}
	}
}

// abort closes the connection in the middle of whatever it is.
func abort(w http.ResponseWriter) {
	var conn net.Conn
	if conn, _, _ = http.NewResponseController(w).Hijack(); conn != nil {
		_ = conn.Close()
	}
}
