package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Attack_E03, Attack_E06, Attack_E07: a thousand strangers log in at once, from as many networks; in the long form ten
// times a thousand. The process stays within the memory that docs/operate.md states, tokens are verified all the
// while, and a known device gets in: strangers never fill the queue before its slots. The times are shown, not judged.
func TestAttack_E03_ThousandLoginsAtOnce(t *testing.T) {
	tries, perSlot := 1, 40
	if soak {
		tries, perSlot = 10, 80
	}
	base := t.TempDir()
	dir, file := filepath.Join(base, "data"), filepath.Join(base, "doorward.yaml")
	if err := os.WriteFile(file, []byte("trusted_proxies: [127.0.0.1]\nlimits: {login_network: 100, login_all: 100000}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir, "--config", file)
	word := readPassword(t, dir)
	first := must(t, 200, "POST", s.url+"/login", "", credentials("admin", word))
	device, token := first.member("device"), first.member("access_token")
	quiet := verifyUntil(t, s.url, token, after(200*time.Millisecond))

	strangers := make(chan struct{})
	var mu sync.Mutex // guards answers
	answers := map[int]int{}
	var owner, all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			for n := range tries {
				got, err := loginFrom(t, s.url, credentials(fmt.Sprint("nobody", i, n), "wrong wrong wrong"), "X-Forwarded-For", fmt.Sprintf("100.%d.%d.1", i/256, i%256))
				if err != nil || got.status == 503 && got.header.Get("Retry-After") == "" {
					t.Errorf("a stranger: %d without Retry-After, %v", got.status, err)
				}
				mu.Lock()
				answers[got.status]++
				mu.Unlock()
			}
		})
	}
	go func() { all.Wait(); close(strangers) }()
	owner.Go(func() { loginsOf(t, s.url, word, device, strangers) })
	busy := verifyUntil(t, s.url, token, strangers)
	owner.Wait()
	if answers[401]+answers[503] != 1000*tries || answers[401] == 0 || answers[503] == 0 {
		t.Errorf("answers %v, want some 401 and some 503, %d together", answers, 1000*tries)
	}
	slots := max(2, runtime.GOMAXPROCS(0))
	peak, limit := memory(t, s.cmd.Process.Pid, "VmHWM"), 150+perSlot*slots
	if peak > limit {
		t.Errorf("resident memory reached %d MiB, stated are %d with %d slots", peak, limit, slots)
	}
	t.Logf("answers %v; peak %d MiB of %d; /protected before: %s; meanwhile: %s", answers, peak, limit, figures(quiet), figures(busy))
}

// after is closed when a time has passed.
func after(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

// verifyUntil asks /protected again and again, which verifies the token, and returns how long each answer took.
func verifyUntil(t *testing.T, url, token string, end <-chan struct{}) (took []time.Duration) {
	t.Helper()
	for {
		begun := time.Now()
		must(t, 200, "GET", url+"/protected", token, "")
		took = append(took, time.Since(begun))
		select {
		case <-end:
			return took
		default:
		}
	}
}

// loginsOf logs in from a known device, once at least, until the strangers are gone.
func loginsOf(t *testing.T, url, word, device string, end <-chan struct{}) {
	for n := 0; ; n++ {
		if got, err := loginFrom(t, url, credentials("admin", word), "Doorward-Device", device); err != nil || got.status != 200 {
			t.Errorf("login %d from a known device: %d %s, %v", n, got.status, got.body, err)
			return
		}
		select {
		case <-end:
			return
		default:
		}
	}
}

// loginFrom logs in with one header more.
func loginFrom(t *testing.T, url, body, header, value string) (answer, error) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/login", strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(header, value)
	return exchange(req)
}

// memory is what the kernel says of a process in MiB: VmRSS is resident now, VmHWM was at most so far.
func memory(t *testing.T, pid int, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), name+":")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		t.Fatal("the kernel does not say how much memory the process has")
	}
	kib, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}

func figures(took []time.Duration) string {
	slices.Sort(took)
	return fmt.Sprintf("%d answers, p50 %v, p99 %v", len(took), took[len(took)/2], took[len(took)*99/100])
}
