package remote_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/remote"
)

const feedURL = "https://id.example/revocations"

// issuerFeed answers in memory as docs/revocations.md says, and otherwise when a test wants so.
type issuerFeed struct {
	mu       sync.Mutex
	lineage  string
	entries  []string // JSON; a cursor is how many there are
	limit    int      // entries of a page
	age      time.Duration
	delay    time.Duration // of each answer
	change   func(answer map[string]any)
	instead  func(r *http.Request) (*http.Response, error) // of answers
	streams  func(r *http.Request) (*http.Response, error)
	asked    []time.Time
	queries  []string
	position map[string]int
}

func newIssuerFeed() *issuerFeed { return &issuerFeed{lineage: "a", limit: 1000, streams: down} }

func (i *issuerFeed) with(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

func (i *issuerFeed) revoke(entries ...string) {
	i.with(func() { i.entries = append(i.entries, entries...) })
}

func (i *issuerFeed) questions() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.asked)
}

func (i *issuerFeed) RoundTrip(r *http.Request) (*http.Response, error) {
	id, secret, ok := r.BasicAuth()
	if !ok || id != "dwc_a" || secret != "dws_b" {
		return response(401, `{"error":"invalid_client"}`), nil
	}
	i.mu.Lock()
	if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		open := i.streams
		i.mu.Unlock()
		return open(r)
	}
	i.asked, i.queries = append(i.asked, time.Now()), append(i.queries, r.URL.RawQuery)
	delay, instead := i.delay, i.instead
	i.mu.Unlock()
	answer := i.answer
	if instead != nil {
		answer = instead
	}
	if delay > 0 {
		return slow(delay, answer)(r)
	}
	return answer(r)
}

// answer is a page. Its cursors are LINEAGE.N, and LINEAGE.N.END inside a sequence.
func (i *issuerFeed) answer(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	from, end, after := 0, len(i.entries), r.URL.Query().Get("after")
	snapshot := true
	if rest, ok := strings.CutPrefix(after, i.lineage+"."); ok {
		if n, err := fmt.Sscanf(rest, "%d.%d", &from, &end); n >= 1 && (err == nil || n == 1) && from <= len(i.entries) {
			snapshot = strings.HasSuffix(rest, ".s")
		}
		if n := strings.Count(rest, "."); n == 0 {
			end = len(i.entries)
		}
	}
	if from > len(i.entries) {
		from, end, snapshot = 0, len(i.entries), true
	}
	to := min(from+i.limit, end)
	a := map[string]any{
		"nonce": r.URL.Query().Get("nonce"), "lineage": i.lineage, "snapshot": snapshot, "age_ms": i.age.Milliseconds(),
		"more": to < end, "next": fmt.Sprintf("%s.%d", i.lineage, to),
		"entries": json.RawMessage("[" + strings.Join(i.entries[from:to], ",") + "]"), "later": map[string]any{"x": nil},
	}
	if to < end {
		a["next"] = fmt.Sprintf("%s.%d.%d.s", i.lineage, to, end)
	}
	if i.change != nil {
		i.change(a)
	}
	text, err := json.Marshal(a)
	return response(200, string(text)), err
}

// session is an entry that ends a session, for an hour.
func session(id string) string {
	return fmt.Sprintf(`{"kind":"session","id":%q,"expires":%d}`, id, time.Now().Add(time.Hour).Unix())
}

// feedFixture is a feed that runs, and what it says.
type feedFixture struct {
	*testing.T
	*issuerFeed
	feed     *remote.Feed
	log      recorder
	mu       sync.Mutex
	outcomes []remote.FeedOutcome
	stop     func()
}

// inFeed runs a test in a bubble with a feed that follows a server of the test's own.
func inFeed(t *testing.T, change func(*remote.FeedConfig, *issuerFeed), test func(f *feedFixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &feedFixture{T: t, issuerFeed: newIssuerFeed()}
		cfg := remote.FeedConfig{
			URL: feedURL, ClientID: "dwc_a", ClientSecret: "dws_b", Transport: f.issuerFeed, Logger: f.log.logger(),
			Observe: func(o remote.FeedOutcome) {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.outcomes = append(f.outcomes, o)
			},
		}
		if change != nil {
			change(&cfg, f.issuerFeed)
		}
		feed, err := remote.NewFeed(cfg)
		if err != nil {
			t.Fatal(err)
		}
		f.feed = feed
		done := make(chan error)
		ctx, cancel := contextOf(t)
		go func() { done <- feed.Run(ctx) }()
		f.stop = func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		test(f)
		f.stop()
		if strings.Contains(f.log.String(), "dws_b") {
			t.Error("the secret is in the log")
		}
	})
}

func (f *feedFixture) reasons() (list []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.outcomes {
		list = append(list, o.Reason)
	}
	return list
}

// want asks for a token of a session.
func (f *feedFixture) want(sid string, want error) {
	f.Helper()
	err := f.feed.Check(&doorward.Claims{Subject: "ann", SessionID: sid, ClientID: "doorward", KeyID: "k"})
	if !errors.Is(err, want) || want == nil && err != nil {
		f.Errorf("session %s: %v, want %v", sid, err, want)
	}
	if ready := f.feed.Ready(); errors.Is(want, doorward.ErrStale) != (ready != nil) && !errors.Is(want, doorward.ErrRevoked) {
		f.Errorf("Ready: %v", ready)
	}
}

// pass lets the bubble's clock go on.
func pass(d time.Duration) {
	time.Sleep(d) // in the bubble
	synctest.Wait()
}

// eventStream answers with a stream that the test writes.
func eventStream() (open func(*http.Request) (*http.Response, error), write func(text string) bool, places func() []string) {
	var mu sync.Mutex
	var at []string
	var w *io.PipeWriter
	open = func(r *http.Request) (*http.Response, error) {
		body, writer := io.Pipe()
		mu.Lock()
		at, w = append(at, r.URL.Query().Get("after")), writer
		mu.Unlock()
		go func() {
			<-r.Context().Done()
			_ = writer.CloseWithError(r.Context().Err())
		}()
		resp := response(200, "", "Content-Type", "text/event-stream")
		resp.Body = body
		return resp, nil
	}
	write = func(text string) bool {
		mu.Lock()
		defer mu.Unlock()
		if w == nil {
			return false
		}
		_, err := io.WriteString(w, text)
		return err == nil
	}
	places = func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), at...)
	}
	return open, write, places
}

func eventText(lineage, after, next string, entries ...string) string {
	return fmt.Sprintf("event: revocations\nid: %s\ndata: {\"lineage\":%q,\"after\":%q,\"next\":%q,\"entries\":[%s],\"later\":{\"x\":null}}\n\n",
		next, lineage, after, next, strings.Join(entries, ","))
}
