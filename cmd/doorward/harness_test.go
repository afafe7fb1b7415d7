package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// servers holds the server that a script started last.
var servers sync.Map

// process is a server under test.
type process struct {
	cmd  *exec.Cmd
	url  string
	dir  string
	out  output
	logs lines
	done chan struct{}
	err  error // of Wait; set before done is closed
}

// startServer starts the binary on a data folder and a free port and waits until
// it is ready. After an error no process is left.
func startServer(dir string, env []string, args ...string) (*process, error) {
	return startServerIn("", dir, env, args...)
}

// startServerIn is startServer with a working folder.
func startServerIn(folder, dir string, env []string, args ...string) (*process, error) {
	return startProgram(binary, folder, dir, env, args...)
}

// startProgram is startServerIn with another binary.
func startProgram(program, folder, dir string, env []string, args ...string) (*process, error) {
	s := &process{dir: dir, done: make(chan struct{})}
	s.cmd = exec.CommandContext(context.Background(), program, append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0"}, args...)...)
	s.cmd.Env = append(clean(os.Environ()), env...)
	s.cmd.Stdout, s.cmd.Dir = &s.out, folder
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	serving := make(chan string, 1)
	go func() {
		s.logs.follow(stderr, serving)
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	select {
	case s.url = <-serving:
		return s, eventually(func() bool {
			got, err := call("GET", s.url+"/readyz", "", "")
			// A server whose own endpoints are below a prefix says 404, or 401 before an upstream.
			return strings.HasPrefix(s.url, "https") || err == nil && got.status < 500
		})
	case <-s.done:
		return nil, fmt.Errorf("serve ended: %w\n%s", s.err, s.logs.text())
	case <-time.After(30 * time.Second):
		_ = s.cmd.Process.Kill()
		return nil, fmt.Errorf("serve is not ready\n%s", s.logs.text())
	}
}

// serve starts a server for the length of a test.
func serve(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	s, err := startServer(dir, nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stop: %v\n%s", err, s.logs.text())
		}
	})
	return s
}

// stop ends the process with SIGTERM and waits. It returns nil for exit code 0,
// and for a process that was killed by the test.
func (s *process) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(30 * time.Second):
		_ = s.cmd.Process.Kill()
		return errors.New("still there 30 s after SIGTERM")
	}
	if state := s.cmd.ProcessState.Sys().(syscall.WaitStatus); state.Signaled() && state.Signal() == syscall.SIGKILL {
		return nil
	}
	return s.err
}

// kill ends the process as a loss of power would.
func (s *process) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// output collects what a process prints.
type output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// lines collects what a process logs.
type lines struct {
	mu  sync.Mutex // guards all
	all []string
}

func (l *lines) follow(r io.Reader, serving chan<- string) {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		l.mu.Lock()
		l.all = append(l.all, scan.Text())
		l.mu.Unlock()
		var record struct{ Msg, URL string }
		if json.Unmarshal(scan.Bytes(), &record) == nil && record.Msg == "serving" {
			serving <- record.URL
		}
	}
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

// answer is what came back for one request.
type answer struct {
	status int
	body   string
	header http.Header
}

// member returns a text member of the body.
func (a answer) member(name string) string {
	var members map[string]any
	_ = json.Unmarshal([]byte(a.body), &members)
	text, _ := members[name].(string)
	return text
}

var client = &http.Client{
	Timeout:   20 * time.Second,
	Transport: &http.Transport{MaxIdleConnsPerHost: 64},
}

// call sends one request; a body is sent as JSON.
func call(method, url, token, body string) (answer, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return exchange(req)
}

// exchange sends a request and reads its answer.
func exchange(req *http.Request) (answer, error) {
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, string(text), res.Header}, err
}

// must is call for a request that has to be answered with a status.
func must(t *testing.T, status int, method, url, token, body string) answer {
	t.Helper()
	got, err := call(method, url, token, body)
	if err != nil {
		t.Fatal(err)
	}
	if got.status != status {
		t.Fatalf("%s %s: %d, want %d: %s", method, url, got.status, status, got.body)
	}
	return got
}

func credentials(name, secret string) string {
	text, _ := json.Marshal(map[string]string{"username": name, "password": secret})
	return string(text)
}

// command runs one command line in this process and wants an exit code.
func command(t *testing.T, code int, stdin string, args ...string) (out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if got := run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr); got != code {
		t.Fatalf("doorward %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, stderr.String())
	}
	return stdout.String(), stderr.String()
}

// eventually waits at most two seconds for a condition: the time in which what a
// command changes holds in a running server.
func eventually(condition func() bool) error {
	deadline := time.NewTimer(2 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if condition() {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return errors.New("not within two seconds")
		}
	}
}

// clean drops the variables of doorward, so that the machine's do not count.
func clean(environ []string) []string {
	kept := make([]string, 0, len(environ))
	for _, entry := range environ {
		if !strings.HasPrefix(entry, "DOORWARD_") {
			kept = append(kept, entry)
		}
	}
	return kept
}

func asExit(err error) (int, bool) {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0, false
	}
	return exit.ExitCode(), true
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}
