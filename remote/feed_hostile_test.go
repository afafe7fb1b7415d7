package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/remote"
)

// Attack_F13: whatever a server answers, it is bounded, refused as a whole, reported with its reason, and
// proves nothing. NONCE stands for the question's.
func TestAttack_F13_HostileFeed(t *testing.T) {
	t.Parallel()
	internal := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the internal host was asked") }))
	defer internal.Close()
	const good = `{"nonce":"NONCE","lineage":"a","snapshot":true,"entries":[{"kind":"session","id":"evil","expires":4000000000}],"next":"a.1","more":false,"age_ms":0}`
	text := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			typed("application/json", strings.ReplaceAll(text, "NONCE", r.URL.Query().Get("nonce")))(w, r)
		}
	}
	with := func(old, other string) http.HandlerFunc {
		if !strings.Contains(good, old) {
			t.Errorf("%s is not in the answer", old)
		}
		return text(strings.Replace(good, old, other, 1))
	}
	entries := func(list string) http.HandlerFunc {
		return with(`[{"kind":"session","id":"evil","expires":4000000000}]`, list)
	}
	for _, tt := range []struct {
		name, reason string
		handler      http.HandlerFunc
	}{
		{"good", "ok", text(good)},
		{"100 MB", "size", endless(100 << 20)},
		{"a byte over 1 MiB", "size", text(good + strings.Repeat(" ", 1<<20+1-len(good)))},
		{"gzip bomb", "type", bomb},
		{"redirect", "status", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, internal.URL, http.StatusFound) }},
		{"permanent redirect", "status", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, internal.URL, http.StatusPermanentRedirect)
		}},
		{"304", "status", status(304, "")},
		{"204", "status", status(204, "")},
		{"206", "status", status(206, good)},
		{"500 with an answer", "status", status(500, good)},
		{"401", "denied", status(401, good)},
		{"403", "denied", status(403, good)},
		{"HTML", "type", typed("text/html", "<html>log in</html>")},
		{"stream", "type", typed("text/event-stream", ": doorward\n\n")},
		{"no type", "type", typed("", good)},
		{"HTML as JSON", "content", text("<html>log in</html>")},
		{"nothing", "content", text("")},
		{"null", "content", text("null")},
		{"list", "content", text("[" + good + "]")},
		{"empty object", "content", text("{}")},
		{"two answers", "content", text(good + good)},
		{"deep", "content", entries(strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000))},
		{"nonce of another question", "content", with("NONCE", "0123456789abcdef")},
		{"no nonce", "content", with(`"nonce":"NONCE",`, "")},
		{"nonce twice", "content", with(`"nonce":"NONCE"`, `"nonce":"x","nonce":"NONCE"`)},
		{"no lineage", "content", with(`"lineage":"a",`, "")},
		{"empty lineage", "content", with(`"lineage":"a"`, `"lineage":""`)},
		{"long lineage", "content", with(`"lineage":"a"`, `"lineage":"`+strings.Repeat("a", 129)+`"`)},
		{"no next", "content", with(`"next":"a.1",`, "")},
		{"next with a space", "content", with(`"a.1"`, `"a 1"`)},
		{"long next", "content", with(`"a.1"`, `"`+strings.Repeat("a", 4097)+`"`)},
		{"snapshot is a word", "content", with(`"snapshot":true`, `"snapshot":"true"`)},
		{"no more", "content", with(`"more":false,`, "")},
		{"no age", "content", with(`,"age_ms":0`, "")},
		{"negative age", "content", with(`"age_ms":0`, `"age_ms":-60000`)},
		{"age of a fraction", "content", with(`"age_ms":0`, `"age_ms":0.5`)},
		{"age is a word", "content", with(`"age_ms":0`, `"age_ms":"0"`)},
		{"age that wraps", "content", with(`"age_ms":0`, `"age_ms":18446744073709551616`)},
		{"time is a word", "content", with(`"age_ms":0`, `"age_ms":0,"now":"0"`)},
		{"time before 1970", "content", with(`"age_ms":0`, `"age_ms":0,"now":-1`)},
		{"time of a fraction", "content", with(`"age_ms":0`, `"age_ms":0,"now":0.5`)},
		{"time after all years", "content", with(`"age_ms":0`, `"age_ms":0,"now":18446744073709551616`)},
		{"entries is an object", "content", entries(`{}`)},
		{"entries is null", "content", entries(`null`)},
		{"entry is a word", "content", entries(`["session"]`)},
		{"entry without a kind", "content", entries(`[{"id":"x"}]`)},
		{"kind is a number", "content", entries(`[{"kind":1,"id":"x"}]`)},
		{"kind twice", "content", entries(`[{"kind":"session","kind":"key","id":"x"}]`)},
		{"session without an id", "content", entries(`[{"kind":"session"}]`)},
		{"subject without an id", "content", entries(`[{"kind":"subject","id":"","before":"x"}]`)},
		{"expires is a word", "content", entries(`[{"kind":"session","id":"x","expires":"soon"}]`)},
		{"expires before 1970", "content", entries(`[{"kind":"session","id":"x","expires":-1}]`)},
		{"pages without entries", "content", text(strings.NewReplacer(`"more":false`, `"more":true`, `{"kind":"session","id":"evil","expires":4000000000}`, "").Replace(good))},
		{"cut short", "network", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", fmt.Sprint(len(good)+1))
			_, _ = io.WriteString(w, good)
		}},
		{"endless headers", "network", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Pad", strings.Repeat("x", 128<<10))
			_, _ = io.WriteString(w, good)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			host := httptest.NewServer(tt.handler)
			defer host.Close()
			feed, outcome := firstOutcome(t, host.URL)
			if outcome.Reason != tt.reason {
				t.Errorf("outcome %v, want %q", outcome, tt.reason)
			}
			ended := feed.Check(&doorward.Claims{SessionID: "evil"})
			if (tt.reason == "ok") != (feed.Ready() == nil) || (tt.reason == "ok") != errors.Is(ended, doorward.ErrRevoked) {
				t.Errorf("Ready: %v; Check: %v", feed.Ready(), ended)
			}
		})
	}
}

