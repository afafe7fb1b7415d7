package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/issuer"
)

// record is a store's record of cut-offs in memory: a cursor is how many there are.
type record struct {
	mu      sync.Mutex
	entries []doorward.Revocation
	lineage string
	reads   int
	err     error
	before  func() // runs at the end of a read, which has seen nothing of what it does
}

func (r *record) add(ids ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		r.entries = append(r.entries, doorward.Revocation{Kind: doorward.KindSession, ID: id, ExpiresAt: time.Unix(1e10, 1)})
	}
}

func (r *record) RevocationPage(ctx context.Context, after issuer.Cursor, _ int) (feed.Page, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	if r.err != nil {
		return feed.Page{}, r.err
	}
	var n int
	if _, err := fmt.Sscanf(string(after), r.lineage+".%d", &n); err != nil || n > len(r.entries) {
		n = 0
	}
	page := feed.Page{Snapshot: n == 0}
	page.Entries, page.Lineage = slices.Clone(r.entries[n:]), r.lineage
	page.Next = issuer.Cursor(fmt.Sprintf("%s.%d", r.lineage, len(r.entries)))
	if r.before != nil {
		do := r.before
		r.before = nil
		r.mu.Unlock()
		do()
		r.mu.Lock()
	}
	return page, ctx.Err()
}

func (r *record) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reads
}

// follow is what an issuer does: it reads what is new and publishes it.
func (r *record) follow(t *testing.T, f *feed.Feed, after issuer.Cursor) issuer.Cursor {
	t.Helper()
	page, err := r.RevocationPage(t.Context(), after, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Publish(page.RevocationPage)
	return page.Next
}

func newRecord() (*record, *feed.Feed) {
	r := &record{lineage: "a"}
	return r, feed.New(r)
}

// reader applies a stream as a verifier does.
type reader struct {
	t      *testing.T
	stream *feed.Stream
	cursor string
	ids    []string // of all entries that came, in order
}

// newReader begins one of at most limit streams at a cursor, and applies its first event.
func newReader(t *testing.T, f *feed.Feed, at issuer.Cursor, limit int) *reader {
	t.Helper()
	s, err := f.Follow(t.Context(), at, limit)
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, stream: s, cursor: string(at)}
	r.apply(s.First())
	return r
}

func (r *reader) apply(event []byte) {
	r.t.Helper()
	lines := strings.Split(string(event), "\n")
	if len(lines) != 5 || lines[0] != "event: revocations" || lines[3] != "" || lines[4] != "" {
		r.t.Fatalf("event %q", event)
	}
	var e struct {
		Lineage, After, Next string
		Entries              []struct {
			Kind, ID string
			Expires  int64
		}
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[2], "data: ")), &e); err != nil {
		r.t.Fatal(err)
	}
	if e.After != r.cursor || "id: "+e.Next != lines[1] || e.Lineage != "a" {
		r.t.Errorf("event goes on after %q, want %q; next %q, %q", e.After, r.cursor, e.Next, lines[1])
	}
	r.cursor = e.Next
	for _, entry := range e.Entries {
		if entry.Kind != "session" || entry.Expires != 1e10+1 {
			r.t.Errorf("entry %+v", entry)
		}
		r.ids = append(r.ids, entry.ID)
	}
}

// drain applies the events that have come.
func (r *reader) drain() {
	r.t.Helper()
	for {
		select {
		case e, ok := <-r.stream.Events():
			if !ok {
				return
			}
			r.apply(e)
		default:
			return
		}
	}
}

// Questions about one cursor share a read, for a while, and are told how old it is.
func TestReadsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := newRecord()
		r.add("s1")
		r.before = func() { time.Sleep(30 * time.Millisecond) } // in the bubble
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				a, err := f.Read(t.Context(), "", time.Time{})
				if err != nil || a.Age() != 30*time.Millisecond || len(a.Entries) != 1 {
					t.Errorf("age %v, %d entries, %v", a.Age(), len(a.Entries), err)
				}
			})
		}
		all.Wait()
		begun := time.Now()
		for _, step := range []struct {
			wait      time.Duration
			notBefore time.Time
			reads     int
		}{
			{69 * time.Millisecond, time.Time{}, 1},
			{0, begun, 2}, // the one before began too early
			{0, begun, 2},
			{99 * time.Millisecond, time.Time{}, 2},
			{time.Millisecond, time.Time{}, 3},
		} {
			time.Sleep(step.wait)
			if _, err := f.Read(t.Context(), "", step.notBefore); err != nil || r.count() != step.reads {
				t.Errorf("%v: %d reads, %v", step, r.count(), err)
			}
		}
	})
}

// Attack_F12: an error is shared by those who wait for it and kept for nobody.
func TestReadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := newRecord()
		r.err = errors.New("down")
		if _, err := f.Read(t.Context(), "", time.Time{}); !errors.Is(err, r.err) {
			t.Error(err)
		}
		r.err = nil
		if _, err := f.Read(t.Context(), "", time.Time{}); err != nil {
			t.Error(err)
		}
		r.before = func() { time.Sleep(time.Hour) } // in the bubble
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() { _, _ = f.Read(t.Context(), "a.9", time.Time{}) }()
		synctest.Wait()
		begun := time.Now()
		if _, err := f.Read(ctx, "a.9", time.Time{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		time.Sleep(2 * time.Hour)
	})
}

