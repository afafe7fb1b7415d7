package remote_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/remote"
)

func TestNewKeySetRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cfg  remote.Config
		want string // in the error; "" = none
	}{
		{"Behaviour_P98 nothing", remote.Config{}, "Config.URL or Config.Issuer is required"},
		{"both", remote.Config{URL: setURL, Issuer: "https://id.example"}, "exclude"},
		{"https", remote.Config{URL: setURL}, ""},
		{"issuer", remote.Config{Issuer: "https://id.example/realms/a"}, ""},
		{"Behaviour_B28 Standard_D11 http", remote.Config{URL: "http://id.example/keys"}, "not https"},
		{"http allowed", remote.Config{URL: "http://id.example/keys", InsecureAllowHTTP: true}, ""},
		{"Behaviour_B28 file", remote.Config{URL: "file:///etc/keys.json"}, "host"},
		{"file allowed", remote.Config{URL: "file://host/keys.json", InsecureAllowHTTP: true}, "not https"},
		{"data", remote.Config{URL: "data:application/json,{}"}, "host"},
		{"loopback", remote.Config{URL: "http://127.0.0.1:8080/keys"}, ""},
		{"loopback v6", remote.Config{URL: "http://[::1]:8080/keys"}, ""},
		{"localhost", remote.Config{URL: "http://localhost/keys"}, ""},
		{"looks like loopback", remote.Config{URL: "http://127.0.0.1.example/keys"}, "not https"},
		{"looks like localhost", remote.Config{URL: "http://localhost.example/keys"}, "not https"},
		{"ends as localhost", remote.Config{URL: "http://notlocalhost/keys"}, "not https"},
		{"private address", remote.Config{URL: "http://10.0.0.1/keys"}, "not https"},
		{"any address", remote.Config{URL: "http://0.0.0.0/keys"}, "not https"},
		{"password", remote.Config{URL: "https://a:b@id.example/keys"}, "user name"},
		{"fragment", remote.Config{URL: setURL + "#x"}, "fragment"},
		{"empty fragment", remote.Config{URL: setURL + "#"}, "fragment"},
		{"relative", remote.Config{URL: "/keys"}, "host"},
		{"no host", remote.Config{URL: "https://:443/keys"}, "host"},
		{"no URL", remote.Config{URL: "https://%zz"}, "not a URL"},
		{"issuer http", remote.Config{Issuer: "http://id.example"}, "Config.Issuer is not https"},
		{"issuer query", remote.Config{Issuer: "https://id.example?a"}, "query"},
		{"Behaviour_P98 negative lifespan", remote.Config{URL: setURL, LastGood: -1}, "LastGood"},
		{"lifespan too long", remote.Config{URL: setURL, LastGood: 200 * time.Hour}, "LastGood"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keys, err := remote.NewKeySet(tt.cfg)
			if tt.want == "" {
				if err != nil || keys == nil {
					t.Errorf("NewKeySet: %v", err)
				}
				return
			}
			if err == nil || keys != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("NewKeySet = %v, %v; want an error with %q", keys, err, tt.want)
			}
		})
	}
}

// Attack_G01, Behaviour_B26: random kids from everywhere cause at most two fetches in their time, and
// nobody with a known key waits for one, however slow it is.
func TestFloodOfKids(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		good := newKey(t, "good")
		f.set(serves(setOf(t, good)))
		if err := f.keys.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second)
		f.set(slow(4*time.Second, serves(setOf(t, good))))
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 10_000 {
			wg.Go(func() {
				_, err := f.keys.Key(t.Context(), fmt.Sprintf("random-%d", i))
				if !errors.Is(err, jwt.ErrKey) || errors.Is(err, remote.ErrUnavailable) {
					t.Errorf("a random kid: %v", err)
				}
			})
		}
		for range 100 {
			wg.Go(func() {
				begin := time.Now()
				if err := f.verifies(t.Context(), good); err != nil {
					t.Error(err)
				}
				if waited := time.Since(begin); waited != 0 {
					t.Errorf("a good token waited %v for the fetch", waited)
				}
			})
		}
		wg.Wait()
		if got := time.Since(start); got != 4*time.Second {
			t.Errorf("the waiters shared a fetch of 4 s and took %v", got)
		}
		if got := f.requests(); got != 2 {
			t.Errorf("%d requests in all, want the first and one for all kids", got)
		}
	})
}

