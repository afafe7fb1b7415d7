package remote_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/remote"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func TestFeed(t *testing.T) {
	const before = "0199f3c2-7d5a-7c32-8f10-5c2d9e0a4b61"
	inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) { i.entries = []string{session("s1")} }, func(f *feedFixture) {
		f.want("s1", doorward.ErrRevoked)
		f.want("s2", nil)
		f.revoke(session("s2"))
		f.want("s2", nil)
		pass(5 * time.Second)
		f.want("s2", doorward.ErrRevoked)
		for _, tt := range []struct {
			entry  string
			ends   doorward.Claims
			spares doorward.Claims
		}{
			{
				`{"kind":"subject","id":"bob","before":"` + before + `","expires":4000000000}`,
				doorward.Claims{Subject: "bob", SessionID: "0199f3c2-7d5a-7c32-8f10-5c2d9e0a4b60"},
				doorward.Claims{Subject: "bob", SessionID: before},
			},
			{
				`{"kind":"subject","id":"cid","before":"?","expires":4000000000}`,
				doorward.Claims{Subject: "cid", SessionID: "ffffffff-ffff-7fff-bfff-fffffffffffe"},
				doorward.Claims{Subject: "dan"},
			},
			{
				`{"kind":"client","id":"dwc_x","before":"` + before + `","expires":4000000000}`,
				doorward.Claims{ClientID: "dwc_x"},
				doorward.Claims{ClientID: "dwc_x", SessionID: before},
			},
			{`{"kind":"key","id":"k1"}`, doorward.Claims{KeyID: "k1"}, doorward.Claims{KeyID: "k2"}},
			{
				`{"kind":"all","before":"` + before + `","expires":4000000000}`,
				doorward.Claims{SessionID: "0199f3c2-7d5a-7c32-8f10-000000000000"},
				doorward.Claims{SessionID: "0199f3c2-7d5a-7c32-8f10-5c2d9e0a4b62"},
			},
		} {
			if f.feed.Check(&tt.ends) != nil || f.feed.Check(&tt.spares) != nil {
				t.Errorf("%s: refused too early", tt.entry)
			}
			f.revoke(tt.entry)
			pass(5 * time.Second)
			if !errors.Is(f.feed.Check(&tt.ends), doorward.ErrRevoked) || f.feed.Check(&tt.spares) != nil {
				t.Errorf("%s: %v, %v", tt.entry, f.feed.Check(&tt.ends), f.feed.Check(&tt.spares))
			}
		}
		f.mu.Lock()
		if f.feed.Len() != 7 || !slices.Contains(f.outcomes, remote.FeedOutcome{Reason: "ok", Entries: 7}) {
			t.Errorf("%d entries, and the questions ended as %+v", f.feed.Len(), f.outcomes)
		}
		f.mu.Unlock()
		for n, q := range f.queries[1:] {
			if !strings.HasPrefix(q, "after=a.") || strings.Count(q, "nonce=") != 1 || q == f.queries[n] {
				t.Errorf("question %d: %s after %s", n, q, f.queries[n])
			}
		}
	})
}

// Attack_F13: how fresh a feed is, is counted from when the question was sent, minus what the answer was behind.
func TestAttack_F13_Freshness(t *testing.T) {
	inFeed(t, func(cfg *remote.FeedConfig, i *issuerFeed) {
		i.delay, i.age, cfg.Poll = 3*time.Second, 9*time.Second, 30*time.Second
	}, func(f *feedFixture) {
		if age := f.feed.Age(); age != math.MaxInt64 {
			t.Errorf("age %v before the first answer", age)
		}
		f.want("s", doorward.ErrStale)
		pass(3 * time.Second)
		if age := f.feed.Age(); age != 12*time.Second {
			t.Errorf("age %v: the question was sent 3 s ago, and the answer was 9 s behind", age)
		}
		f.with(func() { f.instead = down })
		pass(48 * time.Second)
		f.want("s", nil)
		pass(time.Nanosecond)
		f.want("s", doorward.ErrStale)
		f.with(func() { f.instead, f.age = nil, 60*time.Second })
		pass(10 * time.Minute)
		f.want("s", doorward.ErrStale) // every answer is too far behind
		f.with(func() { f.age = 0 })
		pass(35 * time.Second)
		f.want("s", nil)
	})
}

