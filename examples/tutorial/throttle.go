package main

import (
	"sync"
	"time"
)

// After ten wrong passwords for one name, nobody may try that name until ten minutes have passed since the first.
const (
	throttleTries  = 10
	throttleWindow = 10 * time.Minute
	throttleNames  = 10_000
)

// throttle counts logins by name, in memory and so for this process alone. Names that
// nobody has are counted too: a limit for known names alone would tell which they are.
type throttle struct {
	mu    sync.Mutex // guards what follows
	tries map[string]tries
}

type tries struct {
	count int
	until time.Time
}

// reserve counts one try, before the password is looked at: many tries at once are many.
func (t *throttle) reserve(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.tries == nil || len(t.tries) >= throttleNames {
		// The counts are forgotten. To get there, an attacker must have ten thousand passwords hashed.
		t.tries = map[string]tries{}
	}
	made := t.tries[name]
	if !now.Before(made.until) {
		made = tries{until: now.Add(throttleWindow)}
	}
	if made.count >= throttleTries {
		return false
	}
	made.count++
	t.tries[name] = made
	return true
}

// clear forgets the tries for a name whose password was right.
func (t *throttle) clear(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tries, name)
}
