package quota

import (
	"sync"
	"time"
)

// MaxKeys is how many keys a [Budget] tells apart in one minute, in about 2 MiB.
const MaxKeys = 16384

// Limits are how often something may be done in a minute.
type Limits struct {
	Each int // for one key
	All  int // for all keys together, and for what has none
}

// Budget counts in the current minute by keys that strangers choose, in bounded
// memory: a key that comes after MaxKeys others counts for all of them alone. It is safe
// for concurrent use.
type Budget[K comparable] struct {
	limits Limits

	mu    sync.Mutex // guards what follows
	since time.Time
	all   int
	each  map[K]int
}

// NewBudget returns a Budget of which nothing is spent.
func NewBudget[K comparable](limits Limits) *Budget[K] {
	return &Budget[K]{limits: limits}
}

// Take counts one for key at now. If the limit of the key or of all is reached it counts
// nothing and returns how long until it can be, always more than 0. The zero key has no
// limit of its own.
func (b *Budget[K]) Take(key K, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if age := now.Sub(b.since); b.each == nil || age >= time.Minute || age < 0 {
		b.since, b.all, b.each = now, 0, map[K]int{}
	}
	if b.all >= b.limits.All || b.each[key] >= b.limits.Each {
		return b.since.Add(time.Minute).Sub(now)
	}
	b.all++
	var none K
	if _, seen := b.each[key]; key != none && (seen || len(b.each) < MaxKeys) {
		b.each[key]++
	}
	return 0
}

// Give gives back one that Take has counted for key at taken, if that was in the current minute.
func (b *Budget[K]) Give(key K, taken time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if taken.Before(b.since) || taken.Sub(b.since) >= time.Minute {
		return
	}
	b.all--
	if b.each[key] > 0 {
		b.each[key]--
	}
}
