// Package quota counts how often something is done in a minute.
package quota

import (
	"sync"
	"time"
)

// PerMinute counts by key in the current minute, in memory. The zero value is
// ready. It is safe for concurrent use. Its memory is that of a minute's keys, so
// strangers must not be able to choose them.
type PerMinute[K comparable] struct {
	mu    sync.Mutex // guards what follows
	since time.Time
	count map[K]int
}

// Allow counts one more for key at now and reports whether that is at most limit.
func (q *PerMinute[K]) Allow(key K, limit int, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if age := now.Sub(q.since); q.count == nil || age >= time.Minute || age < 0 {
		q.since, q.count = now, map[K]int{}
	}
	q.count[key]++
	return q.count[key] <= limit
}
