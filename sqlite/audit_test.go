package sqlite_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// sealEnv names the file that a child of this test binary writes to, and the master key.
const sealEnv = "DOORWARD_TEST_SEAL"

// A process that writes and seals is killed at random moments. The record verifies each time, holds every row that was
// acknowledged, and the next process goes on with it.
func TestAttack_H10_KillWhileSealing(t *testing.T) {
	t.Parallel()
	path, master := filepath.Join(t.TempDir(), "doorward.db"), issuer.GenerateMasterKey()
	must(t, openAt(t, path).Close())
	acknowledged := map[string]bool{}
	for round := range rounds() {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSealingChild$")
		child.Env = append(os.Environ(), sealEnv+"="+path, sealEnv+"_KEY="+master.Text(), fmt.Sprint(sealEnv, "_ROUND=", round))
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		must(t, err, child.Start())
		lines, want := bufio.NewScanner(out), 5+rand.IntN(60)
		for n := 0; lines.Scan(); n++ {
			acknowledged[lines.Text()] = true
			if n == want {
				must(t, child.Process.Kill())
			}
		}
		if err := child.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Fatalf("the child ended by itself: %v", err)
		}
		sealedAll(t, path, master, acknowledged)
	}
}

// sealedAll verifies the record and looks for rows in it.
func sealedAll(t *testing.T, path string, master issuer.MasterKey, requests map[string]bool) {
	t.Helper()
	file, err := sqlite.Open(t.Context(), path)
	must(t, err)
	s := sqlstore.LedgerIn(file.Store)
	sealer, err := audit.NewSealer(audit.Config{Store: s, MasterKey: master})
	must(t, err, sealer.Seal(t.Context()))
	report, err := audit.Verify(t.Context(), s, master, nil, func(int64, int64) {})
	must(t, err)
	left := len(requests)
	for after := int64(0); ; {
		page, err := s.AuditChain(t.Context(), after)
		must(t, err)
		if len(page.Blocks) == 0 {
			break
		}
		after = page.Blocks[len(page.Blocks)-1].Number
		for _, r := range page.Records {
			if requests[r.RequestID] {
				left--
			}
		}
	}
	if left != 0 || report.Records < int64(len(requests)) {
		t.Errorf("of %d rows that were acknowledged %d are not sealed once", len(requests), left)
	}
	must(t, file.Close())
}

// TestSealingChild is the child process of the test above.
func TestSealingChild(t *testing.T) {
	path := os.Getenv(sealEnv)
	if path == "" {
		return // not a child
	}
	master, err := issuer.ParseMasterKey(os.Getenv(sealEnv + "_KEY"))
	must(t, err)
	s := sqlstore.LedgerIn(openAt(t, path).Store)
	sealer, err := audit.NewSealer(audit.Config{Store: s, MasterKey: master})
	must(t, err)
	failed := make(chan error)
	go func() {
		for {
			if err := sealer.Seal(t.Context()); err != nil {
				failed <- err
			}
		}
	}()
	for n := 0; ; n++ {
		select {
		case err := <-failed:
			t.Fatal(err)
		default:
		}
		id := fmt.Sprintf("%s-%d", os.Getenv(sealEnv+"_ROUND"), n)
		if err := s.Record(t.Context(), issuer.Event{Kind: "test", RequestID: id}); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Println(id); err != nil {
			t.Fatal(errors.Join(err, errors.New("nobody reads")))
		}
	}
}