// A stream misses nothing of what is revoked while it begins, and its places are true: whoever asks
// after one has everything before it.
func TestStream(t *testing.T) {
	t.Parallel()
	r, f := newRecord()
	r.add("s1", "s2")
	at := r.follow(t, f, "")
	r.add("s3") // the follower has not seen it
	r.before = func() {
		r.add("s4") // nor has the read of the stream's beginning
		at = r.follow(t, f, at)
	}
	client := newReader(t, f, at, 10)
	if !slices.Equal(client.ids, []string{"s3"}) || client.cursor != "a.2" {
		t.Errorf("first: %v, next %q", client.ids, client.cursor)
	}
	client.drain()
	r.add("s5")
	at = r.follow(t, f, at)
	at = r.follow(t, f, at) // nothing new
	r.add("s6")
	r.follow(t, f, at)
	client.drain()
	if !slices.Equal(client.ids, []string{"s3", "s3", "s4", "s5", "s6"}) || client.cursor != "a.6" {
		t.Errorf("%v, next %q", client.ids, client.cursor)
	}
	client.stream.Close()
	client.stream.Close()
	if f.Followers() != 0 {
		t.Errorf("%d followers", f.Followers())
	}
}

// The read that a stream begins with is never one that began before the stream was entered: what
// the hub told in between would be lost.
func TestStreamBeginsWithAReadOfItsOwn(t *testing.T) {
	t.Parallel()
	r, f := newRecord()
	r.add("s1")
	at := r.follow(t, f, "")
	if _, err := f.Read(t.Context(), at, time.Time{}); err != nil { // is shared from now on
		t.Fatal(err)
	}
	r.add("s2")
	r.follow(t, f, at)
	client := newReader(t, f, at, 10)
	if !slices.Equal(client.ids, []string{"s2"}) || client.cursor != "a.2" {
		t.Errorf("%v, next %q: s2 is lost", client.ids, client.cursor)
	}
}

// A store may repeat what it has told. A stream does not, and its places stay true.
func TestStreamLeavesOutRepeats(t *testing.T) {
	t.Parallel()
	r, f := newRecord()
	r.add("s0")
	at := r.follow(t, f, "")
	client := newReader(t, f, at, 10)
	for i := range 5 {
		r.add(fmt.Sprintf("s%d", i+1))
		r.follow(t, f, at) // a long transaction holds the place back
	}
	client.drain()
	if !slices.Equal(client.ids, []string{"s1", "s2", "s3", "s4", "s5"}) {
		t.Error(client.ids)
	}
}

// Attack_F13: a reader who is too slow, and everyone when the history changes, is cut, never told less.
func TestStreamIsCut(t *testing.T) {
	t.Parallel()
	r, f := newRecord()
	r.add("s0")
	at := r.follow(t, f, "")
	slow, fast := newReader(t, f, at, 2), newReader(t, f, at, 2)
	if _, err := f.Follow(t.Context(), at, 2); !errors.Is(err, feed.ErrFull) {
		t.Errorf("a third stream: %v", err)
	}
	for i := range 100 {
		r.add(fmt.Sprint("t", i))
		at = r.follow(t, f, at)
		fast.drain()
	}
	slow.drain()
	if _, open := <-slow.stream.Events(); open || len(slow.ids) != 64 || len(fast.ids) != 100 || f.Followers() != 1 {
		t.Errorf("slow: open %v, %d events; fast: %d; %d followers", open, len(slow.ids), len(fast.ids), f.Followers())
	}
	r.lineage = "b"
	r.follow(t, f, "")
	if _, open := <-fast.stream.Events(); open {
		t.Error("a stream goes on in another history")
	}
	for _, cursor := range []issuer.Cursor{"a.100", "nowhere", ""} {
		if _, err := f.Follow(t.Context(), cursor, 2); !errors.Is(err, feed.ErrResync) {
			t.Errorf("a stream from %q: %v", cursor, err)
		}
	}
	last, err := f.Follow(t.Context(), "b.101", 2)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, open := <-last.Events(); open {
		t.Error("a stream goes on after Close")
	}
	if _, err := f.Follow(t.Context(), "b.101", 2); !errors.Is(err, feed.ErrFull) {
		t.Errorf("a stream after Close: %v", err)
	}
	if _, err := f.Read(t.Context(), "", time.Time{}); err != nil {
		t.Errorf("a question after Close: %v", err)
	}
}

// The place of a store may move without an entry, and a stream begins there. Its own moves with its events alone, so that
// each goes on where the one before ended.
func TestStreamPlacesMoveWithEvents(t *testing.T) {
	t.Parallel()
	r, f := newRecord()
	r.add("s0")
	at := r.follow(t, f, "")
	f.Publish(issuer.RevocationPage{Lineage: "a", Next: "a.1.later"})
	client := newReader(t, f, at, 10)
	if client.cursor != "a.1.later" {
		t.Errorf("a stream begins at %q", client.cursor)
	}
	f.Publish(issuer.RevocationPage{Lineage: "a", Next: "a.1.latest"})
	if len(client.stream.Events()) > 0 {
		t.Error("an event of nothing")
	}
	r.add("s1")
	r.follow(t, f, at)
	client.drain()
	if !slices.Equal(client.ids, []string{"s1"}) || client.cursor != "a.2" {
		t.Errorf("%v, next %q", client.ids, client.cursor)
	}
}
