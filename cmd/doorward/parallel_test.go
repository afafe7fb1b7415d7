package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

// Attack_F02, Attack_F04, Standard_S03: a hundred requests present one token to two servers on one data folder at
// once. They get one successor, nobody is logged out, and no file of the folder holds a token in the clear.
func TestAttack_F02_TwoServers(t *testing.T) {
	t.Parallel()
	rounds := 20
	if soak {
		rounds = 1000
	}
	base := t.TempDir()
	dir, file := filepath.Join(base, "data"), filepath.Join(base, "doorward.yaml")
	if err := os.WriteFile(file, []byte("refresh: {limit: 200}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--issuer", "http://127.0.0.1:8080", "--config", file}
	here, there := serve(t, dir, flags...), serve(t, dir, flags...)
	login := credentials("admin", readPassword(t, dir))
	var tokens []string
	for round := range rounds {
		first := must(t, 200, "POST", here.url+"/login", "", login).member("refresh_token")
		next := oneSuccessor(t, first, here.url, there.url)
		tokens = append(tokens, first, next)
		access := must(t, 200, "POST", there.url+"/refresh", "", refreshBody(next)).member("access_token")
		must(t, 200, "GET", here.url+"/me", access, "")
		if round == 19 {
			wantNoToken(t, dir, tokens)
		}
	}
	out, _ := command(t, failure.ExitDone, "", "session", "list", "--json", "--data", dir)
	var live []struct{}
	if err := json.Unmarshal([]byte(out), &live); err != nil || len(live) != rounds {
		t.Errorf("%d live sessions of %d, %v", len(live), rounds, err)
	}
}

// oneSuccessor sends one token to the servers a hundred times at once.
func oneSuccessor(t *testing.T, token string, urls ...string) string {
	t.Helper()
	var mu sync.Mutex // guards successors
	successors := map[string]int{}
	var all sync.WaitGroup
	begin := make(chan struct{})
	for n := range 100 {
		all.Go(func() {
			<-begin
			got, err := call("POST", urls[n%len(urls)]+"/refresh", "", refreshBody(token))
			if err != nil || got.status != 200 {
				t.Errorf("refresh: %d %s %v", got.status, got.body, err)
			}
			mu.Lock()
			defer mu.Unlock()
			successors[got.member("refresh_token")]++
		})
	}
	close(begin)
	all.Wait()
	if len(successors) != 1 || successors[token] != 0 {
		t.Fatalf("%d successors, the token itself %d times: %v", len(successors), successors[token], successors)
	}
	for next := range successors {
		return next
	}
	return ""
}

// wantNoToken looks for tokens in every file of a data folder.
func wantNoToken(t *testing.T, dir string, tokens []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 3 || !strings.Contains(fmt.Sprint(files), "-wal") {
		t.Fatalf("files %q, %v: want the database and its log among them", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			if bytes.Contains(text, []byte(token)) {
				t.Fatalf("%s holds a token in the clear", filepath.Base(file))
			}
		}
	}
}

// Attack_F17, ASVS_7.1.2: logins at once at two servers leave as many sessions as one may have, and what the others
// hold is refused at both.
func TestAttack_F17_SessionLimit(t *testing.T) {
	t.Parallel()
	const most, rounds, callers = 3, 2, 6 // no more callers than the queue for passwords takes
	base := t.TempDir()
	dir, file := filepath.Join(base, "data"), filepath.Join(base, "doorward.yaml")
	writeFile(t, file, fmt.Sprintf("accounts: {max_sessions: %d}\n", most))
	flags := []string{"--issuer", "http://127.0.0.1:8080", "--config", file}
	urls := []string{serve(t, dir, flags...).url, serve(t, dir, flags...).url}
	login := credentials("admin", readPassword(t, dir))
	var mu sync.Mutex // guards tokens
	var tokens []string
	for range rounds {
		var all sync.WaitGroup
		for n := range callers {
			all.Go(func() {
				got, err := call("POST", urls[n%2]+"/login", "", login)
				if err != nil || got.status != 200 {
					t.Errorf("login: %d %s, %v", got.status, got.body, err)
				}
				mu.Lock()
				defer mu.Unlock()
				tokens = append(tokens, got.member("access_token"))
			})
		}
		all.Wait()
	}
	for _, url := range urls {
		if err := eventually(func() bool {
			live := 0
			for _, token := range tokens {
				if got, err := call("GET", url+"/protected", token, ""); err == nil && got.status == 200 {
					live++
				}
			}
			return live == most
		}); err != nil {
			t.Errorf("not %d of %d tokens are live: %v", most, len(tokens), err)
		}
	}
	out, _ := command(t, failure.ExitDone, "", "session", "list", "--json", "--data", dir)
	var live []struct{}
	if err := json.Unmarshal([]byte(out), &live); err != nil || len(live) != most {
		t.Errorf("%d live sessions, %v, want %d", len(live), err, most)
	}
}
