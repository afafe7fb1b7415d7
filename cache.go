package doorward

import (
	"context"
	"unsafe"

	"github.com/doorward/doorward/internal/tokencache"
	"github.com/doorward/doorward/jwt"
)

// cache holds tokens whose signature is good. An entry vouches for the
// signature, the type and the form of the claims. Time, issuer, audience and
// revocation are checked anew on each use, and so is that the key set still has
// the key.
type cache = tokencache.Cache[verified]

type verified struct {
	claims *Claims
	key    *jwt.Key
	kid    string // as the token's header has it
}

// cached returns the claims of a token that is known and whose key is still in use, or
// nil. The digest is for keep.
func (v *Verifier) cached(ctx context.Context, raw string, keys jwt.KeySet) (tokencache.Digest, *Claims) {
	d, known, ok := v.cache.Get(raw)
	if !ok {
		return d, nil
	}
	if key, err := keys.Key(ctx, known.kid); err != nil || key != known.key {
		return d, nil
	}
	return d, known.claims
}

// keep remembers a token that has just been verified.
func (v *Verifier) keep(d tokencache.Digest, raw string, token *jwt.Token, c *Claims) {
	if token.Key.Algorithm().Symmetric() {
		return
	}
	size := int(unsafe.Sizeof(*c)) + len(c.raw) + len(token.Header.KeyID)
	v.cache.Put(d, raw, verified{c, token.Key, token.Header.KeyID}, size)
}