// Attack_G01: the cool-down holds for a set that is empty or failing, and for Refresh, whatever kids come.
func TestCoolDown(t *testing.T) {
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"failing": down,
		"empty":   serves(`{"keys":[]}`),
		"garbage": serves(`nonsense`),
		"good":    serves(kids(t, "a")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				f.set(answer)
				begin := time.Now()
				for time.Since(begin) < 10*time.Minute {
					if _, err := f.keys.Key(t.Context(), fmt.Sprint(time.Since(begin))); err == nil {
						t.Fatal("a made-up kid has a key")
					}
					_ = f.keys.Refresh(t.Context())
					time.Sleep(100 * time.Millisecond)
				}
				if got := f.requests(); got != 20 {
					t.Errorf("%d requests in 10 minutes, want one each 30 s", got)
				}
			})
		})
	}
}

// Attack_G02, Behaviour_B26: nothing is kept of a kid that is not known.
func TestNoNegativeCache(t *testing.T) {
	f := newFixture(t, nil)
	f.set(serves(kids(t, "a")))
	f.want(t, "a", nil)
	kid := strings.Repeat("k", 200)
	before := heap()
	for i := range 1_000_000 {
		if _, err := f.keys.Key(t.Context(), kid[:i%200+1]); !errors.Is(err, jwt.ErrKey) {
			t.Fatal(err)
		}
	}
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
	if got := f.requests(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Attack_G04, Behaviour_B25, Behaviour_P96: the host goes down and the issuer changes its keys meanwhile. The last good
// set serves until its limit and not a second longer; a new key is "nobody knows", never "no such key".
func TestDownForHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.set(serves(kids(t, "old")))
		f.want(t, "old", nil)
		begin := time.Now()
		f.set(down)
		for time.Since(begin) < 24*time.Hour-time.Minute {
			time.Sleep(7 * time.Minute)
			at := time.Now()
			f.want(t, "old", nil)
			f.want(t, "new", remote.ErrUnavailable)
			if time.Since(at) != 0 {
				t.Fatalf("waited %v", time.Since(at))
			}
			if time.Since(begin) > 24*time.Hour-8*time.Minute {
				break
			}
		}
		time.Sleep(24*time.Hour - 1 - time.Since(begin))
		f.want(t, "old", nil)
		time.Sleep(time.Nanosecond)
		f.want(t, "old", remote.ErrUnavailable)
		f.set(serves(kids(t, "new")))
		time.Sleep(31 * time.Second)
		f.want(t, "new", nil)
		f.want(t, "old", jwt.ErrKey)
	})
}

// Behaviour_B27, Behaviour_P93, Behaviour_P94: cold look-ups share one fetch; later ones need none.
func TestColdLookupsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		key := newKey(t, "a")
		f.set(slow(time.Second, serves(setOf(t, key))))
		if f.requests() != 0 {
			t.Error("the constructor dialled")
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := f.verifies(t.Context(), key); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		f.want(t, "a", nil)
		if got := f.requests(); got != 1 {
			t.Errorf("%d requests, want 1", got)
		}
	})
}

// Whoever gives up does not end the fetch for the others, the first one included.
func TestWaiterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.set(slow(3*time.Second, serves(kids(t, "a"))))
		first, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := f.keys.Key(first, "a")
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, remote.ErrUnavailable) || errors.Is(err, jwt.ErrKey) {
				t.Errorf("the first caller: %v", err)
			}
			if time.Since(begin) != time.Second {
				t.Errorf("the first caller gave up after %v", time.Since(begin))
			}
		})
		synctest.Wait()
		wg.Go(func() { f.want(t, "a", nil) })
		wg.Wait()
		if got := f.requests(); got != 1 {
			t.Errorf("%d requests, want 1", got)
		}
	})
}