// Attack_F13: whatever a stream brings, it makes nothing fresher: neither heartbeats nor events nor that it is open.
func TestAttack_F13_StreamRenewsNothing(t *testing.T) {
	open, write, _ := eventStream()
	inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) { i.streams = open }, func(f *feedFixture) {
		f.with(func() { f.instead = down })
		for n := range 12 {
			pass(5 * time.Second)
			if !write(":\n\n") || !write(eventText("a", fmt.Sprintf("a.%d", n), fmt.Sprintf("a.%d", n+1), session(fmt.Sprint("t", n)))) {
				t.Fatalf("the stream has ended after %d", n)
			}
		}
		pass(time.Millisecond)
		f.want("t11", doorward.ErrRevoked)
		f.want("s", doorward.ErrStale)
		if log := f.log.String(); strings.Count(log, `msg="revocations are out of date`) != 1 || strings.Count(log, "revocations not heard") != 1 {
			t.Errorf("the log says:\n%s", log)
		}
		f.with(func() { f.instead = nil })
		pass(5 * time.Second)
		f.want("s", nil)
		if log := f.log.String(); strings.Count(log, "revocations are up to date") != 2 || strings.Count(log, "revocations are heard again") != 1 {
			t.Errorf("the log says:\n%s", log)
		}
	})
}

// A stream brings news at once, and moves the place from which questions go on.
func TestFeedStream(t *testing.T) {
	open, write, places := eventStream()
	inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) { i.streams, i.entries = open, []string{session("s1")} }, func(f *feedFixture) {
		write(": doorward\r\n\r\n" + strings.ReplaceAll(eventText("a", "a.1", "a.1"), "\n", "\r\n"))
		write("event: later\ndata: ?\n\n" + eventText("a", "a.1", "a.2", session("s2")))
		pass(0)
		f.want("s2", doorward.ErrRevoked)
		f.revoke(session("s2"), session("s3"))
		pass(5 * time.Second)
		if last := f.queries[len(f.queries)-1]; !strings.HasPrefix(last, "after=a.2&") {
			t.Errorf("asked %s", last)
		}
		f.want("s3", doorward.ErrRevoked)
		for n, tt := range []struct{ name, text string }{
			{"gap", eventText("a", "a.9", "a.10", session("gap"))},
			{"another history", eventText("b", "a.3", "b.1", session("other"))},
			{"resync", "event: resync\ndata: {}\n\n"},
			{"garbage", "event: revocations\ndata: {]\n\n"},
			{"no next", "event: revocations\ndata: {\"lineage\":\"a\",\"after\":\"a.3\",\"entries\":[]}\n\n"},
			{"long next", eventText("a", "a.3", strings.Repeat("a", 4097))},
			{"endless line", "data: " + strings.Repeat("x", 2<<20)},
			{"endless event", strings.Repeat("data: "+strings.Repeat("x", 1<<19)+"\n", 4)},
		} {
			asked := f.questions()
			write(tt.text)
			pass(0)
			if got := f.questions(); got != asked+1 {
				t.Errorf("%s: asked %d times at once, want once", tt.name, got-asked)
			}
			for seconds := 0; len(places()) < n+2 && seconds < 35; seconds++ {
				pass(time.Second)
			}
			if at := places(); len(at) != n+2 || at[n+1] != "a.3" {
				t.Errorf("%s: streams from %v", tt.name, at)
			}
			write(eventText("a", "a.3", "a.3"))
		}
		f.want("gap", doorward.ErrRevoked) // what came, came
		f.want("other", nil)
		if slices.Contains(f.reasons(), "network") || !slices.Contains(f.reasons(), "stream") {
			t.Errorf("outcomes %v", f.reasons())
		}
	})
}

