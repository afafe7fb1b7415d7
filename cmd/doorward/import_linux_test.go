package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An import is bounded in memory, and one that was killed goes on where it stopped.
func TestImportMany(t *testing.T) {
	t.Parallel()
	users := 20_000
	if soak {
		users = 100_000
	}
	var text strings.Builder
	text.WriteString("username,password_hash\n")
	for i := range users {
		fmt.Fprintf(&text, "user%d,pbkdf2:sha256:1000$salt%d$%064x\n", i, i, i)
	}
	from := filepath.Join(t.TempDir(), "users.csv")
	if err := os.WriteFile(from, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	if err := serve(t, dir).stop(); err != nil {
		t.Fatal(err)
	}
	killed := exec.CommandContext(t.Context(), binary, "user", "import", "--data", dir, "--from", from)
	killed.Env = clean(os.Environ())
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	begun := func() bool { // Some batches are in the log: asking the store would take as long as the rest of the import.
		log, err := os.Stat(filepath.Join(dir, "doorward.db-wal"))
		return err == nil && log.Size() > 512<<10
	}
	for range 10 { // on a busy machine it begins late
		if eventually(begun) == nil {
			break
		}
	}
	_ = killed.Process.Kill()
	_ = killed.Wait()
	list, _ := command(t, 0, "", "user", "list", "--data", dir)
	done := strings.Count(list, "\n") - 2 // the head, and admin
	if done == 0 || done >= users || done%256 != 0 {
		t.Errorf("%d of %d users after the kill: the test killed nothing, or half a batch is there", done, users)
	}
	rest := exec.CommandContext(t.Context(), binary, "user", "import", "--data", dir, "--from", from)
	rest.Env = clean(os.Environ())
	peak, out, err := runForPeak(rest)
	if want := fmt.Sprintf("%d rows: %d added, %d here already, 0 in conflict, 0 refused", users, users-done, done); err != nil || !strings.Contains(string(out), want) {
		t.Errorf("the second run says %v\n%s\nwant %s", err, out, want)
	}
	if peak == 0 || peak > 96<<10 {
		t.Errorf("the import took %d KiB of memory", peak)
	}
	if strings.Contains(string(out), "\r") || strings.Contains(string(out), "[#") {
		t.Errorf("a bar where there is no terminal:\n%q", out)
	}
}

// runForPeak runs a command and returns the most memory that it was seen to hold, in KiB. The
// kernel's own account of a process that has ended counts what its parent held too.
func runForPeak(cmd *exec.Cmd) (peak int, out []byte, err error) {
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return peak, text.Bytes(), err
		case <-tick.C:
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			if m := highWater.FindSubmatch(status); m != nil {
				held, _ := strconv.Atoi(string(m[1]))
				peak = max(peak, held)
			}
		}
	}
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// On a terminal a bar shows how far the import is, and is gone at the end.
func TestImportOnTerminal(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if err := serve(t, dir).stop(); err != nil {
		t.Fatal(err)
	}
	from := filepath.Join(t.TempDir(), "users.csv")
	text := "username,password_hash\n" + strings.Repeat("ada,nothing\n", 3000)
	if err := os.WriteFile(from, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ours, theirs := openTerminal(t)
	cmd := exec.CommandContext(t.Context(), binary, "user", "import", "--data", dir, "--from", from)
	cmd.Env, cmd.Stderr = clean(os.Environ()), theirs
	var seen screen
	go seen.follow(ours)
	if err := cmd.Run(); err == nil {
		t.Error("no error for rows that were refused")
	}
	if err := eventually(func() bool { return seen.shows("rows not taken") }); err != nil {
		t.Fatalf("%v: %q", err, seen.text.String())
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if !regexp.MustCompile(`\[#+-*\] +\d+ % · \d+ users\r\x1b\[K`).MatchString(seen.text.String()) {
		t.Errorf("the screen shows no bar that is removed:\n%q", seen.text.String())
	}
}
