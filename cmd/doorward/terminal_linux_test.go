package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"
)

// openTerminal returns both ends of a new pseudo-terminal.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	var unlock, number int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, ours.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			t.Fatal(errno)
		}
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	return ours, theirs
}

// screen collects what a terminal shows.
type screen struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (s *screen) follow(f *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		s.mu.Lock()
		s.text.Write(buf[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *screen) shows(part string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), part)
}

// TestFirstStartOnTerminal checks that somebody who is there reads the password
// on the screen, and that it is written nowhere.
func TestFirstStartOnTerminal(t *testing.T) {
	t.Parallel()
	for _, env := range [][]string{nil, {"NO_COLOR=1"}} {
		dir := filepath.Join(t.TempDir(), "data")
		ours, theirs := openTerminal(t)
		cmd := exec.CommandContext(t.Context(), binary, "serve", "--data", dir, "--listen", "127.0.0.1:0")
		cmd.Env = append(clean(os.Environ()), env...)
		cmd.Stdout, cmd.Stderr = theirs, theirs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var seen screen
		go seen.follow(ours)
		if err := eventually(func() bool { return seen.shows("issuer") }); err != nil {
			t.Fatalf("%v: %s", err, seen.text.String())
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		if err := eventually(func() bool { return seen.shows("stopped") }); err != nil {
			t.Errorf("%v: %s", err, seen.text.String())
		}
		seen.mu.Lock()
		text := seen.text.String()
		seen.mu.Unlock()
		if !regexp.MustCompile(`\n    [a-z2-7]{5}(-[a-z2-7]{5}){4}\r\n`).MatchString(text) || strings.Count(text, "curl ") != 3 {
			t.Errorf("the screen shows neither password nor what to try:\n%s", text)
		}
		if _, err := os.Stat(filepath.Join(dir, "admin-password")); err == nil {
			t.Error("the password is in a file as well")
		}
		if colour := strings.Contains(text, "\x1b["); colour == (env != nil) {
			t.Errorf("colour %t with %v", colour, env)
		}
		if strings.Contains(text, `"level"`) {
			t.Errorf("JSON on a terminal:\n%s", text)
		}
	}
}
