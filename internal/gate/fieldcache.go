package gate

import (
	"sync"
	"time"

	"github.com/doorward/doorward"
)

// maxCachedTokens is for how many tokens each of two generations holds the fields: some 16 MiB in all.
const maxCachedTokens = 4096

// fieldCache remembers the fields for each access token, by its ID, for half the life of
// the signatures in them. When the young generation is full it becomes the old one, and the
// old one is dropped.
type fieldCache struct {
	mu         sync.Mutex // guards all below
	young, old map[string]cachedFields
}

type cachedFields struct {
	fields []field
	until  time.Time
}

func newFieldCache() *fieldCache { return &fieldCache{young: map[string]cachedFields{}} }

// get returns nil if there is nothing fresh.
func (f *fieldCache) get(c *doorward.Claims, now time.Time) []field {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.young[c.ID]
	if !ok {
		e = f.old[c.ID]
	}
	if !now.Before(e.until) {
		return nil
	}
	return e.fields
}

// put keeps the fields. Those of a token without an ID have no name to be kept under.
func (f *fieldCache) put(c *doorward.Claims, fields []field, now time.Time) {
	if c.ID == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.young) >= maxCachedTokens {
		f.old, f.young = f.young, make(map[string]cachedFields)
	}
	f.young[c.ID] = cachedFields{fields, now.Add(assertionLifetime / 2)}
}
