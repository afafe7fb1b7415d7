// Package tokencache remembers tokens whose signature is good, each with a value, so that the public-key operation is
// done once. It knows nothing of claims and keys: its user checks again whatever can change.
package tokencache

import (
	"crypto/sha256"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// shards is how many locks a cache has, and into how many equal parts its memory is divided.
const shards = 16

// maxToken and maxSignature are the greatest lengths of a token (jwt.MaxSize) and of its signature (RSA with 8,192
// bits) in letters. They bound what is hashed for a token that anybody may have sent.
const (
	maxToken     = 8 << 10
	maxSignature = 1366
)

// overhead is what an entry takes beside its texts and its value: itself, its place in the map, and the room that the
// map keeps free.
const overhead = int(unsafe.Sizeof(entry[any]{})) + 2*(sha256.Size+8)

// Cache is a bounded set of tokens, each with a value. It holds positive results only, so strangers cannot fill it.
// A nil cache is off. All methods may be called concurrently.
//
// An entry is found by the SHA-256 of the token's signature, and counts only if the signed text is the same too. So no
// signature is kept, and no token can be read out of the cache. To hash the whole token would be most of the cost of a
// hit.
type Cache[V any] struct {
	limit  int // bytes per generation of a shard
	used   atomic.Bool
	shards [shards]shard[V]
}

// shard has two generations: when the young one is full it becomes the old one, whose entries are dropped unless they
// are used again.
type shard[V any] struct {
	mu         sync.RWMutex // guards all below
	young, old map[Digest]*entry[V]
	bytes      int // of young
}

// Digest is the SHA-256 of a signature. The zero value stands for one that was not computed.
type Digest [sha256.Size]byte

type entry[V any] struct {
	signed string // the token without its signature
	value  V
	bytes  int
}

// New makes a cache of about size bytes, or nil if size is negative.
func New[V any](size int) *Cache[V] {
	if size < 0 {
		return nil
	}
	return &Cache[V]{limit: size / shards / 2}
}

// Get returns the value of a token and whether there is one, and the digest of its signature, for Put. It does not
// allocate unless it moves an entry to the young generation.
func (c *Cache[V]) Get(token string) (d Digest, value V, ok bool) {
	if c == nil || !c.used.Load() || len(token) > maxToken {
		return d, value, false
	}
	signed, signature := cut(token)
	if len(signature) > maxSignature {
		return d, value, false
	}
	d = digestOf(signature)
	e, young := c.shard(d).find(d)
	if e == nil || e.signed != signed {
		return d, value, false
	}
	if !young {
		c.shard(d).insert(d, e, c.limit)
	}
	return d, e.value, true
}

// Put remembers a token that has just been verified. d is what Get has returned for it; size is what the value takes,
// in bytes. A later value takes the place of an earlier one.
func (c *Cache[V]) Put(d Digest, token string, value V, size int) {
	if c == nil {
		return
	}
	signed, signature := cut(token)
	if d == (Digest{}) {
		d = digestOf(signature)
	}
	if size += len(signed) + overhead; size > c.limit {
		return
	}
	c.shard(d).insert(d, &entry[V]{signed: strings.Clone(signed), value: value, bytes: size}, c.limit)
	c.used.Store(true)
}

func (c *Cache[V]) shard(d Digest) *shard[V] { return &c.shards[d[0]%shards] }

func (s *shard[V]) find(d Digest) (e *entry[V], young bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e, young = s.young[d]; !young {
		e = s.old[d]
	}
	return e, young
}

func (s *shard[V]) insert(d Digest, e *entry[V], limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.young[d]; before != nil {
		s.bytes -= before.bytes
	}
	if s.young == nil || s.bytes+e.bytes > limit {
		s.old, s.young, s.bytes = s.young, make(map[Digest]*entry[V]), 0
	}
	s.young[d] = e
	s.bytes += e.bytes
}

// cut cuts a token behind its second dot. A text without two dots is never in the cache.
func cut(token string) (signed, signature string) {
	first := strings.IndexByte(token, '.') + 1
	second := first + strings.IndexByte(token[first:], '.') + 1
	return token[:second], token[second:]
}

func digestOf(signature string) Digest {
	return sha256.Sum256(unsafe.Slice(unsafe.StringData(signature), len(signature)))
}
