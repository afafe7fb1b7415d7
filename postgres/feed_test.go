package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/postgres"
)

// feedCursor is what /revocations lets through.
const feedCursor = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-"

// pages reads a sequence, each page from another node, and returns all ids and the last cursor.
func pages(t *testing.T, nodes [2]*postgres.Store, after issuer.Cursor, limit int, between func(page int)) (ids []string, last feed.Page) {
	t.Helper()
	for n := 0; ; n++ {
		page, err := sqlstore.FeedIn(nodes[n%2].Store).RevocationPage(t.Context(), after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Trim(string(page.Next), feedCursor) != "" || len(page.Next) > 4096 || page.More && (page.Next == after || len(page.Entries) == 0) {
			t.Fatalf("cursor %q after %q, %d entries", page.Next, after, len(page.Entries))
		}
		for _, e := range page.Entries {
			ids = append(ids, e.ID)
		}
		if !page.More {
			return ids, page
		}
		after = page.Next
		between(n)
	}
}

// The pages of a sequence, and what comes after the last, hold everything: also what was written before the first and
// committed while they were read, several of one transaction, and with transactions open here and in another database.
func TestRevocationPages(t *testing.T) {
	t.Parallel()
	url := template(t)
	nodes, db := [2]*postgres.Store{open(t, url), open(t, url)}, raw(t, url)
	begin(t, raw(t, postgrestest.URL(t)), `SELECT pg_current_xact_id()`)
	begin(t, db, `INSERT INTO meta (name, value) VALUES ('open', '')`)
	const insert = `INSERT INTO revocations (kind, id, before, expires_at, recorded_at)
		SELECT 'session', $1 || i, '', 0, 1 FROM generate_series(1, 20) AS i`
	for round, after := range []issuer.Cursor{"", "the last"} {
		name := func(what string) string { return fmt.Sprint(what, round, "-") }
		if after != "" {
			_, end := pages(t, nodes, "", 1000, func(int) {})
			after = end.Next
		}
		late := begin(t, db, insert, name("late"))
		exec(t, db, insert, name("early"))
		got, last := pages(t, nodes, after, 7, func(page int) {
			switch page {
			case 0:
				exec(t, db, insert, name("meanwhile"))
			case 1:
				if err := late.Commit(); err != nil {
					t.Fatal(err)
				}
			}
		})
		if last.Snapshot != (round == 0) {
			t.Errorf("round %d: snapshot %v", round, last.Snapshot)
		}
		rest, end := pages(t, nodes, last.Next, 7, func(int) {})
		got = append(got, rest...)
		for _, what := range []string{"late", "early", "meanwhile"} {
			for i := 1; i <= 20; i++ {
				if id := fmt.Sprint(name(what), i); !slices.Contains(got, id) {
					t.Errorf("round %d: %s is in no page", round, id)
				}
			}
		}
		if again, _ := pages(t, nodes, end.Next, 7, func(int) {}); len(again) != 0 {
			t.Errorf("round %d: after the end: %d", round, len(again))
		}
	}
}

// A stream that begins at one node with a cursor from another brings what is written from then on, in whatever order it
// commits, and its places are true.
func TestRevocationStream(t *testing.T) {
	t.Parallel()
	url := template(t)
	nodes, db := [2]*postgres.Store{open(t, url), open(t, url)}, raw(t, url)
	const insert = `INSERT INTO revocations (kind, id, before, expires_at, recorded_at) VALUES ('session', $1, '', 0, 1)`
	f := feed.New(sqlstore.FeedIn(nodes[0].Store))
	cursor := issuer.Cursor("")
	follow := func() {
		page, err := nodes[0].RevocationsSince(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		f.Publish(page)
		cursor = page.Next
	}
	follow()
	late := begin(t, db, insert, "late")
	exec(t, db, insert, "early")
	start, err := sqlstore.FeedIn(nodes[1].Store).RevocationPage(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db, insert, "between")
	follow()
	s, err := f.Follow(t.Context(), start.Next, 10)
	if err != nil {
		t.Fatal(err)
	}
	heard := string(s.First())
	if err := late.Commit(); err != nil {
		t.Fatal(err)
	}
	follow()
	exec(t, db, insert, "last")
	follow()
	follow()
	for more := true; more; {
		select {
		case e := <-s.Events():
			heard += string(e)
		default:
			more = false
		}
	}
	for _, id := range []string{"between", "late", "last"} {
		if !strings.Contains(heard, `"id":"`+id+`"`) {
			t.Errorf("%s did not come:\n%s", id, heard)
		}
	}
	var end issuer.Cursor
	for line := range strings.Lines(heard) {
		if place, ok := strings.CutPrefix(line, "id: "); ok {
			end = issuer.Cursor(strings.TrimSpace(place))
		}
	}
	if a, err := feed.New(sqlstore.FeedIn(nodes[1].Store)).Read(t.Context(), end, time.Time{}); err != nil || a.Snapshot || len(a.Page.Entries) != 0 {
		t.Errorf("after the last event's place: %+v, %v", a.Page, err)
	}
}
