package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

// devices are the clients of examples/device, and what runs them.
var devices = []struct{ name, program, file, needs string }{
	{"python", "/usr/bin/python3", "device.py", "import requests"},
	{"javascript", "node", "device.mjs", ""},
}

// A client that loses answers stays in, says what it waits for, and says why it is out.
func TestDevices(t *testing.T) {
	t.Parallel()
	for _, d := range devices {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(d.program)
			if err == nil && d.needs != "" {
				err = exec.CommandContext(t.Context(), path, "-c", d.needs).Run()
			}
			if err != nil {
				t.Skipf("%s cannot run %s: run make deps", d.program, d.file)
			}
			p := newDevice(t, path, d.file)
			t.Run("login", p.testLogin)
			t.Run("lost answers", p.testLostAnswers)
			t.Run("killed", p.testKilled)
			t.Run("told to wait", p.testToldToWait)
			t.Run("logout", p.testLogout)
			t.Run("a thief", p.testThief)
		})
	}
}

// device runs one client against one server, through a line that loses answers.
type device struct {
	line    *lossyLine
	url     string
	command []string // without flags
	session string   // the file
}

func newDevice(t *testing.T, program, file string) *device {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "doorward.yaml")
	// A window so short that every retry of these clients is a late one.
	if err := os.WriteFile(config, []byte("refresh: {window: 50ms, limit: 1000}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, filepath.Join(folder, "data"), "--config", config)
	command(t, failure.ExitDone, aliceSecret, "user", "add", "alice", "--password-stdin", "--data", s.dir)
	line := &lossyLine{server: s.url, held: make(chan struct{})}
	proxy := httptest.NewServer(line)
	t.Cleanup(proxy.Close)
	return &device{
		line: line, url: proxy.URL, session: filepath.Join(folder, "session.json"),
		command: []string{program, filepath.Join("../../examples/device", file)},
	}
}

func (d *device) prepare(session string, args ...string) (cmd *exec.Cmd, out, errs *bytes.Buffer) {
	all := slices.Concat(d.command, []string{"--server", d.url, "--file", session}, args)
	cmd = exec.CommandContext(context.Background(), all[0], all[1:]...)
	cmd.Stdin = strings.NewReader(aliceSecret + "\n")
	out, errs = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, errs
	return cmd, out, errs
}

// run runs the client to a good end and wants texts in what it prints.
func (d *device) run(t *testing.T, args []string, want ...string) {
	t.Helper()
	cmd, out, errs := d.prepare(d.session, args...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, out, errs)
	}
	for _, text := range want {
		if !strings.Contains(out.String()+errs.String(), text) {
			t.Errorf("%v prints no %q:\n%s%s", args, text, out, errs)
		}
	}
}

func (d *device) testLogin(t *testing.T) {
	d.run(t, []string{"login", "alice"}, "logged in")
	d.run(t, []string{"get", "/me"}, `"username":"alice"`)
	info, err := os.Stat(d.session)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("session file: %v %v", info.Mode(), err)
	}
	if n := len(d.line.taken()); n != 0 {
		t.Errorf("%d refreshes of a token that is good", n)
	}
}

// Two answers of three get lost after the server has committed, one of them half-way: that goes on for ever.
func (d *device) testLostAnswers(t *testing.T) {
	for range 2 {
		for _, fault := range []fault{drop, half, none} {
			before := d.stored(t)
			d.line.next(fault)
			want := []string{"refreshed"}
			if fault != none {
				want = append(want, "/refresh: no answer; asking again in ")
			}
			d.run(t, []string{"refresh"}, want...)
			if sent := d.line.taken(); slices.ContainsFunc(sent, func(token string) bool { return token != before }) {
				t.Errorf("not the same token each time, of %d", len(sent))
			}
			if d.stored(t) == before {
				t.Error("the file holds the spent token")
			}
		}
	}
	d.line.next(half)
	d.run(t, []string{"get", "/me"}, "/me: no answer; asking again in ", `"username":"alice"`)
}

// A client that is killed while it waits goes on with what its file holds.
func (d *device) testKilled(t *testing.T) {
	before := d.stored(t)
	d.line.next(hold)
	cmd, _, _ := d.prepare(d.session, "refresh")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-d.line.held: // The server has committed.
	case <-time.After(30 * time.Second):
		t.Error("it does not ask")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if d.stored(t) != before {
		t.Error("the file has changed without an answer")
	}
	d.run(t, []string{"refresh"}, "refreshed")
}

func (d *device) testToldToWait(t *testing.T) {
	d.line.taken()
	d.line.next(tooMany, unavailable, portal)
	d.run(t, []string{"refresh"}, "/refresh: status 429; asking again in ", "/refresh: status 503; asking again in ",
		"/refresh: no answer; asking again in ", "refreshed")
	d.line.mu.Lock()
	if first := d.line.times[1].Sub(d.line.times[0]); first < time.Second {
		t.Errorf("it comes back after %v, told to wait for a second", first)
	}
	d.line.mu.Unlock()
	if sent := d.line.taken(); len(sent) != 4 || len(slices.Compact(sent)) != 1 {
		t.Errorf("%d refreshes, want the same one four times", len(sent))
	}
}

