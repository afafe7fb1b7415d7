package quota

import (
	"hash/maphash"
	"sync"
	"time"
)

// shares is how many counters a Spread has.
const shares = 4096

// Spread counts in the current minute by keys that strangers choose, in 16 KiB of
// memory whatever they do: keys share counters, by a hash that they cannot know. So
// it may count too much for a key, never too little. The zero value is ready. It is
// safe for concurrent use.
type Spread struct {
	mu    sync.Mutex // guards what follows
	since time.Time
	seed  maphash.Seed
	count [shares]uint32
}

// Add counts one more for key at now and returns how many that makes in this minute.
func (s *Spread) Add(key string, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now)
	n := &s.count[maphash.String(s.seed, key)%shares]
	*n++
	return int(*n)
}

// turn begins a new minute when it is time. With the new seed, other keys share a counter.
func (s *Spread) turn(now time.Time) {
	if age := now.Sub(s.since); !s.since.IsZero() && age < time.Minute && age >= 0 {
		return
	}
	s.since, s.seed = now, maphash.MakeSeed()
	clear(s.count[:])
}
