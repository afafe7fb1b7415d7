package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/doorward/doorward/issuer"
)

// What a child of this test binary is told: its store, its master key, the token
// to refresh and the step of the store at which it dies.
const (
	crashStore = "DOORWARD_TEST_CRASH_STORE"
	crashKey   = "DOORWARD_TEST_CRASH_KEY"
	crashToken = "DOORWARD_TEST_CRASH_TOKEN"
	crashStep  = "DOORWARD_TEST_CRASH_STEP"
)

// Attack_F03: the process is killed while it refreshes, before the commit or between
// the commit and the answer. The client tries again with the token that it has: the
// session goes on, there is one of it, and the successor is the one that was committed.
func TestAttack_F03_KillBetweenCommitAndAnswer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	w := newWorldOn(t, path, nil)
	defer w.start(t)() // The long form takes longer than what is known of revocations stays fresh.
	deaths := []step{afterSwap, beforeSwap, afterRead, beforeRead}
	var sets []issuer.TokenSet
	for round := range rounds(4, 200) {
		set, death := w.login("ada"), deaths[round%len(deaths)]
		if round >= len(deaths) {
			death = deaths[rand.IntN(len(deaths))]
		}
		dieAt(t, path, set.RefreshToken, death)
		generation := uint32(0)
		if death == afterSwap {
			generation = 1
		}
		w.wantGeneration(set.SessionID, generation)
		again := w.mustRefresh(set.RefreshToken)
		if again.SessionID != set.SessionID || generationOf(again.RefreshToken) != 1 {
			t.Errorf("killed %s: session %s, generation %d", death, again.SessionID, generationOf(again.RefreshToken))
		}
		w.wantVerify(again.AccessToken, nil)
		w.wantGeneration(set.SessionID, 1)
		sets = append(sets, again)
	}
	for _, set := range sets { // all are there still, and none twice
		w.mustRefresh(set.RefreshToken)
	}
	live, err := w.Sessions(t.Context(), issuer.SessionQuery{Live: true, Limit: 2 * len(sets)})
	if err != nil || len(live) != len(sets) {
		t.Errorf("%d live sessions of %d logins, %v", len(live), len(sets), err)
	}
}

func (w *world) wantGeneration(sid string, want uint32) {
	w.t.Helper()
	list, err := w.Sessions(w.t.Context(), issuer.SessionQuery{ID: sid})
	if err != nil || len(list) != 1 || list[0].State.Generation != want || !list[0].EndedAt.IsZero() {
		w.t.Fatalf("sessions %+v, %v: want one, live, of generation %d", list, err, want)
	}
}

// dieAt starts a process that refreshes the token and is killed at the step.
func dieAt(t *testing.T, path, token string, death step) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashingChild$")
	child.Env = append(os.Environ(), crashStore+"="+path, crashKey+"="+masterKey.Text(),
		crashToken+"="+token, crashStep+"="+string(death))
	out, err := child.CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != -1 {
		t.Fatalf("the process was to be killed %s: %v\n%s", death, err, out)
	}
}

// TestCrashingChild is the process of the test above.
func TestCrashingChild(t *testing.T) {
	path := os.Getenv(crashStore)
	if path == "" {
		return // not a child
	}
	key, err := issuer.ParseMasterKey(os.Getenv(crashKey))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOn(t, path, func(c *issuer.Config) {
		c.MasterKey = key
		c.Store = &steps{Store: c.Store, at: func(at step) {
			if string(at) == os.Getenv(crashStep) {
				killMyself()
			}
		}}
	})
	set, err := w.Refresh(marked(context.WithoutCancel(t.Context())), os.Getenv(crashToken), issuer.RefreshRequest{})
	fmt.Println("still alive:", set, err)
}

// killMyself ends this process as kill -9 does: nothing is run and nothing is flushed.
func killMyself() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}