// Attack_F13: a proxy that holds the stream back, one that cuts it and one that lets nothing through: the questions go on.
// What comes in the place of a stream is not heard, whatever it looks like.
func TestFeedStreamThatNeverComes(t *testing.T) {
	evil := eventText("a", "a.1", "a.2", `{"kind":"session","id":"evil","expires":4000000000}`)
	for name, open := range map[string]func(*http.Request) (*http.Response, error){
		"held back": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"silent": func(r *http.Request) (*http.Response, error) {
			open, _, _ := eventStream()
			return open(r)
		},
		"cut":     serves(": doorward\n\n", "Content-Type", "text/event-stream"),
		"no type": serves(evil),
		"busy": func(*http.Request) (*http.Response, error) {
			return response(503, evil, "Content-Type", "text/event-stream"), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) { i.streams = open }, func(f *feedFixture) {
				for n := range 60 {
					f.revoke(session(fmt.Sprint("s", n)))
					pass(5 * time.Second)
					f.want(fmt.Sprint("s", n), doorward.ErrRevoked)
				}
				if n := f.questions(); n > 60*4/3+1 {
					t.Errorf("%d questions in 5 minutes", n)
				}
				f.want("evil", nil)
				if !slices.Contains(f.reasons(), "stream") {
					t.Errorf("the stream was not given up: %v", f.reasons())
				}
			})
		})
	}
}

// A snapshot comes in pages; it counts from its first one, and goes on where a failure broke it off.
func TestFeedPages(t *testing.T) {
	inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) {
		i.limit, i.delay = 100, time.Second
		for n := range 950 {
			i.entries = append(i.entries, session(fmt.Sprint("s", n)))
		}
	}, func(f *feedFixture) {
		pass(5500 * time.Millisecond)
		f.want("s499", doorward.ErrRevoked)
		f.want("s500", doorward.ErrStale)
		f.with(func() { f.instead = down })
		pass(1500 * time.Millisecond)
		f.with(func() { f.instead = nil })
		f.revoke(session("late"))
		pass(10 * time.Second)
		f.want("s949", doorward.ErrRevoked)
		f.want("s950", nil)
		f.want("late", doorward.ErrRevoked)
		if n := strings.Count(strings.Join(f.queries, " "), "after=a.600."); n < 2 || strings.Count(strings.Join(f.queries, " "), "after=a.400.") != 1 {
			t.Errorf("the page was not asked for again alone: %v", f.queries)
		}
	})
}

func TestFeedPagesCountFromTheFirst(t *testing.T) {
	inFeed(t, func(cfg *remote.FeedConfig, i *issuerFeed) {
		i.limit, i.delay, cfg.Poll = 1, 4*time.Second, 30*time.Second
		for n := range 10 {
			i.entries = append(i.entries, session(fmt.Sprint("s", n)))
		}
	}, func(f *feedFixture) {
		pass(40 * time.Second)
		if age := f.feed.Age(); age != 40*time.Second {
			t.Errorf("age %v, the first page was asked for 40 s ago", age)
		}
		pass(4 * time.Second) // it asks at once for what came meanwhile
		if age := f.feed.Age(); age != 4*time.Second {
			t.Errorf("age %v", age)
		}
	})
}

// Attack_F13: another history, and one that has lost something, are read anew; what was revoked stays revoked meanwhile and after.
func TestFeedHistoryChanges(t *testing.T) {
	inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) {
		i.entries = []string{session("s1"), session("s2"), session("s3")}
	}, func(f *feedFixture) {
		f.with(func() { f.entries = f.entries[:1] }) // a backup was restored
		pass(5 * time.Second)
		f.want("s3", doorward.ErrRevoked)
		if log := f.log.String(); !strings.Contains(log, "cannot go on from here") || strings.Contains(log, "another history") {
			t.Error(log)
		}
		f.with(func() { f.lineage, f.limit, f.entries = "b", 1, []string{session("n1"), session("n2")} })
		pass(5 * time.Second)
		for _, sid := range []string{"s1", "s2", "s3", "n1", "n2"} {
			f.want(sid, doorward.ErrRevoked)
		}
		f.want("other", nil)
		if log := f.log.String(); strings.Count(log, "another history") != 1 {
			t.Error(log)
		}
		f.with(func() { f.change = func(a map[string]any) { a["lineage"], a["snapshot"] = "c", false } })
		pass(5 * time.Second)
		f.with(func() { f.change = nil })
		pass(5 * time.Second)
		f.want("other", nil)
		if !slices.Contains(f.reasons(), "history") {
			t.Errorf("outcomes %v", f.reasons())
		}
	})
}