// Behaviour_P95, Behaviour_P97: a set lives as long as its answer says; then one caller has it fetched while
// all of them, that one too, go on with the old one. What the issuer withdrew is gone after that.
func TestMaxAge(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers []string
		want    time.Duration
	}{
		{"nothing said", nil, 5 * time.Minute},
		{"max-age", []string{"Cache-Control", "public, Max-Age=600"}, 10 * time.Minute},
		{"quoted", []string{"Cache-Control", `max-age="600"`}, 10 * time.Minute},
		{"with Age", []string{"Cache-Control", "max-age=600", "Age", "120"}, 8 * time.Minute},
		{"Age beyond", []string{"Cache-Control", "max-age=600", "Age", "99999999999999999999999"}, 30 * time.Second},
		{"short", []string{"Cache-Control", "max-age=1"}, 30 * time.Second},
		{"no-cache", []string{"Cache-Control", "no-cache"}, 30 * time.Second},
		{"no-store wins", []string{"Cache-Control", "max-age=600, no-store"}, 30 * time.Second},
		{"twice", []string{"Cache-Control", "max-age=600, max-age=60"}, time.Minute},
		{"twice, the shorter first", []string{"Cache-Control", "max-age=60, max-age=600"}, time.Minute},
		{"negative", []string{"Cache-Control", "max-age=-5"}, 30 * time.Second},
		{"not a number", []string{"Cache-Control", "max-age=soon"}, 30 * time.Second},
		{"beyond the limit", []string{"Cache-Control", "max-age=18446744073709551616"}, 24*time.Hour - time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				stays := newKey(t, "stays")
				f.set(serves(setOf(t, stays, newKey(t, "goes")), tt.headers...))
				f.want(t, "goes", nil)
				f.set(slow(time.Second, serves(setOf(t, stays), tt.headers...)))
				time.Sleep(tt.want - 1)
				f.want(t, "goes", nil)
				synctest.Wait()
				if f.requests() != 1 {
					t.Fatal("fetched before its time")
				}
				if tt.want >= 24*time.Hour-time.Second {
					return // LastGood ends there
				}
				time.Sleep(time.Nanosecond)
				begin := time.Now()
				for range 100 {
					f.want(t, "goes", nil)
				}
				synctest.Wait()
				if time.Since(begin) != 0 || f.requests() != 2 {
					t.Fatalf("waited %v, %d requests", time.Since(begin), f.requests())
				}
				time.Sleep(time.Second)
				synctest.Wait()
				f.want(t, "stays", nil)
				f.want(t, "goes", jwt.ErrKey)
			})
		})
	}
}

func TestETag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.set(serves(kids(t, "a"), "ETag", `"one"`, "Cache-Control", "max-age=60"))
		first, err := f.keys.Key(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		f.set(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("If-None-Match") != `"one"` {
				t.Errorf("If-None-Match is %q", r.Header.Get("If-None-Match"))
			}
			return response(304, "", "Cache-Control", "max-age=3600"), nil
		})
		time.Sleep(time.Minute)
		f.want(t, "b", jwt.ErrKey)
		if got := f.outcome(); got != (remote.Outcome{Reason: "unchanged", Keys: 1}) {
			t.Errorf("outcome %v", got)
		}
		time.Sleep(time.Hour - 1)
		key, err := f.keys.Key(t.Context(), "a")
		synctest.Wait() // for a fetch that it may have begun
		if err != nil || key != first || f.requests() != 2 {
			t.Errorf("after the 304: %v, %v, the same %v, %d requests", key, err, key == first, f.requests())
		}
		time.Sleep(23 * time.Hour) // a 304 is an answer: the limit counts from it
		f.set(down)
		f.want(t, "a", nil)
	})
}

// An answer of 304 to a question without an ETag says nothing.
func TestNotModifiedUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.set(func(*http.Request) (*http.Response, error) { return response(304, ""), nil })
		f.want(t, "a", remote.ErrUnavailable)
		if got := f.outcome().Reason; got != "status" {
			t.Errorf("outcome %q", got)
		}
	})
}