// firstOutcome runs a feed until its first question has ended.
func firstOutcome(t *testing.T, url string) (*remote.Feed, remote.FeedOutcome) {
	t.Helper()
	outcomes := make(chan remote.FeedOutcome, 100)
	feed, err := remote.NewFeed(remote.FeedConfig{
		URL: url, ClientID: "dwc_a", ClientSecret: "dws_b", NoStream: true, Logger: slog.New(slog.DiscardHandler),
		Observe: func(o remote.FeedOutcome) {
			select {
			case outcomes <- o:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- feed.Run(ctx) }()
	first := <-outcomes
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return feed, first
}

// Attack_F13: pages that go on for ever, or in a circle, end; meanwhile nothing is vouched for.
func TestAttack_F13_CursorLoops(t *testing.T) {
	for name, next := range map[string]func(n int) string{
		"the same":  func(int) string { return "a.1" },
		"a circle":  func(n int) string { return fmt.Sprint("a.", n%3) },
		"for ever":  func(n int) string { return fmt.Sprint("a.", n) },
		"backwards": func(n int) string { return fmt.Sprint("a.", 1e9-n) },
	} {
		t.Run(name, func(t *testing.T) {
			inFeed(t, func(cfg *remote.FeedConfig, i *issuerFeed) {
				n := 0
				cfg.MaxEntries, i.delay = 50, time.Millisecond
				i.entries = []string{session("s")}
				i.change = func(a map[string]any) {
					n++
					a["more"], a["next"], a["entries"] = true, next(n), []any{map[string]any{"kind": "session", "id": "s"}}
				}
			}, func(f *feedFixture) {
				pass(2 * time.Minute)
				f.want("x", doorward.ErrStale)
				if n := f.questions(); n > 120*60 || f.feed.Len() > 50 {
					t.Errorf("%d questions, %d entries", n, f.feed.Len())
				}
			})
		})
	}
}

// Attack_F13: a server that sends a byte now and then holds nobody up for more than five seconds a question.
func TestAttack_F13_Slowloris(t *testing.T) {
	inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) {
		i.instead = func(r *http.Request) (*http.Response, error) { return dripResponse(r), nil }
		i.streams = func(r *http.Request) (*http.Response, error) {
			resp := dripResponse(r)
			resp.Header.Set("Content-Type", "text/event-stream")
			return resp, nil
		}
	}, func(f *feedFixture) {
		pass(5 * time.Second)
		if r := f.reasons(); len(r) != 1 || r[0] != "network" {
			t.Errorf("after five seconds: %v", r)
		}
		f.with(func() { f.instead = nil })
		pass(10 * time.Second)
		f.want("x", nil)
		pass(40 * time.Second)
		if r := f.reasons(); !strings.Contains(strings.Join(r, " "), "stream") {
			t.Errorf("the stream was not given up: %v", r)
		}
	})
}

// A feed over real sockets leaves no goroutine and no connection behind, whatever was under way.
func TestFeedLeavesNothing(t *testing.T) {
	hang := make(chan struct{})
	host := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	before := goleak.IgnoreCurrent()
	closed := make(chan struct{}, 100)
	host.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed <- struct{}{}
		}
	}
	host.Start()
	feed, err := remote.NewFeed(remote.FeedConfig{URL: host.URL, ClientID: "dwc_a", ClientSecret: "dws_b", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := feed.Run(ctx); err != nil {
		t.Error(err)
	}
	<-closed
	close(hang)
	host.Close()
	goleak.VerifyNone(t, before)
}
