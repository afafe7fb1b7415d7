package feed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/issuer"
)

// source is a store that answers with what a test says.
type source func(ctx context.Context, after issuer.Cursor) (feed.Page, error)

func (s source) RevocationPage(ctx context.Context, after issuer.Cursor, _ int) (feed.Page, error) {
	return s(ctx, after)
}

// A bubble: a store that is slow gets eight questions at once, and one about each cursor however long that takes. Who waits
// for a turn is told of it as age. A question goes on for the others when the one who began it gives up, and not for ever.
func TestReadsOfASlowStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards what follows
		var now, most, reads int
		var oldest time.Duration
		f := feed.New(source(func(ctx context.Context, after issuer.Cursor) (feed.Page, error) {
			mu.Lock()
			now, reads = now+1, reads+1
			most = max(most, now)
			mu.Unlock()
			if strings.HasPrefix(string(after), "hangs") {
				<-ctx.Done()
			}
			time.Sleep(time.Second) // in the bubble
			mu.Lock()
			now--
			mu.Unlock()
			return feed.Page{}, ctx.Err()
		}))
		var all sync.WaitGroup
		for n := range 20 {
			all.Go(func() {
				a, err := f.Read(t.Context(), issuer.Cursor(fmt.Sprint(n)), time.Time{})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				oldest = max(oldest, a.Age())
				mu.Unlock()
			})
		}
		all.Wait()
		if most != 8 || oldest != 3*time.Second {
			t.Errorf("%d questions at once, an answer %v old", most, oldest)
		}

		reads = 0
		ctx, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		go func() { _, _ = f.Read(ctx, "x", time.Time{}) }()
		for range 4 {
			time.Sleep(200 * time.Millisecond)
			giveUp()
			all.Go(func() {
				if _, err := f.Read(t.Context(), "x", time.Time{}); err != nil {
					t.Errorf("the first one gave up, and the others get %v", err)
				}
			})
		}
		if all.Wait(); reads != 1 {
			t.Errorf("%d questions about one cursor", reads)
		}

		begun := time.Now()
		for n := range 9 { // the last of which has no turn
			all.Go(func() {
				if _, err := f.Read(t.Context(), issuer.Cursor(fmt.Sprint("hangs", n)), time.Time{}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a question that hangs: %v", err)
				}
			})
		}
		if all.Wait(); time.Since(begun) != 6*time.Second {
			t.Errorf("questions that hang end after %v", time.Since(begun))
		}
	})
}

// A bubble: of what is kept for others the entries are bounded, also after reads that others have overtaken.
func TestReadsKeptAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int64
		f := feed.New(source(func(_ context.Context, after issuer.Cursor) (page feed.Page, _ error) {
			reads.Add(1)
			if after == "slow" {
				time.Sleep(time.Second) // in the bubble
			}
			page.Entries = make([]doorward.Revocation, feed.PageLimit)
			return page, nil
		}))
		read := func(cursor string, notBefore time.Time) {
			if _, err := f.Read(t.Context(), issuer.Cursor(cursor), notBefore); err != nil {
				t.Error(err)
			}
		}
		shared := func(what string, want int64) {
			t.Helper()
			reads.Store(0)
			for range 2 {
				for n := range 9 {
					read(fmt.Sprint("c", n), time.Time{})
				}
			}
			if reads.Load() != want {
				t.Errorf("%s: %d reads for nine cursors asked twice, want %d", what, reads.Load(), want)
			}
			time.Sleep(time.Second)
		}
		shared("at first", 10) // eight are kept
		for range 20 {
			time.Sleep(time.Millisecond)
			read("x", time.Now())
		}
		time.Sleep(time.Second)
		shared("after reads that were too old for the next one", 10)
		for range 20 {
			var both sync.WaitGroup
			both.Go(func() { read("slow", time.Time{}) })
			time.Sleep(time.Millisecond)
			both.Go(func() { read("slow", time.Now()) })
			both.Wait()
		}
		time.Sleep(time.Second)
		shared("after reads that were overtaken", 10)
	})
}

// A stream begins only where one answer brings its reader to where the hub is. A store that does not answer is no reason
// to begin anew.
func TestStreamResync(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for _, tt := range []struct {
		name string
		page feed.Page
		want error
	}{
		{"the rest", feed.Page{RevocationPage: issuer.RevocationPage{Lineage: "a"}}, nil},
		{"a part of the rest", feed.Page{RevocationPage: issuer.RevocationPage{Lineage: "a"}, More: true}, feed.ErrResync},
		{"everything", feed.Page{RevocationPage: issuer.RevocationPage{Lineage: "a"}, Snapshot: true}, feed.ErrResync},
		{"of another history", feed.Page{RevocationPage: issuer.RevocationPage{Lineage: "b"}}, feed.ErrResync},
		{"no answer", feed.Page{}, down},
	} {
		f := feed.New(source(func(context.Context, issuer.Cursor) (feed.Page, error) {
			if errors.Is(tt.want, down) {
				return feed.Page{}, down
			}
			return tt.page, nil
		}))
		f.Publish(issuer.RevocationPage{Lineage: "a", Next: "a.1"})
		if _, err := f.Follow(t.Context(), "a.1", 1); !errors.Is(err, tt.want) || f.Followers() > 1 || tt.want != nil && f.Followers() != 0 {
			t.Errorf("%s: %v, %d followers", tt.name, err, f.Followers())
		}
	}
}

// Attack_F13: what is told in a stream is never told in a question again, so nothing that is another revocation is taken for a
// repeat, and a page that is too large for one event counts as told only with the last one.
func TestStreamLosesNothing(t *testing.T) {
	t.Parallel()
	r, f := newRecord()
	r.add("s0")
	at := r.follow(t, f, "")
	client := newReader(t, f, at, 1)
	events := client.stream.Events()
	for _, tt := range []struct {
		cut  doorward.Revocation
		want string
	}{
		{doorward.Revocation{Kind: doorward.KindSubject, ID: "bob", Before: "1"}, `[{"kind":"subject","id":"bob","before":"1"}]`},
		{doorward.Revocation{Kind: doorward.KindSubject, ID: "bob", Before: "2"}, `[{"kind":"subject","id":"bob","before":"2"}]`},
		{doorward.Revocation{Kind: doorward.KindClient, ID: "bob", Before: "2"}, `[{"kind":"client","id":"bob","before":"2"}]`},
		{doorward.Revocation{Kind: doorward.KindKey, ID: "k1", ExpiresAt: time.Unix(5, 0)}, `[{"kind":"key","id":"k1","expires":5}]`},
	} {
		f.Publish(issuer.RevocationPage{Lineage: "a", Next: at, Entries: []doorward.Revocation{tt.cut}})
		if len(events) != 1 {
			t.Fatalf("not told: %s", tt.want)
		}
		if event := string(<-events); !strings.Contains(event, tt.want) {
			t.Errorf("want %s: %s", tt.want, event)
		}
	}
	const many = 2001
	for n := range many {
		r.add(fmt.Sprint("t", n))
	}
	r.follow(t, f, at)
	for told := 0; told < many; {
		before := client.cursor
		client.apply(<-events)
		if n := len(client.ids) - told; n > 1000 || (client.cursor != before) != (len(client.ids) == many) {
			t.Fatalf("%d entries in one event; after %d of %d it goes on from %s", n, len(client.ids), many, client.cursor)
		}
		told = len(client.ids)
	}
	if strings.Count(strings.Join(client.ids, " ")+" ", "t2000 ") != 1 {
		t.Error("the last one is missing")
	}
}
