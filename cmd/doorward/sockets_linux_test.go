package main

import (
	"bufio"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
)

// Many are open and idle in a server whose memory is bounded, and end at one cut-off; in the long form 10,000, or as many as
// this process may have: each takes two file descriptors here and two in the server.
func TestGateManyWebSockets(t *testing.T) {
	t.Parallel()
	many, each := 200, 100 // KiB
	if soak {
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		many = min(10_000, int(limit.Cur/2)-200)
	}
	s := serveSockets(t)
	token := issueToken(t, s)
	before := memory(t, s.cmd.Process.Pid, "VmRSS")
	sockets := make([]*bufio.ReadWriter, many)
	var opening sync.WaitGroup
	for worker := range 8 {
		opening.Go(func() {
			for i := worker; i < many; i += 8 {
				var err error
				if sockets[i], err = openSocket(t, s, token); err != nil {
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
	after := memory(t, s.cmd.Process.Pid, "VmRSS")
	t.Logf("%d sockets: the server went from %d to %d MiB", many, before, after)
	if limit := before + many*each>>10 + 30; after > limit {
		t.Errorf("%d MiB with %d sockets, want %d at most", after, many, limit)
	}
	must(t, 204, "POST", s.url+"/logout", token, "")
	for i, socket := range sockets {
		if _, err := socket.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("socket %d after the logout: %v", i, err)
		}
	}
}