// An entry of a kind that this version does not know may end any token: until it expires nobody can vouch for one.
func TestFeedUnknownKind(t *testing.T) {
	inFeed(t, nil, func(f *feedFixture) {
		f.revoke(session("s1"), fmt.Sprintf(`{"kind":"device","device":{"x":1},"expires":%d}`, time.Now().Add(2*time.Minute).Unix()))
		pass(5 * time.Second)
		f.want("s1", doorward.ErrRevoked)
		f.want("s2", doorward.ErrStale)
		pass(114 * time.Second)
		f.want("s2", doorward.ErrStale)
		pass(2 * time.Second)
		f.want("s2", nil)
		f.revoke(`{"kind":"device"}`)
		pass(24 * time.Hour)
		f.want("s2", doorward.ErrStale)
		f.with(func() { f.lineage, f.entries = "b", nil }) // a history without it
		pass(5 * time.Second)
		f.want("s2", nil)
	})
}

// Attack_F11: the number of entries is bounded. Beyond it the feed goes stale and forgets nothing.
func TestFeedIsBounded(t *testing.T) {
	inFeed(t, func(cfg *remote.FeedConfig, i *issuerFeed) {
		cfg.MaxEntries, i.limit = 100, 30
		for n := range 90 {
			i.entries = append(i.entries, session(fmt.Sprint("s", n)))
		}
	}, func(f *feedFixture) {
		f.want("x", nil)
		for n := range 20 {
			f.revoke(session(fmt.Sprint("t", n)))
		}
		pass(2 * time.Minute)
		f.want("x", doorward.ErrStale)
		f.want("s0", doorward.ErrRevoked)
		if f.feed.Len() > 100 || !slices.Contains(f.reasons(), "size") || strings.Count(f.log.String(), "more than 100 revocations") != 1 {
			t.Errorf("%d entries, %v", f.feed.Len(), f.reasons())
		}
		pass(90 * time.Minute) // the old ones expire
		f.want("x", nil)
	})
}

// A credential that is refused is an alarm, once, and never means that nothing was revoked.
func TestFeedDenied(t *testing.T) {
	for _, status := range []int{401, 403} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			inFeed(t, nil, func(f *feedFixture) {
				f.with(func() {
					f.instead = func(*http.Request) (*http.Response, error) { return response(status, `{"entries":[]}`), nil }
				})
				asked := f.questions()
				pass(2 * time.Minute)
				f.want("s", doorward.ErrStale)
				if n := f.questions() - asked; n < 20 || n > 35 {
					t.Errorf("asked %d times in two minutes", n)
				}
				if log := f.log.String(); strings.Count(log, "refuses this service's credential") != 1 || !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "the scope revocations:read") {
					t.Error(log)
				}
				if r := f.reasons(); r[len(r)-1] != "denied" {
					t.Errorf("outcomes %v", r)
				}
				f.with(func() { f.instead = nil })
				pass(5 * time.Second)
				f.want("s", nil)
			})
		})
	}
}

// Before the first answer there is no age to tell.
func TestFeedDeniedFromTheFirst(t *testing.T) {
	t.Parallel()
	inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) {
		i.instead = func(*http.Request) (*http.Response, error) { return response(401, `{}`), nil }
	}, func(f *feedFixture) {
		f.want("s", doorward.ErrStale)
		if log := f.log.String(); !strings.Contains(log, "refuses this service's credential") || strings.Contains(log, "age=") {
			t.Error(log)
		}
	})
}

// After a failure the waits are random, grow, and stay below the usual pace; a server that says when is heard.
func TestFeedBacksOff(t *testing.T) {
	for _, tt := range []struct {
		name        string
		instead     func(*http.Request) (*http.Response, error)
		least, most int // questions in 100 s
	}{
		{"down", down, 20, 120},
		{"slow", slow(time.Hour, down), 11, 21},
		{"come back in 10 s", func(*http.Request) (*http.Response, error) { return response(503, "", "Retry-After", "10"), nil }, 9, 11},
		{"come back never", func(*http.Request) (*http.Response, error) {
			return response(429, "", "Retry-After", "999999999999999999999"), nil
		}, 3, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) { i.instead = tt.instead }, func(f *feedFixture) {
				pass(100 * time.Second)
				if n := f.questions(); n < tt.least || n > tt.most {
					t.Errorf("asked %d times, want %d to %d", n, tt.least, tt.most)
				}
				gaps := map[time.Duration]bool{}
				for n := range f.asked[1:] {
					gaps[f.asked[n+1].Sub(f.asked[n])] = true
				}
				if len(gaps) < 2 {
					t.Errorf("the waits are all the same: %v", gaps)
				}
			})
		})
	}
}

