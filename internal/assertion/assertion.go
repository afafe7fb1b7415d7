// Package assertion signs what a gate tells an upstream of its caller, with keys of its own.
package assertion

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"github.com/doorward/doorward/jwt"
)

// Type is the typ of an assertion. It is not that of an access token, so that neither passes for the other.
const Type = "doorward-assertion+jwt"

// Ring holds the keys that sign assertions. Each is derived from a key that signs access
// tokens, so that every process which has that key has this one too, and publishes, uses
// and revokes both together. Neither reveals anything about the other. The zero Ring is
// empty.
type Ring struct {
	order []string
	keys  map[string]*jwt.Key // by the kid of the access tokens' key
}

// Add derives a key from the secret of the access tokens' key called kid.
func (r *Ring) Add(kid string, secret []byte) error {
	seed, err := hkdf.Key(sha256.New, secret, nil, "doorward assertion 1", ed25519.SeedSize)
	if err != nil {
		return fmt.Errorf("derive assertion key: %w", err)
	}
	key, err := jwt.NewKey(jwt.EdDSA, ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return fmt.Errorf("derive assertion key: %w", err)
	}
	if r.keys == nil {
		r.keys = map[string]*jwt.Key{}
	}
	r.order, r.keys[kid] = append(r.order, kid), key
	return nil
}

// Sign returns an assertion signed with the key that was derived from the key called kid. It returns
// jwt.ErrKey if there is none.
func (r *Ring) Sign(kid string, claims any) (string, error) {
	key, ok := r.keys[kid]
	if !ok {
		return "", fmt.Errorf("%w: no assertion key follows from %q", jwt.ErrKey, kid)
	}
	return jwt.Sign(key, Type, claims)
}

// Public returns the public keys, in the order in which they were added.
func (r *Ring) Public() ([]*jwt.Key, error) {
	public := make([]*jwt.Key, 0, len(r.order))
	for _, kid := range r.order {
		key, err := r.keys[kid].Public()
		if err != nil {
			return nil, err
		}
		public = append(public, key)
	}
	return public, nil
}
