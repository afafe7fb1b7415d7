package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// writeEnv names the file that a child of this test binary writes to.
const writeEnv = "DOORWARD_TEST_WRITE"

// rounds is how often a test is repeated that tries its luck.
func rounds() int {
	if os.Getenv("DOORWARD_SOAK") != "" {
		return 200
	}
	return 3
}

// TestAttack_H10_KillLosesNothing kills a writing process at random moments and looks
// for everything that it had acknowledged.
func TestAttack_H10_KillLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	s, err := sqlite.Open(t.Context(), path)
	must(t, err)
	// With a key whose tokens live that long no cut-off expires while the test goes on.
	must(t, s.SwapKeys(t.Context(), 0, []issuer.StoredKey{{ID: "k", AccessTTL: day}}, nil, event), s.Close())
	var all []string
	for range rounds() {
		var ended []string
		child, out := startWriter(t, path)
		want := 20 + rand.IntN(200)
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			ended = append(ended, lines.Text())
			if n == want {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the writer ended by itself: %v", err)
		}
		checkKept(t, path, ended)
		all = append(all, ended...)
	}
	checkKept(t, path, all)
}

// startWriter starts a process that writes the ID of each session that it has ended.
func startWriter(t *testing.T, path string) (*exec.Cmd, io.Reader) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriter$")
	child.Env = append(os.Environ(), writeEnv+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return child, out
}

// TestWriter is the child process of the test above.
func TestWriter(t *testing.T) {
	path := os.Getenv(writeEnv)
	if path == "" {
		return // not a child
	}
	s := openAt(t, path)
	var out sync.Mutex
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for {
				id, err := loginLogout(t, s, fmt.Sprint("u_", i))
				if err != nil {
					t.Error(err)
					return
				}
				out.Lock()
				fmt.Println(id)
				out.Unlock()
			}
		})
	}
	all.Wait()
}

func loginLogout(t *testing.T, s *sqlite.Store, subject string) (string, error) {
	session, err := s.CreateSession(t.Context(), newSession(subject), event)
	if err != nil {
		return "", err
	}
	_, err = s.EndSession(t.Context(), session.ID, "logout", event)
	return session.ID, err
}

func newSession(subject string) issuer.NewSession {
	n := issuer.NewSession{Subject: subject, Idle: time.Hour, Absolute: 24 * time.Hour}
	for i := range n.Handle {
		n.Handle[i] = byte(rand.Int())
	}
	return n
}

// checkKept opens the file as it lies there and looks for what was acknowledged.
func checkKept(t *testing.T, path string, ended []string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	page, err := s.RevocationsSince(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	cut := map[string]bool{}
	for _, r := range page.Entries {
		cut[r.ID] = r.Kind == doorward.KindSession
	}
	sessions, err := s.Sessions(t.Context(), issuer.SessionQuery{Limit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, session := range sessions {
		out[session.ID] = session.EndReason == "logout"
	}
	for _, id := range ended {
		if !cut[id] || !out[id] {
			t.Errorf("the end of session %s is lost: cut-off %t, row %t", id, cut[id], out[id])
		}
	}
	if len(ended) == 0 {
		t.Error("nothing was acknowledged")
	}
}

// TestAttack_F12_FullDisk writes until there is no room, and goes on when there is again.
func TestAttack_F12_FullDisk(t *testing.T) {
	t.Parallel()
	s := open(t)
	limit := func(statement string) {
		t.Helper()
		must(t, s.Write(t.Context(), func(ctx context.Context, tx sqlstore.Tx) error {
			var pages int
			return tx.QueryRowContext(ctx, statement).Scan(&pages)
		}))
	}
	limit(`PRAGMA max_page_count = 60`)
	var mu sync.Mutex
	var kept []string
	var full atomic.Bool
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for !full.Load() {
				id, err := loginLogout(t, s, fmt.Sprint("u_", i))
				if err != nil {
					full.Store(true)
					return
				}
				mu.Lock()
				kept = append(kept, id)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for _, id := range kept {
		list, err := s.Sessions(t.Context(), issuer.SessionQuery{ID: id})
		if err != nil || len(list) != 1 || list[0].EndReason != "logout" {
			t.Errorf("the end of session %s is lost: %+v, %v", id, list, err)
		}
	}
	limit(`PRAGMA max_page_count = 1000000`)
	if _, err := loginLogout(t, s, "u_0"); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if len(kept) == 0 {
		t.Error("nothing was written")
	}
}

// TestTwoProcesses writes to one file from two processes and reads in each what the
// other has written.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	s := openAt(t, path)
	child, out := startWriter(t, path)
	lines := bufio.NewScanner(out)
	for range 50 {
		if !lines.Scan() {
			t.Fatal("the other process has stopped writing")
		}
		theirs := lines.Text()
		cut, err := s.EndSession(t.Context(), theirs, "again", event)
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.Sessions(t.Context(), issuer.SessionQuery{ID: theirs})
		if err != nil || len(list) != 1 || list[0].EndReason != "logout" || cut.ID != theirs {
			t.Fatalf("session %s of the other process: %+v, %v", theirs, list, err)
		}
		if _, err := loginLogout(t, s, "u_0"); err != nil {
			t.Fatal(err)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	_ = child.Wait()
}

// TestWaitChangeHearsOthers waits on one connection for what another process writes.
func TestWaitChangeHearsOthers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	s, other := openAt(t, path), openAt(t, path)
	if err := s.WaitChange(t.Context()); err != nil { // takes in the present version
		t.Fatal(err)
	}
	for range 3 {
		if _, err := other.EndSession(t.Context(), fmt.Sprint("s_", rand.Int()), "x", event); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := s.WaitChange(t.Context()); err != nil {
			t.Fatal(err)
		}
		// It begins by looking, so that a change is not slept over.
		if waited := time.Since(start); waited > 240*time.Millisecond {
			t.Errorf("a change before the call was noticed after %v", waited)
		}
	}
}