func (d *device) testLogout(t *testing.T) {
	d.line.next(drop)
	d.run(t, []string{"logout"}, "/logout: no answer; asking again in ", "logged out")
	if _, err := os.Stat(d.session); !os.IsNotExist(err) {
		t.Errorf("the session file is still there: %v", err)
	}
	if text := d.fails(t, d.session); text != "logged out: nobody has logged in\n" {
		t.Errorf("then: %q", text)
	}
}

// Somebody who has copied the session goes on with it, and so does its owner: soon both are out, and know why.
func (d *device) testThief(t *testing.T) {
	d.run(t, []string{"login", "alice"})
	stolen, err := os.ReadFile(d.session)
	if err != nil {
		t.Fatal(err)
	}
	thief := filepath.Join(t.TempDir(), "stolen.json")
	if err := os.WriteFile(thief, stolen, 0o600); err != nil {
		t.Fatal(err)
	}
	out := ""
	for range 8 {
		for _, holder := range []string{d.session, thief} {
			cmd, _, errs := d.prepare(holder, "refresh")
			if out == "" && cmd.Run() != nil {
				out = errs.String()
			}
		}
	}
	const want = "logged out: refresh_reuse\n"
	if out != want {
		t.Fatalf("the first one: %q, want %q", out, want)
	}
	for _, holder := range []string{d.session, thief} {
		if _, err := os.Stat(holder); err == nil {
			out = d.fails(t, holder)
		}
		if _, err := os.Stat(holder); out != want || !os.IsNotExist(err) {
			t.Errorf("%s: %q, want %q; the file: %v", filepath.Base(holder), out, want, err)
		}
	}
}

// fails runs a refresh that the client has to give up, and returns what it says.
func (d *device) fails(t *testing.T, session string) string {
	t.Helper()
	cmd, out, errs := d.prepare(session, "refresh")
	if err := cmd.Run(); err == nil {
		t.Fatalf("it works:\n%s", out)
	}
	return errs.String()
}

func (d *device) stored(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(d.session)
	var tokens struct {
		Refresh string `json:"refresh_token"`
	}
	if err == nil {
		err = json.Unmarshal(text, &tokens)
	}
	if err != nil || tokens.Refresh == "" {
		t.Fatalf("session file: %v", err)
	}
	return tokens.Refresh
}

// fault is what becomes of one answer.
type fault int

const (
	none        fault = iota
	drop              // lost, after the server has done its work
	half              // cut in the middle
	hold              // never sent; lossyLine.held tells when the server has answered
	tooMany           // 429, and the server never knows
	unavailable       // 503, and the server never knows
	portal            // 200 and a page of somebody else's
)

// lossyLine passes requests on and spoils answers as it is told.
type lossyLine struct {
	server string
	held   chan struct{}

	mu     sync.Mutex // guards what follows
	faults []fault
	tokens []string // refresh tokens that came to /refresh
	times  []time.Time
}

func (l *lossyLine) next(faults ...fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = faults
}

// taken returns the refresh tokens that were sent since it was last asked.
func (l *lossyLine) taken() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	tokens := l.tokens
	l.tokens, l.times = nil, nil
	return tokens
}

// of returns what becomes of the answer to a request.
func (l *lossyLine) of(r *http.Request, body []byte) fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	var request struct {
		Token string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &request) == nil && r.URL.Path == "/refresh" {
		l.tokens, l.times = append(l.tokens, request.Token), append(l.times, time.Now())
	}
	if len(l.faults) == 0 {
		return none
	}
	first := l.faults[0]
	l.faults = l.faults[1:]
	return first
}

func (l *lossyLine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	becomes := l.of(r, body)
	if status := map[fault]int{tooMany: http.StatusTooManyRequests, unavailable: http.StatusServiceUnavailable}[becomes]; status != 0 {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(status)
		return
	}
	if becomes == portal {
		_, _ = io.WriteString(w, "<h1>Welcome to our network</h1>")
		return
	}
	got, err := l.pass(r, body)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadGateway)
		return
	case becomes == drop:
		panic(http.ErrAbortHandler)
	case becomes == hold:
		close(l.held)
		<-r.Context().Done()
		return
	}
	for _, name := range []string{"Content-Type", "Content-Length"} {
		w.Header().Set(name, got.header.Get(name))
	}
	w.WriteHeader(got.status)
	if becomes == half {
		_, _ = io.WriteString(w, got.body[:len(got.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, got.body)
}

func (l *lossyLine) pass(r *http.Request, body []byte) (answer, error) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	return call(r.Method, l.server+r.URL.Path, token, string(body))
}
