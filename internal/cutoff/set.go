// Package cutoff is the data structure under doorward.RevocationSet: which
// sessions, subjects, clients and keys have ended. It knows nothing of tokens,
// of stores, or of how fresh its content is.
package cutoff

import (
	"encoding/binary"
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// shards is how many parts a Set has. One is swept at a time, so that no
// reader waits long.
const shards = 64

// sweepEvery is how often one part may be swept: all of them every 32 s.
const sweepEvery = time.Second / 2

// Set is a set of cut-offs. All methods may be called concurrently.
type Set struct {
	started time.Time
	seeds   [2]maphash.Seed

	writing sync.Mutex // guards next and swept, and orders the writers of rare
	next    int        // the shard that is swept next
	swept   time.Time  // up to when sweeping is done

	rare    atomic.Pointer[rare]
	cutoffs atomic.Int64 // how many cut-offs by subject or client there are
	shards  [shards]shard
}

// Subject is what a cut-off may end: who and what a token belongs to.
type Subject struct{ Session, Subject, Client, Key string }

// NewSet returns an empty set.
func NewSet() *Set {
	return newSet([2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()})
}

func newSet(seeds [2]maphash.Seed) *Set {
	now := time.Now()
	s := &Set{started: now, swept: now, seeds: seeds}
	s.rare.Store(&rare{})
	return s
}

// Empty returns an empty set that may Replace the content of s.
func (s *Set) Empty() *Set { return newSet(s.seeds) }

// EndSession ends one session. until is when the entry may be dropped; zero
// is never. So it is in the methods that follow.
func (s *Set) EndSession(id string, until time.Time) {
	key, sh := s.locate(id)
	sh.addSession(key, expiryOf(until))
}

// EndSubject ends the subject's sessions smaller than before, a UUID in lower
// case; all of them if before is no such text.
func (s *Set) EndSubject(id, before string, until time.Time) {
	key, sh := s.locate(id)
	s.cutoffs.Add(sh.add(&sh.subjects, key, newCutoff(before, until)))
}

// EndClient ends the client's sessions smaller than before.
func (s *Set) EndClient(id, before string, until time.Time) {
	key, sh := s.locate(id)
	s.cutoffs.Add(sh.add(&sh.clients, key, newCutoff(before, until)))
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
// case is older than every cut-off. It does not allocate.
func (s *Set) Ends(t Subject) bool {
	r := s.rare.Load()
	if r.all != nil && r.all.ends(t.Session) {
		return true
	}
	if _, ok := r.keys[t.Key]; ok {
		return true
	}
	if t.Session != "" {
		if key, sh := s.locate(t.Session); sh.hasSession(key) {
			return true
		}
	}
	if s.cutoffs.Load() == 0 {
		return false
	}
	key, sh := s.locate(t.Subject)
	if c, ok := sh.subject(key); ok && c.ends(t.Session) {
		return true
	}
	key, sh = s.locate(t.Client)
	c, ok := sh.client(key)
	return ok && c.ends(t.Session)
}

// Replace makes the content of fresh, which came from Empty and is not used
// again, that of s. What is in both ends its tokens all the while.
func (s *Set) Replace(fresh *Set) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.rare.Store(fresh.rare.Load())
	s.cutoffs.Add(fresh.cutoffs.Load())
	for i := range s.shards {
		s.cutoffs.Add(-s.shards[i].take(&fresh.shards[i]))
	}
}

// Sweep drops what has expired from one part for each half second that has gone by
// since the last sweep. The clock that counts is the earlier of the wall's and
// the one that began with the set: a wall clock that jumps ahead must not make it
// forget.
func (s *Set) Sweep() {
	s.writing.Lock()
	defer s.writing.Unlock()
	now := time.Now()
	due := min(shards, int(now.Sub(s.swept)/sweepEvery))
	if due == 0 {
		return
	}
	s.swept = now
	if own := s.started.Add(now.Sub(s.started)); own.Unix() < now.Unix() {
		now = own
	}
	for range due {
		s.cutoffs.Add(-s.shards[s.next].sweep(now))
		s.next = (s.next + 1) % shards
	}
	next := s.rare.Load().clone()
	next.sweep(now)
	s.rare.Store(next)
}

// Len is the number of entries, some of which may have expired.
func (s *Set) Len() int {
	r := s.rare.Load()
	n := len(r.keys)
	if r.all != nil {
		n++
	}
	for i := range s.shards {
		n += s.shards[i].len()
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

func (s *Set) locate(id string) (hash128, *shard) {
	var key hash128
	binary.NativeEndian.PutUint64(key[:8], maphash.String(s.seeds[0], id))
	binary.NativeEndian.PutUint64(key[8:], maphash.String(s.seeds[1], id))
	return key, &s.shards[key[0]%shards]
}

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
		until = until.orLater(before)
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
