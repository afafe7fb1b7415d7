package remote_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/remote"
)

// part is one answer that a test writes down.
type part struct {
	status         int // 0 means 200
	snapshot, more bool
	next           string
	age            time.Duration
	entries        []string
}

// Attack_F13: pages that do not belong together vouch for nothing together. What could not go on is asked for as a whole, what is
// no entry that this version knows counts on whichever page it stands, and an answer that begins anew is as old as it says.
func TestAttack_F13_Sequences(t *testing.T) {
	device := func(holds time.Duration) string {
		return fmt.Sprintf(`{"kind":"device","expires":%d}`, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(holds).Unix()) // when a bubble begins
	}
	const ended = `{"kind":"session","id":"s1","expires":4000000000}`
	first := part{snapshot: true, next: "a.0"}
	whole := part{snapshot: true, next: "a.9"}
	for _, tt := range []struct {
		name  string
		parts []part
		after []string // of the questions
		want  error    // for a token after them
		age   time.Duration
	}{
		{"a kind unknown on the first page", []part{
			{snapshot: true, more: true, next: "a.1", entries: []string{device(time.Hour)}},
			{snapshot: true, next: "a.2", entries: []string{ended}},
		}, []string{"", "a.1"}, doorward.ErrStale, 0},
		{"two unknown kinds, the one that holds longer first", []part{
			{snapshot: true, next: "a.1", entries: []string{device(time.Hour), device(time.Second)}},
		}, []string{""}, doorward.ErrStale, 0},
		{"news in a snapshot", []part{
			first,
			{snapshot: true, more: true, next: "a.1", entries: []string{ended}},
			{next: "a.2", entries: []string{ended}},
			whole,
		}, []string{"", "a.0", "a.1", ""}, nil, 0},
		{"a snapshot in news", []part{
			{snapshot: true, next: "a.0", age: 40 * time.Second},
			{more: true, next: "a.1", entries: []string{ended}},
			{snapshot: true, next: "a.2", age: 15 * time.Second},
		}, []string{"", "a.0", "a.1"}, nil, 15 * time.Second},
		{"a cursor that is refused", []part{first, {status: 400}, whole}, []string{"", "a.0", ""}, nil, 0},
		{"a cursor that is refused between pages", []part{
			first,
			{more: true, next: "a.1", entries: []string{ended}},
			{status: 400},
			whole,
		}, []string{"", "a.0", "a.1", ""}, nil, 0},
		{"a page of nothing, and more", []part{
			{snapshot: true, more: true, next: "a.1"},
			whole,
		}, []string{"", ""}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inFeed(t, func(cfg *remote.FeedConfig, i *issuerFeed) {
				var told int
				cfg.NoStream = true
				i.instead = func(r *http.Request) (*http.Response, error) {
					i.mu.Lock()
					defer i.mu.Unlock()
					if told++; told > len(tt.parts) {
						return down(r)
					}
					p := tt.parts[told-1]
					return response(cmp.Or(p.status, 200), fmt.Sprintf(
						`{"nonce":%q,"lineage":"a","snapshot":%t,"more":%t,"next":%q,"age_ms":%d,"entries":[%s]}`,
						r.URL.Query().Get("nonce"), p.snapshot, p.more, p.next, p.age.Milliseconds(), strings.Join(p.entries, ","))), nil
				}
			}, func(f *feedFixture) {
				pass(30 * time.Second)
				var after []string
				f.with(func() {
					for _, q := range f.queries[:len(tt.after)] {
						q, _, _ = strings.Cut(q, "nonce=")
						after = append(after, strings.TrimSuffix(strings.TrimPrefix(q, "after="), "&"))
					}
				})
				if !slices.Equal(after, tt.after) {
					t.Errorf("asked after %q, want %q", after, tt.after)
				}
				f.want("x", tt.want)
				if age := time.Since(f.asked[len(tt.after)-1]) + tt.age; tt.want == nil && f.feed.Age() != age {
					t.Errorf("age %v, want %v", f.feed.Age(), age)
				}
			})
		})
	}
}

// Attack_F13: what a stream brings while a snapshot is read is not in it, and counts on when the snapshot ends.
func TestAttack_F13_UnknownBesideSnapshot(t *testing.T) {
	open, write, places := eventStream()
	inFeed(t, func(_ *remote.FeedConfig, i *issuerFeed) {
		i.streams = open
		var told int
		i.instead = func(r *http.Request) (*http.Response, error) {
			i.mu.Lock()
			defer i.mu.Unlock()
			page := `{"nonce":%q,"lineage":"a","snapshot":true,"more":%t,"next":"a.%d","age_ms":0,"entries":[%s]}`
			more, entries := false, ""
			switch told++; told {
			case 2:
				return response(400, `{"error":"invalid_request"}`), nil
			case 3:
				more, entries = true, `{"kind":"session","id":"s1","expires":4000000000}`
			case 4: // The line that follows is read when the event has been heard.
				if !write(eventText("a", "a.1", "a.5", `{"kind":"device","expires":4000000000}`)) || !write(":\n") {
					t.Error("there is no stream")
				}
			}
			return response(200, fmt.Sprintf(page, r.URL.Query().Get("nonce"), more, told, entries)), nil
		}
	}, func(f *feedFixture) {
		f.want("x", nil)
		for f.questions() < 4 {
			pass(time.Second)
		}
		f.want("x", doorward.ErrStale)
		if at := places(); len(at) != 1 || at[0] != "a.1" {
			t.Errorf("streams from %q", at)
		}
	})
}
