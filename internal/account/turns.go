package account

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/doorward/doorward/password"
)

const (
	turnPlaces   = 2               // tries of one key that are under way at once
	turnWaiting  = 256             // tries, of all keys, that wait for others of their key
	turnPatience = 2 * time.Second // how long one waits
)

// turns lets the tries of one key wait for each other. A try counts until its password turns out to be
// right, so too many at once would use up [TryLimit] and keep each other out, all of them right. The
// places are few because several processes count in one store. The zero value is ready.
type turns struct {
	mu      sync.Mutex // guards what follows
	lines   map[[32]byte]*line
	waiting int
}

// line is the tries of one key: those that have a place and those that wait.
type line struct {
	places chan struct{}
	tries  int
}

// take takes a place among the tries of key until leave is called. It returns password.ErrBusy if too many
// wait or none gets free in time, and the context's error while it waits.
func (t *turns) take(ctx context.Context, key [32]byte) (leave func(), err error) {
	l := t.join(key)
	if l == nil {
		return nil, fmt.Errorf("wait for other tries of this name: %w", password.ErrBusy)
	}
	timer := time.NewTimer(turnPatience)
	defer timer.Stop()
	select {
	case l.places <- struct{}{}:
		return func() { <-l.places; t.quit(key, l) }, nil
	case <-timer.C:
		err = password.ErrBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.quit(key, l)
	return nil, fmt.Errorf("wait for other tries of this name: %w", err)
}

// join adds a try to those of key, or returns nil if too many wait.
func (t *turns) join(key [32]byte) *line {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lines[key]
	if l == nil {
		l = &line{places: make(chan struct{}, turnPlaces)}
	}
	if l.tries >= turnPlaces {
		if t.waiting >= turnWaiting {
			return nil
		}
		t.waiting++
	}
	if t.lines == nil {
		t.lines = map[[32]byte]*line{}
	}
	t.lines[key] = l
	l.tries++
	return l
}

// quit takes a try away from those of key.
func (t *turns) quit(key [32]byte, l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.tries > turnPlaces {
		t.waiting--
	}
	if l.tries--; l.tries == 0 {
		delete(t.lines, key)
	}
}
