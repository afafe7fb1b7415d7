package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Attack_C16, at the stream of revocations: readers that take one byte a second cost the server a bounded amount of
// memory and nobody else any time. They are cut while revocations come by the thousand, and know everything once
// they have asked again.
func TestAttack_C16_SlowFollowers(t *testing.T) {
	t.Parallel()
	const readers, rounds, each = 8, 10, 15_000
	s, _, metrics := serveMetrics(t)
	f := &following{server: s, metrics: metrics}
	f.id, f.secret = addClient(t, s.dir)
	start := f.ask(t, "")
	var slow []net.Conn
	for range readers {
		slow = append(slow, f.crawl(t, start.Next))
	}
	heard := f.listen(t, start.Next)
	f.awaitStreams(t, readers+1)
	before := memory(t, s.cmd.Process.Pid, "VmHWM")

	var worst time.Duration
	for round := range rounds {
		addRevocations(t, filepath.Join(s.dir, "doorward.db"), 1+round*each, each)
		begun := time.Now()
		for tick := time.Tick(time.Millisecond); heard.Load() < int64((round+1)*each); <-tick {
			if time.Since(begun) > 20*time.Second {
				t.Fatalf("a reader that is quick has %d entries of %d", heard.Load(), (round+1)*each)
			}
		}
		worst = max(worst, time.Since(begun))
	}
	f.awaitStreams(t, 1)
	grown := memory(t, s.cmd.Process.Pid, "VmHWM") - before
	t.Logf("%d entries beside %d slow readers: a quick one had %d of them after %v at most; the server's memory grew by %d MiB",
		rounds*each, readers, each, worst.Round(time.Millisecond), grown)
	if grown > 96 {
		t.Errorf("the server's memory grew by %d MiB", grown)
	}
	for _, conn := range slow {
		_ = conn.Close()
	}
	found := map[string]bool{}
	page := f.ask(t, start.Next)
	for {
		for _, e := range page.Entries {
			found[e.ID] = true
		}
		if !page.More {
			break
		}
		page = f.ask(t, page.Next)
	}
	if len(found) != rounds*each {
		t.Errorf("a slow reader that asks again hears of %d sessions, want %d", len(found), rounds*each)
	}
	again := f.listen(t, page.Next)
	addRevocations(t, filepath.Join(s.dir, "doorward.db"), 1+rounds*each, 1)
	if eventually(func() bool { return again.Load() == 1 }) != nil {
		t.Errorf("it hears of %d more on its next stream, want 1", again.Load())
	}
}

// following is a client that follows a server's revocations.
type following struct {
	server     *process
	id, secret string
	metrics    string
}

// feedPage is an answer of /revocations.
type feedPage struct {
	Entries []struct{ ID string }
	Next    string
	More    bool
}

func (f *following) request(ctx context.Context, after string) *http.Request {
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, f.server.url+"/revocations", nil) // The URL is good.
	if after != "" {
		r.URL.RawQuery = "after=" + after
	}
	r.SetBasicAuth(f.id, f.secret)
	return r
}

func (f *following) ask(t *testing.T, after string) (page feedPage) {
	t.Helper()
	got, err := exchange(f.request(t.Context(), after))
	if err == nil {
		err = json.Unmarshal([]byte(got.body), &page)
	}
	if err != nil || got.status != 200 {
		t.Fatalf("revocations: %d %.200s, %v", got.status, got.body, err)
	}
	return page
}

// crawl opens a stream and reads one byte of it a second.
func (f *following) crawl(t *testing.T, after string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(f.server.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	r := f.request(t.Context(), after)
	r.Header.Set("Accept", "text/event-stream")
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for range time.Tick(time.Second) {
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		reading.Wait()
	})
	return conn
}

// listen opens a stream, reads it as fast as it comes, and counts its entries.
func (f *following) listen(t *testing.T, after string) *atomic.Int64 {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := f.request(ctx, after)
	r.Header.Set("Accept", "text/event-stream")
	res, err := (&http.Client{}).Do(r)
	if err != nil || res.StatusCode != 200 {
		stop()
		t.Fatal(err, res)
	}
	var heard atomic.Int64
	var reading sync.WaitGroup
	reading.Go(func() {
		lines := bufio.NewReaderSize(res.Body, 1<<20)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			heard.Add(int64(strings.Count(line, `"kind"`)))
		}
	})
	t.Cleanup(func() {
		stop()
		reading.Wait()
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	})
	return &heard
}

// awaitStreams waits until so many streams are open.
func (f *following) awaitStreams(t *testing.T, want int) {
	t.Helper()
	begun := time.Now()
	for tick := time.Tick(20 * time.Millisecond); ; <-tick {
		open := scrape(t, f.metrics).values["doorward_feed_followers"]
		if open == float64(want) {
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%v streams are open, want %d", open, want)
		}
	}
}