func TestFeedAsksAtItsPace(t *testing.T) {
	inFeed(t, func(cfg *remote.FeedConfig, _ *issuerFeed) { cfg.NoStream = true }, func(f *feedFixture) {
		pass(100 * time.Second)
		for n := range f.asked[1:] {
			if gap := f.asked[n+1].Sub(f.asked[n]); gap < 3750*time.Millisecond || gap > 5*time.Second {
				t.Errorf("question %d came after %v", n+1, gap)
			}
		}
		asked := f.questions()
		f.stop()
		pass(time.Hour)
		if f.questions() != asked {
			t.Error("asked after its end")
		}
		f.stop = func() {}
	})
}

func TestFeedConfig(t *testing.T) {
	t.Parallel()
	good := remote.FeedConfig{URL: feedURL, ClientID: "dwc_a", ClientSecret: "dws_b"}
	for _, tt := range []struct {
		name, want string
		change     func(*remote.FeedConfig)
	}{
		{"no URL", "URL is required", func(c *remote.FeedConfig) { c.URL = "" }},
		{"http", "URL is not https", func(c *remote.FeedConfig) { c.URL = "http://id.example/revocations" }},
		{"password", "URL has a user name", func(c *remote.FeedConfig) { c.URL = "https://a:b@id.example/" }},
		{"query", "URL has a query", func(c *remote.FeedConfig) { c.URL += "?a=b" }},
		{"no id", "ClientID", func(c *remote.FeedConfig) { c.ClientID = "" }},
		{"id with a colon", "ClientID", func(c *remote.FeedConfig) { c.ClientID = "a:b" }},
		{"no secret", "ClientSecret", func(c *remote.FeedConfig) { c.ClientSecret = "" }},
		{"secret with the line end of its file", "ClientSecret begins or ends with", func(c *remote.FeedConfig) { c.ClientSecret += "\n" }},
		{"staleness", "MaxStaleness", func(c *remote.FeedConfig) { c.MaxStaleness = time.Second }},
		{"negative staleness", "MaxStaleness", func(c *remote.FeedConfig) { c.MaxStaleness = -1 }},
		{"poll", "Poll", func(c *remote.FeedConfig) { c.Poll = 31 * time.Second }},
		{"negative poll", "Poll", func(c *remote.FeedConfig) { c.Poll = -1 }},
		{"entries", "MaxEntries", func(c *remote.FeedConfig) { c.MaxEntries = -1 }},
		{"http allowed", "", func(c *remote.FeedConfig) { c.URL, c.InsecureAllowHTTP = "http://id.example/revocations", true }},
		{"loopback", "", func(c *remote.FeedConfig) { c.URL = "http://127.0.0.1:8080/revocations" }},
		{"shortest", "", func(c *remote.FeedConfig) { c.MaxStaleness = 2 * time.Second }},
	} {
		cfg := good
		tt.change(&cfg)
		f, err := remote.NewFeed(cfg)
		if tt.want == "" {
			if err != nil || f.Ready() == nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || f != nil || !strings.Contains(err.Error(), "remote: FeedConfig."+tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	f, err := remote.NewFeed(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", good, good, good, good), fmt.Sprintf("%v %+v %#v", f, f, f)} {
		if strings.Contains(text, "dws_b") {
			t.Errorf("the secret is printed: %s", text)
		}
	}
}

// A service whose clock is far from the issuer's knows it by the answers, and does not tell people that their tokens are bad.
func TestFeedClockOffset_Attack_G11(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-time.Hour, 0, time.Minute} {
		inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) {
			i.change = func(a map[string]any) { a["now"] = time.Now().Add(ahead).Unix() }
		}, func(f *feedFixture) {
			for range 3 {
				if off := f.feed.ClockOffset(); (off - ahead).Abs() > time.Second {
					t.Errorf("%v ahead, want %v", off, ahead)
				}
				pass(time.Minute)
			}
		})
	}
	inFeed(t, nil, func(f *feedFixture) { // an issuer that does not say it
		f.want("s", nil)
		if off := f.feed.ClockOffset(); off != 0 {
			t.Errorf("%v ahead of an issuer that does not say the time", off)
		}
	})
}
