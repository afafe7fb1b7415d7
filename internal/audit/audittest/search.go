package audittest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
)

// events has one event for each field, which differs in that field alone.
func events() []issuer.Event {
	base := issuer.Event{Kind: "login", Actor: "u_1", Address: "192.0.2.1", RequestID: "r1", Subject: "u_1", Session: "s_1", Reason: "why"}
	list := []issuer.Event{base, base, base, base, base, base, base}
	list[1].Kind, list[2].Actor, list[3].Address = "logout", "u_2", "192.0.2.2"
	list[4].RequestID, list[5].Subject, list[6].Session = "r2", "u_2", "s_2"
	return list
}

func (f *fixture) fill() {
	f.Helper()
	for _, ev := range events() {
		f.ok(f.store.Record(f.Context(), ev))
	}
}

// search returns the numbers in events of what a query selects.
func (f *fixture) search(q audit.Query) (found []int) {
	f.Helper()
	list, err := f.store.SearchAudit(f.Context(), q)
	f.ok(err)
	for _, r := range list {
		found = append(found, f.number(r))
	}
	return found
}

func testSearch(f *fixture) {
	if got := f.search(audit.Query{}); len(got) != 0 {
		f.Fatalf("in an empty record: %v", got)
	}
	f.fill()
	f.exec(`UPDATE audit SET at = seq * 1000`)
	at := func(seq int64) time.Time { return time.UnixMilli(seq * 1000) }
	for _, tt := range []struct {
		name string
		q    audit.Query
		want []int
	}{
		{"all", audit.Query{}, []int{6, 5, 4, 3, 2, 1, 0}},
		{"one kind", audit.Query{Kinds: []issuer.EventKind{"logout"}}, []int{1}},
		{"two kinds", audit.Query{Kinds: []issuer.EventKind{"logout", "login"}, Limit: 2}, []int{6, 5}},
		{"part of a kind", audit.Query{Kinds: []issuer.EventKind{"log"}}, nil},
		{"a kind that holds others", audit.Query{Kinds: []issuer.EventKind{"login_logout"}}, nil},
		{"actor", audit.Query{Actor: "u_2"}, []int{2}},
		{"address", audit.Query{Address: "192.0.2.2"}, []int{3}},
		{"request", audit.Query{RequestID: "r2"}, []int{4}},
		{"subject", audit.Query{Subject: "u_2"}, []int{5}},
		{"session", audit.Query{Session: "s_2"}, []int{6}},
		{"subject and actor", audit.Query{Subject: "u_1", Actor: "u_2"}, []int{2}},
		{"since", audit.Query{Since: at(6)}, []int{6, 5}},
		{"until", audit.Query{Until: at(3)}, []int{1, 0}},
		{"an hour in which nothing was", audit.Query{Since: at(100), Until: at(200)}, nil},
		{"until before since", audit.Query{Since: at(5), Until: at(4)}, nil},
		{"of a subject since", audit.Query{Subject: "u_1", Since: at(6)}, []int{6}},
		{"another case", audit.Query{Actor: "U_2"}, nil},
		{"a pattern", audit.Query{Actor: "u%"}, nil},
		{"a quote", audit.Query{Actor: `' OR ''='`}, nil},
	} {
		if diff := cmp.Diff(tt.want, f.search(tt.q)); diff != "" {
			f.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
	}
	list, err := f.store.SearchAudit(f.Context(), audit.Query{Limit: 1})
	f.ok(err)
	want := audit.Record{Seq: list[0].Seq, At: at(list[0].Seq).UTC(), Event: events()[6]}
	if diff := cmp.Diff(want, list[0]); diff != "" {
		f.Errorf("-want +got:\n%s", diff)
	}
}

// A rare record far back is found through wide gaps in the positions, which are those of rows that were deleted or
// never committed.
func testSearchPages(f *fixture) {
	f.fill()
	f.exec(`UPDATE audit SET seq = seq + 1000000 WHERE seq > 3`)
	f.exec(`UPDATE audit SET seq = 4611686018427387904 WHERE seq = (SELECT MAX(seq) FROM audit)`)
	for _, q := range []audit.Query{{}, {Subject: "u_1"}, {Actor: "u_1"}} {
		q.Limit = audit.MaxLimit
		whole := f.search(q)
		var got []int
		for q.Limit = 2; ; {
			list, err := f.store.SearchAudit(f.Context(), q)
			f.ok(err)
			if len(list) == 0 {
				break
			}
			for _, r := range list {
				got = append(got, f.number(r))
			}
			q.Before = list[len(list)-1].Seq
		}
		if diff := cmp.Diff(whole, got); diff != "" || len(got) < 6 {
			f.Errorf("%+v: -whole +pages:\n%s", q, diff)
		}
	}
	if got := f.search(audit.Query{Actor: "u_2"}); fmt.Sprint(got) != "[2]" {
		f.Errorf("far back: %v", got)
	}
}

func (f *fixture) number(r audit.Record) int {
	f.Helper()
	i := slices.Index(events(), r.Event)
	if i < 0 {
		f.Fatalf("nobody wrote %+v", r)
	}
	return i
}

func testSearchRefused(f *fixture) {
	f.fill()
	for _, q := range []audit.Query{
		{Limit: -1},
		{Limit: audit.MaxLimit + 1},
		{Before: -1},
		{Kinds: []issuer.EventKind{""}},
		{Kinds: []issuer.EventKind{"login,logout"}},
		{Kinds: []issuer.EventKind{"Login"}},
		{Kinds: make([]issuer.EventKind, audit.MaxLimit+1)},
		{Subject: "a\x00b"},
		{RequestID: "\xff"},
	} {
		list, err := f.store.SearchAudit(f.Context(), q)
		f.fails(err, audit.ErrQuery)
		if list != nil {
			f.Errorf("%+v: %d records", q, len(list))
		}
	}
}
