package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// startEchoes starts that API, and returns its URL.
func startEchoes(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), echoesAlone+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(err, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(in.Close(), cmd.Wait()) })
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(url)
}

// Many are open and idle in servers whose memory is bounded, and end at one cut-off; in the long form 10,000. Each takes two
// file descriptors in its server, of which a process may have 20,000 in many places: so there are two servers on one folder, and
// the API is a process too.
func TestGateManyWebSockets(t *testing.T) {
	t.Parallel()
	const each = 100 // KiB
	many := 1_000
	if soak {
		many = 10_000
	}
	api, dir := startEchoes(t), filepath.Join(t.TempDir(), "data")
	servers := []*process{serveSocketsOf(t, api, dir), serveSocketsOf(t, api, dir)}
	token := issueToken(t, servers[0])
	var before []int
	for _, s := range servers {
		before = append(before, memory(t, s.cmd.Process.Pid, "VmRSS"))
	}
	sockets := make([]*bufio.ReadWriter, many)
	var opening sync.WaitGroup
	for worker := range 8 {
		opening.Go(func() {
			for i := worker; i < many; i += 8 {
				var err error
				if sockets[i], err = openSocket(t, servers[i%len(servers)], token); err != nil {
					t.Errorf("socket %d: %v", i, err)
					return
				}
			}
		})
	}
	opening.Wait()
	if t.Failed() {
		return
	}
	for i, s := range servers {
		after, here := memory(t, s.cmd.Process.Pid, "VmRSS"), many/len(servers)
		t.Logf("%d sockets: a server went from %d to %d MiB", here, before[i], after)
		if limit := before[i] + here*each>>10 + 30; after > limit {
			t.Errorf("%d MiB with %d sockets, want %d at most", after, here, limit)
		}
	}
	must(t, 204, "POST", servers[0].url+"/logout", token, "")
	for i, socket := range sockets {
		if _, err := socket.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("socket %d after the logout: %v", i, err)
		}
	}
}
