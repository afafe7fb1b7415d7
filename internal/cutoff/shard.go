package cutoff

import (
	"bytes"
	"maps"
	"math"
	"sync"
	"time"
)

// shard is one part of a Set. It is keyed by a 128-bit hash of
// the ID with a secret seed. Two IDs with one hash could only refuse a good
// token, never pass a revoked one.
type shard struct {
	mu       sync.RWMutex // guards the maps
	sessions map[hash128]expiry
	subjects map[hash128]cutoff
	clients  map[hash128]cutoff
}

type hash128 [16]byte

func (sh *shard) hasSession(key hash128) bool {
	sh.mu.RLock()
	_, ok := sh.sessions[key]
	sh.mu.RUnlock()
	return ok
}

func (sh *shard) subject(key hash128) (cutoff, bool) {
	sh.mu.RLock()
	c, ok := sh.subjects[key]
	sh.mu.RUnlock()
	return c, ok
}

func (sh *shard) client(key hash128) (cutoff, bool) {
	sh.mu.RLock()
	c, ok := sh.clients[key]
	sh.mu.RUnlock()
	return c, ok
}

func (sh *shard) addSession(key hash128, until expiry) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.sessions == nil {
		sh.sessions = make(map[hash128]expiry)
	}
	if before, ok := sh.sessions[key]; ok {
		until = until.orLater(before)
	}
	sh.sessions[key] = until
}

// add adds to m, which is one of the shard's maps, and returns by how many
// entries it has grown.
func (sh *shard) add(m *map[hash128]cutoff, key hash128, c cutoff) int64 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if *m == nil {
		*m = make(map[hash128]cutoff)
	}
	before, ok := (*m)[key]
	if ok {
		(*m)[key] = c.merged(before)
		return 0
	}
	(*m)[key] = c
	return 1
}

// take replaces the content by that of from and returns how many cut-offs it had.
func (sh *shard) take(from *shard) int64 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	had := len(sh.subjects) + len(sh.clients)
	sh.sessions, sh.subjects, sh.clients = from.sessions, from.subjects, from.clients
	return int64(had)
}

func (sh *shard) len() int {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return len(sh.sessions) + len(sh.subjects) + len(sh.clients)
}

// sweep drops what has expired and returns how many cut-offs that were.
func (sh *shard) sweep(now time.Time) int64 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	had := len(sh.subjects) + len(sh.clients)
	sh.sessions = swept(sh.sessions, func(e expiry) bool { return e.past(now) })
	sh.subjects = swept(sh.subjects, func(c cutoff) bool { return c.until.past(now) })
	sh.clients = swept(sh.clients, func(c cutoff) bool { return c.until.past(now) })
	return int64(had - len(sh.subjects) - len(sh.clients))
}

// swept returns m without what is past. A map does not shrink, so one that has
// lost more than half is copied.
func swept[K comparable, V any](m map[K]V, past func(V) bool) map[K]V {
	before := len(m)
	maps.DeleteFunc(m, func(_ K, v V) bool { return past(v) })
	if len(m) < before/2 {
		return maps.Clone(m)
	}
	return m
}

// expiry is in seconds since 1970, rounded up; 0 is never. What lies beyond
// 2106 counts as never.
type expiry uint32

func expiryOf(t time.Time) expiry {
	if t.IsZero() {
		return 0
	}
	seconds := t.Add(time.Second - 1).Unix()
	if seconds > math.MaxUint32 {
		return 0
	}
	return expiry(max(seconds, 1))
}

func (e expiry) past(now time.Time) bool { return e != 0 && now.Unix() >= int64(e) }

func (e expiry) orLater(other expiry) expiry {
	if e == 0 || other == 0 {
		return 0
	}
	return max(e, other)
}

// cutoff ends the sessions smaller than before.
type cutoff struct {
	before uuid
	until  expiry
}

// newCutoff ends every session if before cannot be read.
func newCutoff(before string, until time.Time) cutoff {
	u, ok := parseUUID(before)
	if !ok {
		u = uuid(bytes.Repeat([]byte{0xff}, len(u)))
	}
	return cutoff{before: u, until: expiryOf(until)}
}

func (c cutoff) merged(other cutoff) cutoff {
	if bytes.Compare(other.before[:], c.before[:]) > 0 {
		c.before = other.before
	}
	c.until = c.until.orLater(other.until)
	return c
}

// ends reports whether the token's session is older than the cut-off. A sid
// that cannot be compared counts as older.
func (c cutoff) ends(session string) bool {
	sid, ok := parseUUID(session)
	return !ok || bytes.Compare(sid[:], c.before[:]) < 0
}
