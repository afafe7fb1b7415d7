package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Whoever reads the log stalls, as a collector with a full disk does. Requests go on, SIGTERM ends the server in good order, and
// once somebody reads again the log says how many lines are missing.
func TestLogReaderStalls(t *testing.T) {
	t.Parallel()
	const requests = 5000 // of two lines each, more than the pipe and the spool together hold
	s, reader, _ := serveLoggingTo(t)
	for range requests {
		if got, err := call("GET", s.url+"/protected", "not.a.token", ""); err != nil || got.status != 401 {
			t.Fatalf("%d, %v", got.status, err)
		}
	}
	seen, lost := 0, 0
	for seen+lost < 2*requests {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			t.Fatalf("%v after %d lines; %d are said to be lost", err, seen, lost)
		}
		var record struct {
			Level, Msg string
			Lines      int
		}
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch record.Msg {
		case "refused", "request":
			seen++
		case "lines of the log are lost: whoever reads it was too slow":
			lost += record.Lines
		}
	}
	if lost == 0 || seen+lost != 2*requests {
		t.Errorf("%d lines came and %d are said to be lost, want %d together and some lost", seen, lost, 2*requests)
	}

	for range 1000 { // more than the pipe holds
		must(t, 401, "GET", s.url+"/protected", "not.a.token", "")
	}
	if err := s.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// Whoever reads the log ends, as the journal or the other end of a shell's pipe can. The server goes on, and ends in good order.
func TestLogReaderEnds(t *testing.T) {
	t.Parallel()
	s, _, out := serveLoggingTo(t)
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		must(t, 401, "GET", s.url+"/protected", "not.a.token", "")
	}
	if err := s.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// serveLoggingTo starts a server whose log only the test reads, from the line after "serving" on.
func serveLoggingTo(t *testing.T) (*process, *bufio.Reader, io.Closer) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	s := &process{done: make(chan struct{})}
	s.cmd = exec.CommandContext(context.Background(), binary, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0")
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = clean(os.Environ()), io.Discard, in
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(func() { _ = s.cmd.Process.Signal(syscall.SIGKILL) })
	reader := bufio.NewReader(out)
	for s.url == "" {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var record struct{ Msg, URL string }
		if json.Unmarshal(line, &record) == nil && record.Msg == "serving" {
			s.url = record.URL
		}
	}
	return s, reader, out
}