// A key that stays in the set stays the same, so that verified tokens stay cached over a rotation. Another key
// under its name does not.
func TestKeysStayTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		a, b := newKey(t, "a"), newKey(t, "b")
		f.set(serves(setOf(t, a, b)))
		f.want(t, "a", nil)
		keyA, _ := f.keys.Key(t.Context(), "a")
		keyB, _ := f.keys.Key(t.Context(), "b")
		f.set(serves(setOf(t, newKey(t, "b"), newKey(t, "c"), a)))
		time.Sleep(31 * time.Second)
		f.want(t, "c", nil)
		if after, _ := f.keys.Key(t.Context(), "a"); after != keyA {
			t.Error("the same key was made anew")
		}
		if after, _ := f.keys.Key(t.Context(), "b"); after == keyB {
			t.Error("another key under the old name is taken for the old one")
		}
	})
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.set(serves(kids(t, "a"), "Cache-Control", "max-age=300"))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := f.keys.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if f.requests() != 1 {
			t.Fatalf("%d requests at the start, want 1", f.requests())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := f.requests(); got != 13 {
			t.Errorf("%d requests in an hour, want one each 5 minutes", got)
		}
		f.set(down)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := f.requests(); got != 13+111 {
			t.Errorf("%d requests after an hour down, want one each 30 s once it is due", got)
		}
		f.want(t, "a", nil)
		f.set(slow(10*time.Second, down))
		for n := f.requests(); f.requests() == n; {
			time.Sleep(time.Second)
		}
		cancel()
		wg.Wait()
		f.wantOver(t)
	})
}

// However long an answer says that it holds, the set is fetched when its limit comes, and not used beyond it.
func TestLastGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *remote.Config) { c.LastGood = time.Hour })
		f.set(serves(kids(t, "a"), "Cache-Control", "max-age=31536000"))
		var wg sync.WaitGroup
		wg.Go(func() { _ = f.keys.Run(t.Context()) }) // ends with the set
		time.Sleep(time.Hour + time.Second)
		if got := f.requests(); got != 2 {
			t.Errorf("%d requests, want the first and one after an hour", got)
		}
		f.set(down)
		time.Sleep(time.Hour)
		f.want(t, "a", remote.ErrUnavailable)
		if err := f.keys.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

// Close ends what is under way, and nothing is fetched after it.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.set(serves(kids(t, "a")))
		f.want(t, "a", nil)
		time.Sleep(31 * time.Second)
		f.set(slow(time.Hour, down))
		var wg sync.WaitGroup
		wg.Go(func() { f.want(t, "b", remote.ErrUnavailable) })
		synctest.Wait()
		wg.Go(func() { _ = f.keys.Run(t.Context()) }) // ends with the set
		begin := time.Now()
		if err := f.keys.Close(); err != nil || time.Since(begin) != 0 {
			t.Errorf("Close: %v after %v", err, time.Since(begin))
		}
		f.wantOver(t)
		wg.Wait()
		time.Sleep(time.Hour)
		f.want(t, "a", nil)
		f.want(t, "b", remote.ErrUnavailable)
		if f.requests() != 2 {
			t.Errorf("%d requests, want 2", f.requests())
		}
	})
}

// A set that is closed cannot say that there is no such key, however good its last fetch was.
func TestClosedAfterGoodFetch(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.set(serves(kids(t, "a")))
	f.want(t, "b", jwt.ErrKey)
	if err := f.keys.Close(); err != nil {
		t.Error(err)
	}
	f.want(t, "a", nil)
	f.want(t, "b", remote.ErrUnavailable)
}

// Nothing of a token and no part of the URL goes into the log, which gets one record for each failed fetch.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var records recorder
		f := newFixture(t, func(c *remote.Config) { c.URL += "?token=hunter2"; c.Logger = records.logger() })
		for range 3 {
			f.want(t, "kid-of-a-stranger", remote.ErrUnavailable)
		}
		text := records.String()
		if strings.Count(text, "\n") != 1 || !strings.Contains(text, "no route to host") ||
			strings.Contains(text, "hunter2") || strings.Contains(text, "kid-of-a-stranger") {
			t.Errorf("log: %s", text)
		}
	})
}
