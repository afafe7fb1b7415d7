package cutoff

import (
	"sync"
	"sync/atomic"
	"time"
)

// parts is how many parts a table has. One is swept at a time, and one grows at a time, so that no writer waits long.
const parts = 64

// value is what a table keeps of an entry. It holds no pointers, so that the collector does not look into tables.
type value[V any] interface {
	// merged returns the value that stands for both.
	merged(other V) V
	// past reports whether the entry has expired.
	past(now time.Time) bool
}

// table maps the seeded hashes of IDs to values. The hash is all that is kept of an ID: two IDs with one hash could only
// refuse a good token, never pass a revoked one, and with 64 bits that happens to one session in 10¹³ beside a million
// entries. All methods may be called concurrently.
type table[V value[V]] struct {
	used    atomic.Bool // set before the first entry can be found, and never reset
	entries atomic.Int64
	parts   [parts]part[V]
}

func (t *table[V]) has(hash uint64) bool {
	_, ok := t.part(hash).slots.Load().find(hash)
	return ok
}

func (t *table[V]) get(hash uint64) (v V, ok bool) { return t.part(hash).get(hash) }

func (t *table[V]) add(hash uint64, v V) {
	t.used.Store(true)
	t.entries.Add(t.part(hash).add(hash, v))
}

// take replaces the content of t with that of from, which nobody else uses.
func (t *table[V]) take(from *table[V]) {
	if from.used.Load() {
		t.used.Store(true)
	}
	for i := range t.parts {
		t.entries.Add(t.parts[i].replace(from.parts[i].slots.Load()))
	}
}

// sweep drops what is past from one part.
func (t *table[V]) sweep(i int, now time.Time) { t.entries.Add(t.parts[i].sweep(now)) }

func (t *table[V]) len() int { return int(t.entries.Load()) }

func (t *table[V]) part(hash uint64) *part[V] { return &t.parts[hash>>58] }

// part is one part of a table. Looking for a hash takes no lock; reading its value does.
type part[V value[V]] struct {
	mu    sync.RWMutex // guards the values in slots, and orders those who write
	slots atomic.Pointer[slots[V]]
}

func (p *part[V]) get(hash uint64) (v V, ok bool) {
	s := p.slots.Load()
	i, ok := s.find(hash)
	if !ok {
		return v, false
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return s.values[i], true
}

// add returns by how many entries the part has grown, as do replace and sweep.
func (p *part[V]) add(hash uint64, v V) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.slots.Load()
	if i, ok := s.find(hash); ok {
		s.values[i] = s.values[i].merged(v)
		return 0
	}
	if s.full() {
		s = s.copied(s.len()+1, func(V) bool { return true })
	}
	s.insert(hash, v)
	p.slots.Store(s)
	return 1
}

func (p *part[V]) replace(s *slots[V]) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(s.len() - p.slots.Swap(s).len())
}

func (p *part[V]) sweep(now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, kept := p.slots.Load(), 0
	live := func(v V) bool { return !v.past(now) }
	if s == nil {
		return 0
	}
	for i := range s.hashes {
		if s.hashes[i].Load() != 0 && live(s.values[i]) {
			kept++
		}
	}
	if kept == s.count {
		return 0
	}
	p.slots.Store(s.copied(kept, live))
	return int64(kept - s.count)
}

// slots are a hash table with open addressing: an entry stands in the first free slot from where its hash points to.
// Nothing is ever taken out of it; entries that have expired are left out when it is copied. Nil has no entries.
//
// To search a large table costs a miss of the processor's caches. The filter, which is an eighth of the size of the hashes,
// saves that for all but one in fifty of the searches that find nothing, and for more in slots that are emptier.
type slots[V value[V]] struct {
	filter []atomic.Uint64 // a word for eight slots, in which each entry has set the bits of its mark
	hashes []atomic.Uint64 // 0 is free
	values []V
	count  int
}

// find returns the slot of a hash. It may be called while another goroutine inserts.
func (s *slots[V]) find(hash uint64) (slot int, ok bool) {
	if s == nil {
		return 0, false
	}
	if mark := mark(hash); s.word(hash).Load()&mark != mark {
		return 0, false
	}
	return s.search(hash)
}

// word returns the word of the filter to which a hash belongs.
func (s *slots[V]) word(hash uint64) *atomic.Uint64 {
	return &s.filter[hash>>18&uint64(len(s.filter)-1)]
}

// mark returns three bits of a word. They depend on bits of the hash that choose neither word nor part.
func mark(hash uint64) uint64 { return 1<<(hash&63) | 1<<(hash>>6&63) | 1<<(hash>>12&63) }

// search returns the slot of a hash, or the free one where it belongs.
func (s *slots[V]) search(hash uint64) (slot int, ok bool) {
	last := uint64(len(s.hashes) - 1)
	for i := hash & last; ; i = (i + 1) & last {
		switch s.hashes[i].Load() {
		case hash:
			return int(i), true
		case 0:
			return int(i), false
		}
	}
}

// insert puts an entry into a free slot. It stores the value before the hash, so that a reader who finds the
// hash finds the value too.
func (s *slots[V]) insert(hash uint64, v V) {
	i, _ := s.search(hash)
	s.values[i] = v
	s.hashes[i].Store(hash)
	s.word(hash).Or(mark(hash))
	s.count++
}

// full reports whether only a quarter of the slots is free. With fewer, searches would become long.
func (s *slots[V]) full() bool { return s == nil || s.count >= len(s.hashes)/4*3 }

// copied returns new slots with the entries to keep, of which there are n or one less. A third to two thirds of the new
// slots are free.
func (s *slots[V]) copied(n int, keep func(V) bool) *slots[V] {
	size := 8
	for size*2/3 < n {
		size *= 2
	}
	other := &slots[V]{filter: make([]atomic.Uint64, size/8), hashes: make([]atomic.Uint64, size), values: make([]V, size)}
	if s == nil {
		return other
	}
	for i := range s.hashes {
		if hash := s.hashes[i].Load(); hash != 0 && keep(s.values[i]) {
			other.insert(hash, s.values[i])
		}
	}
	return other
}

func (s *slots[V]) len() int {
	if s == nil {
		return 0
	}
	return s.count
}
