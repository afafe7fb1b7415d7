package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// deed is what was asked of a server about one session.
type deed string

const (
	deedLogin   deed = "login"
	deedCheck   deed = "check" // an access token at a judge
	deedRefresh deed = "refresh"
	deedLogout  deed = "logout"
)

// record is one request as its client saw it: what happened, happened between from and to.
type record struct {
	deed     deed
	session  string
	where    string
	from, to time.Duration // since the history began
	status   int           // 0 is no answer
}

// history is what clients saw, in no order.
type history struct {
	begun time.Time

	mu  sync.Mutex // guards all
	all []record
}

// do sends a request and keeps what came of it.
func (h *history) do(d deed, session, where string, send func() (answer, error)) answer {
	from := time.Since(h.begun)
	got, err := send()
	if err != nil {
		got = answer{}
	}
	to := time.Since(h.begun)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, record{d, session, where, from, to, got.status})
	return got
}

// count returns how many requests were answered with a status.
func (h *history) count(status int) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.all {
		if r.status == status {
			n++
		}
	}
	return n
}

// faults returns what in the history must not be, given how long after its end a session may be accepted elsewhere.
func (h *history) faults(bound time.Duration) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	sessions := map[string][]record{}
	for _, r := range h.all {
		sessions[r.session] = append(sessions[r.session], r)
	}
	var found []string
	for session, records := range sessions {
		for _, fault := range faultsOf(records, bound) {
			found = append(found, session+": "+fault)
		}
	}
	slices.Sort(found)
	return found
}

// never is later than everything in a history.
const never = time.Duration(1<<63 - 1)

// faultsOf judges the records of one session.
func faultsOf(records []record, bound time.Duration) []string {
	slices.SortFunc(records, func(a, b record) int { return cmp.Compare(a.from, b.from) })
	l := lifeOf(records)
	refused := map[string]time.Duration{} // when each place had refused it for the first time
	var found []string
	for _, r := range records {
		if text := l.fault(r, bound, refused); text != "" {
			found = append(found, fmt.Sprintf("%s at %s, %v to %v, status %d: %s", r.deed, r.where, r.from, r.to, r.status, text))
		}
		if before, again := refused[r.where]; r.deed == deedCheck && r.status == 401 && (!again || r.to < before) {
			refused[r.where] = r.to
		}
	}
	return found
}

// life is when a session ended, as far as its clients can know.
type life struct {
	mayEnd time.Duration            // a logout was sent: from now on it may have ended
	ended  time.Duration            // a logout was acknowledged: from now on it has
	knows  map[string]time.Duration // since when each place knows, having acknowledged one itself
}

func lifeOf(records []record) life {
	l := life{mayEnd: never, ended: never, knows: map[string]time.Duration{}}
	for _, r := range records {
		if r.deed != deedLogout {
			continue
		}
		l.mayEnd = min(l.mayEnd, r.from)
		if r.status == 204 {
			l.ended = min(l.ended, r.to)
			if at, ok := l.knows[r.where]; !ok || r.to < at {
				l.knows[r.where] = r.to
			}
		}
	}
	return l
}

// fault says what is wrong with a record, "" if nothing is.
func (l life) fault(r record, bound time.Duration, refused map[string]time.Duration) string {
	knows, told := l.knows[r.where]
	back, was := refused[r.where]
	accepted := r.deed == deedCheck && r.status == 200
	switch {
	case !slices.Contains(allowed[r.deed], r.status):
		return "this answer must not be"
	case accepted && told && r.from > knows:
		return "accepted where its logout was acknowledged"
	case accepted && l.ended != never && r.from > l.ended+bound:
		return "accepted after the bound"
	case accepted && was && r.from > back:
		return "accepted again after it was refused"
	case r.deed == deedCheck && r.status == 401 && r.to < l.mayEnd:
		return "refused, and it was not revoked"
	case r.deed == deedRefresh && r.status == 200 && r.from > l.ended:
		return "refreshed after its logout was acknowledged"
	case r.deed == deedRefresh && r.status == 400 && r.to < l.mayEnd:
		return "lost, and it was not logged out"
	}
	return ""
}

// allowed lists the answers to requests that are good in themselves: 503 is "I do not know", 0 a node that is down.
var allowed = map[deed][]int{
	deedLogin:   {200, 503, 0},
	deedCheck:   {200, 401, 503, 0},
	deedRefresh: {200, 400, 503, 0},
	deedLogout:  {204, 503, 0},
}

// The checker finds each thing that must not be, and nothing in a history that may be.
func TestClusterHistory(t *testing.T) {
	t.Parallel()
	const second = time.Second
	at := func(d deed, where string, from, status int) record {
		begun := time.Duration(from) * 100 * time.Millisecond
		return record{d, "s", where, begun, begun + 50*time.Millisecond, status}
	}
	login, logout := at(deedLogin, "a", 0, 200), at(deedLogout, "a", 20, 204)
	tests := []struct {
		name    string
		records []record
		want    string // "" is no fault
	}{
		{"in order", []record{login, at(deedCheck, "b", 1, 200), logout, at(deedCheck, "a", 21, 401), at(deedCheck, "b", 22, 200), at(deedCheck, "b", 23, 401)}, ""},
		{"accepted after the bound", []record{login, logout, at(deedCheck, "b", 31, 200)}, "accepted after the bound"},
		{"accepted where it was ended", []record{login, logout, at(deedCheck, "a", 21, 200)}, "where its logout"},
		{"accepted again", []record{login, logout, at(deedCheck, "b", 21, 401), at(deedCheck, "b", 22, 200)}, "again after"},
		{"accepted again elsewhere", []record{login, logout, at(deedCheck, "b", 21, 401), at(deedCheck, "c", 22, 200)}, ""},
		{"refused for nothing", []record{login, at(deedCheck, "b", 1, 401)}, "not revoked"},
		{"refused while the logout is under way", []record{login, logout, at(deedCheck, "b", 20, 401)}, ""},
		{"a logout that was not answered", []record{login, at(deedLogout, "a", 5, 0), at(deedCheck, "b", 6, 401), at(deedCheck, "c", 90, 200)}, ""},
		{"unknown", []record{login, logout, at(deedCheck, "b", 99, 503)}, ""},
		{"a fault of the server", []record{login, at(deedCheck, "b", 1, 500)}, "must not be"},
		{"a login refused", []record{at(deedLogin, "a", 0, 401)}, "must not be"},
		{"a session lost", []record{login, at(deedRefresh, "b", 3, 400)}, "lost"},
		{"a logout lost", []record{login, logout, at(deedRefresh, "b", 21, 200)}, "refreshed after"},
		{"a refresh beside the logout", []record{login, logout, at(deedRefresh, "b", 20, 200)}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := &history{all: test.records}
			switch found := h.faults(second); {
			case test.want == "" && len(found) > 0:
				t.Errorf("found %q", found)
			case test.want != "" && (len(found) != 1 || !strings.Contains(found[0], test.want)):
				t.Errorf("found %q, want %q", found, test.want)
			}
		})
	}
}
