package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
)

// work is clients that refresh, log out, and log in again, and remember what was acknowledged.
type work struct {
	t      *testing.T
	url    string
	login  string
	agents []*agent
}

// agent is one client. Only its own goroutine touches it while it works.
type agent struct {
	refresh string // what the last acknowledged answer held; "" when logged out
	unsure  bool   // a request was sent and no answer came
	ended   []string
}

func newWork(t *testing.T, s *process, secret string, agents int) *work {
	t.Helper()
	w := &work{t: t, url: s.url, login: credentials("admin", secret)}
	for range agents {
		got := must(t, 200, "POST", w.url+"/login", "", w.login)
		w.agents = append(w.agents, &agent{refresh: got.member("refresh_token")})
	}
	return w
}

// refreshUntil lets all agents refresh until enough says so of the number of
// answers; then it calls end, and each agent goes on until it gets no answer.
func (w *work) refreshUntil(enough func(int64) bool, end func()) {
	w.run(enough, end, func(a *agent) bool { return a.refreshOnce(w) })
}

func (w *work) run(enough func(int64) bool, end func(), step func(*agent) bool) {
	var answers atomic.Int64
	var once sync.Once
	var wg sync.WaitGroup
	for _, a := range w.agents {
		wg.Go(func() {
			for step(a) {
				if enough(answers.Add(1)) {
					once.Do(end)
				}
			}
		})
	}
	wg.Wait()
}

// refreshOnce returns false when no answer came.
func (a *agent) refreshOnce(w *work) bool {
	got, err := call("POST", w.url+"/refresh", "", refreshBody(a.refresh))
	switch {
	case err != nil:
		a.unsure = true
		return false
	case got.status == 200:
		a.refresh = got.member("refresh_token")
	case got.status == 429: // 30 a minute for each session: go on with another
		return a.loginOnce(w)
	default:
		w.t.Errorf("refresh: %d %s", got.status, got.body)
		return false
	}
	return true
}

func (a *agent) loginOnce(w *work) bool {
	got, err := call("POST", w.url+"/login", "", w.login)
	if err != nil {
		return false
	}
	if got.status == 200 {
		a.refresh = got.member("refresh_token")
	} else if got.status != 503 {
		w.t.Errorf("login: %d %s", got.status, got.body)
	}
	return true
}

// turnOnce logs out and in again, or refreshes.
func (a *agent) turnOnce(w *work) bool {
	if rand.IntN(4) > 0 {
		return a.refreshOnce(w)
	}
	got, err := call("POST", w.url+"/logout", "", refreshBody(a.refresh))
	if err != nil {
		a.unsure = true
		return false
	}
	if got.status != 204 {
		w.t.Errorf("logout: %d %s", got.status, got.body)
		return false
	}
	a.ended = append(a.ended, a.refresh)
	a.refresh = ""
	return a.loginOnce(w) && a.refresh != ""
}

// check wants of a server that was started again what was acknowledged: sessions
// go on, and ended ones have ended.
func (w *work) check(s *process) {
	w.t.Helper()
	w.url = s.url
	for i, a := range w.agents {
		for _, token := range a.ended {
			if got := must(w.t, 400, "POST", w.url+"/refresh", "", refreshBody(token)); got.member("reason") != "logout" {
				w.t.Errorf("agent %d: a session whose logout was acknowledged: %s", i, got.body)
			}
		}
		a.ended = nil
		if a.refresh == "" {
			a.loginOnce(w)
			continue
		}
		got, err := call("POST", w.url+"/refresh", "", refreshBody(a.refresh))
		if err != nil {
			w.t.Fatal(err)
		}
		switch {
		case got.status == 200:
			a.refresh = got.member("refresh_token")
		case a.unsure && got.member("reason") == "logout":
			a.loginOnce(w) // The logout that was not answered had been done.
		default:
			w.t.Errorf("agent %d: the session is lost: %d %s", i, got.status, got.body)
		}
		a.unsure = false
	}
}

// Attack_F03, Attack_H10: TestKill kills the server at random moments under load. What it acknowledged
// before is there after the next start, which needs no repair.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 5
	if soak {
		rounds = 200
	}
	dir := filepath.Join(t.TempDir(), "data")
	flags := rotating(t, "100")
	s, err := startServer(dir, nil, flags...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.kill() }()
	w := newWork(t, s, readPassword(t, dir), 6)
	users := 0
	for round := range rounds {
		moment := rand.Int64N(150) + 1
		added := make(chan int)
		go func() { added <- addUsers(dir, round) }()
		w.run(func(answers int64) bool { return answers == moment }, s.kill, func(a *agent) bool { return a.turnOnce(w) })
		users += <-added
		begin := time.Now()
		if s, err = startServer(dir, nil, flags...); err != nil {
			t.Fatalf("round %d: start after the kill: %v", round, err)
		}
		t.Logf("round %d: killed after %d answers, open again after %s", round, moment, time.Since(begin).Round(time.Millisecond))
		w.check(s)
		if got := countUsers(t, dir); got != users+1 {
			t.Fatalf("round %d: %d users, %d were acknowledged", round, got, users+1)
		}
	}
}

// addUsers adds users with commands beside the server and returns how many were acknowledged.
func addUsers(dir string, round int) int {
	added := 0
	for i := range 3 {
		if exec.CommandContext(context.Background(), binary, "user", "add", fmt.Sprintf("user%dx%d", round, i), "--data", dir).Run() == nil {
			added++
		}
	}
	return added
}

func countUsers(t *testing.T, dir string) int {
	t.Helper()
	out, _ := command(t, failure.ExitDone, "", "user", "list", "--json", "--data", dir)
	var users []any
	if err := json.Unmarshal([]byte(out), &users); err != nil {
		t.Fatal(err)
	}
	return len(users)
}

// rotating returns flags under which every refresh rotates, and budget answers in
// a row may be lost.
func rotating(t *testing.T, budget string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "doorward.yaml")
	if err := os.WriteFile(file, []byte("refresh: {window: 1ms, budget: "+budget+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--issuer", "http://127.0.0.1:8080", "--config", file}
}

func refreshBody(token string) string { return fmt.Sprintf(`{"refresh_token":%q}`, token) }
