// Package cutoff is the data structure under doorward.RevocationSet: which
// sessions, subjects, clients and keys have ended. It knows nothing of claims,
// of stores, or of how fresh its content is.
package cutoff

import (
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// sweepEvery is how often one part may be swept: all of them every 32 s.
const sweepEvery = time.Second / 2

// Set is a set of cut-offs. All methods may be called concurrently.
type Set struct {
	started time.Time
	seed    maphash.Seed // so that nobody can choose IDs whose hashes collide

	writing sync.Mutex // guards next and swept, and orders the writers of rare
	next    int        // the part that is swept next
	swept   time.Time  // up to when sweeping is done

	rare     atomic.Pointer[rare]
	sessions table[expiry]
	subjects table[cutoff]
	clients  table[cutoff]
}

// Target is what a cut-off may end: a token, by the names of all that it belongs to.
type Target struct{ Session, Subject, Client, Key string }

// NewSet returns an empty set.
func NewSet() *Set { return newSet(maphash.MakeSeed()) }

func newSet(seed maphash.Seed) *Set {
	now := time.Now()
	s := &Set{started: now, swept: now, seed: seed}
	s.rare.Store(&rare{})
	return s
}

// Empty returns an empty set that may Replace the content of s.
func (s *Set) Empty() *Set { return newSet(s.seed) }

// EndSession ends one session. until, here and in the methods that follow, is when the
// entry may be dropped; zero means never.
func (s *Set) EndSession(id string, until time.Time) {
	s.sessions.add(s.hash(id), expiryOf(until))
}

// EndSubject ends the subject's sessions smaller than before, a UUID in lower
// case; all of them if before is no such text.
func (s *Set) EndSubject(id, before string, until time.Time) {
	s.subjects.add(s.hash(id), newCutoff(before, until))
}

// EndClient ends the client's sessions smaller than before.
func (s *Set) EndClient(id, before string, until time.Time) {
	s.clients.add(s.hash(id), newCutoff(before, until))
}

// EndKey ends everything that was signed with the key.
func (s *Set) EndKey(id string, until time.Time) {
	s.changeRare(func(r *rare) { r.addKey(id, expiryOf(until)) })
}

// EndAll ends everyone's sessions smaller than before.
func (s *Set) EndAll(before string, until time.Time) {
	s.changeRare(func(r *rare) { r.addAll(newCutoff(before, until)) })
}

// Ends reports whether an entry ends t. A session that is no UUID in lower
// case is smaller than every before. It does not allocate.
func (s *Set) Ends(t Target) bool {
	r := s.rare.Load()
	if r.all != nil && r.all.ends(t.Session) {
		return true
	}
	if _, ok := r.keys[t.Key]; ok {
		return true
	}
	if t.Session != "" && s.sessions.has(s.hash(t.Session)) {
		return true
	}
	return s.ended(&s.subjects, t.Subject, t.Session) || s.ended(&s.clients, t.Client, t.Session)
}

// ended reports whether the cut-off of id, if there is one, ends the session.
func (s *Set) ended(cutoffs *table[cutoff], id, session string) bool {
	if !cutoffs.used.Load() {
		return false
	}
	c, ok := cutoffs.get(s.hash(id))
	return ok && c.ends(session)
}

// Replace replaces the content of s with that of fresh, which came from Empty and must not
// be used again. An entry that is in both is found at every moment.
func (s *Set) Replace(fresh *Set) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.rare.Store(fresh.rare.Load())
	s.sessions.take(&fresh.sessions)
	s.subjects.take(&fresh.subjects)
	s.clients.take(&fresh.clients)
}

// Sweep drops what has expired from one part for each half second that has gone by
// since the last sweep. The clock that counts is the earlier of the wall's and
// the one that began with the set: a wall clock that jumps ahead must not make it
// forget.
func (s *Set) Sweep() {
	s.writing.Lock()
	defer s.writing.Unlock()
	now := time.Now()
	due := min(parts, int(now.Sub(s.swept)/sweepEvery))
	if due == 0 {
		return
	}
	s.swept = now
	if own := s.started.Add(now.Sub(s.started)); own.Unix() < now.Unix() {
		now = own
	}
	for range due {
		s.sessions.sweep(s.next, now)
		s.subjects.sweep(s.next, now)
		s.clients.sweep(s.next, now)
		s.next = (s.next + 1) % parts
	}
	next := s.rare.Load().clone()
	next.sweep(now)
	s.rare.Store(next)
}

// Len is the number of entries, some of which may have expired.
func (s *Set) Len() int {
	r := s.rare.Load()
	n := len(r.keys) + s.sessions.len() + s.subjects.len() + s.clients.len()
	if r.all != nil {
		n++
	}
	return n
}

func (s *Set) changeRare(change func(*rare)) {
	s.writing.Lock()
	defer s.writing.Unlock()
	next := s.rare.Load().clone()
	change(next)
	s.rare.Store(next)
}

// hash returns the seeded hash of an ID. It is never 0, which stands for a free slot.
func (s *Set) hash(id string) uint64 { return max(1, maphash.String(s.seed, id)) }

// rare holds the kinds of which there are few. It is copied to be changed.
type rare struct {
	keys map[string]expiry
	all  *cutoff
}

func (r *rare) clone() *rare {
	return &rare{keys: maps.Clone(r.keys), all: r.all}
}

func (r *rare) addKey(id string, until expiry) {
	if r.keys == nil {
		r.keys = make(map[string]expiry)
	}
	if before, ok := r.keys[id]; ok {
		until = until.merged(before)
	}
	r.keys[id] = until
}

func (r *rare) addAll(c cutoff) {
	if r.all != nil {
		c = c.merged(*r.all)
	}
	r.all = &c
}

func (r *rare) sweep(now time.Time) {
	maps.DeleteFunc(r.keys, func(_ string, e expiry) bool { return e.past(now) })
	if r.all != nil && r.all.until.past(now) {
		r.all = nil
	}
}
