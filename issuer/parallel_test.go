package issuer_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/doorward/doorward/issuer"
)

// parallelCallers present one token at once.
const parallelCallers = 100

func rounds(short, long int) int {
	if soak {
		return long
	}
	return short
}

// Attack_F02, Attack_F04, Standard_S03, Behaviour_B35: many present one token at once. They
// get one successor, nobody is logged out, and the files of the store hold no token in the clear.
func TestAttack_F02_OneSuccessor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "doorward.db")
	here := newWorldOn(t, path, func(c *issuer.Config) { c.RefreshLimit = 200 })
	there := newWorldOn(t, path, func(c *issuer.Config) { c.RefreshLimit = 200 })
	defer here.start(t)() // The long form takes longer than what is known of revocations stays fresh.
	var tokens []string
	for range rounds(20, 1000) {
		first := here.login("ada")
		next := here.oneSuccessor(first.RefreshToken, here, there)
		tokens = append(tokens, first.RefreshToken, next)
		here.wantVerify(here.mustRefresh(next).AccessToken, nil)
		if len(tokens) == 40 {
			wantSealed(t, filepath.Dir(path), tokens)
		}
	}
	live, err := here.Sessions(t.Context(), issuer.SessionQuery{Live: true, Limit: len(tokens)})
	if err != nil || len(live) != len(tokens)/2 {
		t.Errorf("%d sessions live of %d, %v", len(live), len(tokens)/2, err)
	}
}

// oneSuccessor lets the nodes refresh one token at once and returns its successor.
func (w *world) oneSuccessor(token string, nodes ...*world) string {
	w.t.Helper()
	var mu sync.Mutex // guards what follows
	successors, access := map[string]int{}, map[string]bool{}
	var all sync.WaitGroup
	begin := make(chan struct{})
	for n := range parallelCallers {
		all.Go(func() {
			<-begin
			set, err := nodes[n%len(nodes)].refresh(token)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				w.t.Errorf("refresh: %v", err)
			}
			successors[set.RefreshToken]++
			access[set.AccessToken] = true
		})
	}
	close(begin)
	all.Wait()
	if len(successors) != 1 || successors[token] != 0 || len(access) != parallelCallers {
		w.t.Fatalf("%d successors and %d access tokens for %d callers; the token itself %d times",
			len(successors), len(access), parallelCallers, successors[token])
	}
	for next := range successors {
		return next
	}
	return ""
}

// wantSealed looks for tokens, and for the handles in them, in every file of a folder.
func wantSealed(t *testing.T, dir string, tokens []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, %v: want the database and its log", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			raw, err := base64.RawURLEncoding.DecodeString(token[len(issuer.RefreshTokenPrefix):])
			if err != nil {
				t.Fatal(err)
			}
			for what, secret := range map[string][]byte{
				"token": []byte(token), "token in binary": raw, "handle": raw[8:28], "MAC": raw[28:],
				"handle in hex": fmt.Appendf(nil, "%x", raw[8:28]),
			} {
				if bytes.Contains(text, secret) {
					t.Fatalf("%s holds a %s in the clear", filepath.Base(file), what)
				}
			}
		}
	}
}
