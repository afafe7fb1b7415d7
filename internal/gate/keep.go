package gate

import (
	"sync"
	"time"

	"github.com/doorward/doorward"
)

// keepMost is how many tokens' headers each of two generations holds: some 16 MiB in all.
const keepMost = 4096

// keep remembers headers for half the life of what is in them. A full generation
// becomes the old one, and the one before it is dropped.
type keep struct {
	mu         sync.Mutex // guards all below
	young, old map[string]kept
}

type kept struct {
	fields []field
	until  time.Time
}

func newKeep() *keep { return &keep{young: map[string]kept{}} }

// get returns nil if there is nothing fresh. A token without an id is never kept.
func (k *keep) get(c *doorward.Claims, now time.Time) []field {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.young[c.ID]
	if !ok {
		e = k.old[c.ID]
	}
	if !now.Before(e.until) {
		return nil
	}
	return e.fields
}

func (k *keep) put(c *doorward.Claims, fields []field, now time.Time) {
	if c.ID == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.young) >= keepMost {
		k.old, k.young = k.young, make(map[string]kept)
	}
	k.young[c.ID] = kept{fields, now.Add(assertionLifetime / 2)}
}
