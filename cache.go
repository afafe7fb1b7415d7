package doorward

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/doorward/doorward/jwt"
)

// cacheShards is how many locks the cache has, and into how many equal parts
// its memory is divided.
const cacheShards = 16

// entryOverhead is what an entry takes beside its payload: the claims, the
// entry, its place in the map with the room that the map keeps free.
const entryOverhead = int(unsafe.Sizeof(Claims{})+unsafe.Sizeof(cacheEntry{})) + 2*(sha256.Size+8)

// cache remembers tokens whose signature is good, so that the public-key
// operation is done once. It holds positive results only, so strangers cannot
// fill it. An entry vouches for the signature, the type and the form of the
// claims; time, issuer, audience and revocation are asked anew on each use,
// and so is the key set whether the very key is still in it. A nil cache is off.
type cache struct {
	limit  int // bytes per generation of a shard
	used   atomic.Bool
	shards [cacheShards]cacheShard
}

// cacheShard has two generations: when the young one is full it becomes the
// old one, whose entries are dropped unless they are used again.
type cacheShard struct {
	mu         sync.RWMutex // guards all below
	young, old map[digest]*cacheEntry
	bytes      int // of young
}

type digest [sha256.Size]byte

type cacheEntry struct {
	claims *Claims
	key    *jwt.Key
	kid    string // as the token's header has it
	bytes  int
}

func newCache(size int) *cache {
	if size < 0 {
		return nil
	}
	return &cache{limit: size / cacheShards / 2}
}

// lookup returns the digest of the token, for add, and the claims if the
// token is known and its key still in use.
func (c *cache) lookup(ctx context.Context, raw string, keys jwt.KeySet) (digest, *Claims) {
	if c == nil || !c.used.Load() || len(raw) > jwt.MaxSize || strings.Count(raw, ".") != 2 {
		return digest{}, nil
	}
	d := digest(sha256.Sum256(unsafe.Slice(unsafe.StringData(raw), len(raw))))
	s := &c.shards[d[0]%cacheShards]
	s.mu.RLock()
	e, young := s.young[d]
	if !young {
		e = s.old[d]
	}
	s.mu.RUnlock()
	if e == nil {
		return d, nil
	}
	if key, err := keys.Key(ctx, e.kid); err != nil || key != e.key {
		return d, nil
	}
	if !young {
		c.insert(d, e)
	}
	return d, e.claims
}

// add remembers a token that has just been verified. d may be zero.
func (c *cache) add(d digest, raw string, token *jwt.Token, claims *Claims) {
	if c == nil || token.Key.Algorithm().Symmetric() {
		return
	}
	if d == (digest{}) {
		d = sha256.Sum256([]byte(raw))
	}
	size := len(claims.raw) + len(token.Header.KeyID) + entryOverhead
	if size > c.limit {
		return
	}
	c.insert(d, &cacheEntry{claims: claims, key: token.Key, kid: strings.Clone(token.Header.KeyID), bytes: size})
	c.used.Store(true)
}

func (c *cache) insert(d digest, e *cacheEntry) {
	s := &c.shards[d[0]%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.young[d]; before != nil {
		s.bytes -= before.bytes // its key was replaced by another under the same kid
	}
	if s.young == nil || s.bytes+e.bytes > c.limit {
		s.old, s.young, s.bytes = s.young, make(map[digest]*cacheEntry), 0
	}
	s.young[d] = e
	s.bytes += e.bytes
}
