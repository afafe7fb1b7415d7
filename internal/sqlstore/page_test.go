package sqlstore_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// end records cut-offs of sessions and returns their ids.
func (f *fixture) end(from, to int) (ids []string) {
	f.Helper()
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprintf("s%04d", i))
		_, err := f.EndSession(f.Context(), ids[len(ids)-1], "test", event)
		f.OK(err)
	}
	return ids
}

// pages asks on until there is no more and returns all ids and the last page. between is
// called after each page.
func (f *fixture) pages(after issuer.Cursor, limit int, between func()) (ids []string, last feed.Page) {
	f.Helper()
	for {
		page, err := f.RevocationPage(f.Context(), after, limit)
		f.OK(err)
		if len(page.Entries) > limit || page.More && (len(page.Entries) == 0 || page.Next == after) {
			f.Fatalf("%d entries, more %v, next %q after %q", len(page.Entries), page.More, page.Next, after)
		}
		if strings.Trim(string(page.Next), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-") != "" {
			f.Fatalf("cursor %q", page.Next)
		}
		for _, e := range page.Entries {
			ids = append(ids, e.ID)
		}
		if !page.More {
			return ids, page
		}
		after = page.Next
		between()
	}
}

func nothing() {}

func TestRevocationPages(t *testing.T) {
	t.Parallel()
	f := open(t)
	want := f.end(0, 25)
	for _, limit := range []int{1, 7, 24, 25, 26, 1000} {
		got, last := f.pages("", limit, nothing)
		f.Same(fmt.Sprint("a snapshot by ", limit), got, want)
		if !last.Snapshot || last.Lineage == "" {
			t.Errorf("snapshot %v, lineage %q", last.Snapshot, last.Lineage)
		}
		got, again := f.pages(last.Next, limit, nothing)
		if len(got) != 0 || again.Snapshot || again.Next != last.Next {
			t.Errorf("after the end: %v, %+v", got, again)
		}
	}
	_, end := f.pages("", 10, nothing)
	more := f.end(25, 40)
	got, last := f.pages(end.Next, 4, nothing)
	f.Same("news in pages", got, more)
	if last.Snapshot {
		t.Error("news are told as a snapshot")
	}
	_, whole := f.pages("", 1000, nothing)
	f.Same("the end of both", last.Next, whole.Next)
}

// What is revoked while the pages are read comes in one of them or after the last.
func TestRevocationPagesWhileWriting(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.end(0, 20)
	for round, start := range []issuer.Cursor{"", "middle"} {
		n := 1000 * (round + 1)
		if start != "" {
			_, last := f.pages("", 100, nothing)
			start = last.Next
			f.end(n-20, n)
		}
		got, last := f.pages(start, 3, func() {
			if n < 1000*(round+1)+10 {
				f.end(n, n+1)
				n++
			}
		})
		rest, _ := f.pages(last.Next, 3, nothing)
		got = append(got, rest...)
		for i := 1000 * (round + 1); i < n; i++ {
			if !slices.Contains(got, fmt.Sprintf("s%04d", i)) {
				t.Errorf("s%04d, revoked meanwhile, is in no page", i)
			}
		}
	}
}

// A cursor of nowhere, or of a page of another history, begins a snapshot.
func TestRevocationPageOfAnotherHistory(t *testing.T) {
	t.Parallel()
	f, other := open(t), open(t)
	want := f.end(0, 5)
	other.end(100, 110)
	page, err := other.RevocationPage(t.Context(), "", 3)
	f.OK(err)
	_, end := other.pages("", 100, nothing)
	for _, cursor := range []issuer.Cursor{
		page.Next, end.Next, "x", "~", "~~~", "a~0~1~", end.Next + "~0~9", end.Next + "~1~1~AAAA", "a~1~99999999999999999999~AAAA",
		issuer.Cursor(strings.Repeat("a", 1000)),
	} {
		got, last := f.pages(cursor, 100, nothing)
		f.Same(fmt.Sprintf("after %.40q", cursor), got, want)
		if !last.Snapshot {
			t.Errorf("after %.40q: not told as a snapshot", cursor)
		}
	}
	if _, err := f.RevocationPage(t.Context(), "", 0); err == nil {
		t.Error("a page of nothing")
	}
}

// Each kind comes as it was recorded, the same as by RevocationsSince.
func TestRevocationPageKinds(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.end(0, 1)
	_, err := f.EndSubject(t.Context(), "u_1", "test", event)
	f.OK(err)
	f.OK(f.SwapKeys(t.Context(), 0, nil, []string{"kid"}, event))
	all, err := f.RevocationsSince(t.Context(), "")
	f.OK(err)
	page, err := f.RevocationPage(t.Context(), "", 100)
	f.OK(err)
	f.Same("entries", page.Entries, all.Entries)
	f.Same("next", page.Next, all.Next)
	if len(all.Entries) != 3 || all.Entries[2].Kind != doorward.KindKey {
		t.Errorf("entries %+v", all.Entries)
	}
}

// FuzzRevocationPage: whatever a service sends as its cursor, it comes to the end of the record, and to nothing that is not
// in it.
func FuzzRevocationPage(f *testing.F) {
	db, err := sqlite.Open(f.Context(), filepath.Join(f.TempDir(), "doorward.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	store, known := sqlstore.FeedIn(db.Store), map[string]bool{}
	for i := range 5 {
		id := fmt.Sprint("s", i)
		if _, err := db.EndSession(f.Context(), id, "test", event); err != nil {
			f.Fatal(err)
		}
		known[id] = true
	}
	first, err := store.RevocationPage(f.Context(), "", 2)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []issuer.Cursor{"", first.Next, first.Next + "~0", "~~~", "x.1.0", issuer.Cursor(first.Lineage + ".9.9"), issuer.Cursor(first.Lineage + ".2.0~0~1~AAAA")} {
		f.Add(string(seed))
	}
	f.Fuzz(func(t *testing.T, text string) {
		cursor := issuer.Cursor(text)
		for range len(known) + 1 {
			page, err := store.RevocationPage(t.Context(), cursor, 2)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			for _, e := range page.Entries {
				if !known[e.ID] {
					t.Fatalf("%q: %+v", text, e)
				}
			}
			if cursor = page.Next; !page.More {
				return
			}
		}
		t.Fatalf("%q: there is always more", text)
	})
}
