package jwt

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/doorward/doorward/internal/strict"
)

// MaxSetKeys is the largest number of keys that [ParseSet] reads.
const MaxSetKeys = 100

// KeySet finds the key that must have signed a token. [Key] and [Set] are key sets; another implementation may
// change its keys while it is in use, but should answer from memory: [Verify] calls it for tokens that anybody may
// have made up.
//
// Key returns the key whose kid is exactly kid, or an error that wraps [ErrKey]. An empty kid stands for a token
// without one: only a set of exactly one key answers it. An implementation must not guess among its keys, nor use the
// kid for anything but a comparison (RFC 8725 §3.10), and must be safe for concurrent use.
type KeySet interface {
	Key(ctx context.Context, kid string) (*Key, error)
}

// Set is a fixed set of keys (RFC 7517 §5). It is safe for concurrent use.
type Set struct {
	keys []*Key
	byID map[string]*Key
}

// NewSet makes a set; an empty one is allowed. It returns [ErrKey] when two keys share a kid, when one of several
// keys has none, and when secrets are mixed with other keys.
func NewSet(keys ...*Key) (*Set, error) {
	s := &Set{keys: slices.Clone(keys), byID: make(map[string]*Key, len(keys))}
	for _, k := range keys {
		if k == nil {
			return nil, keyError("a key of the set is nil")
		}
		if k.id == "" && len(keys) > 1 {
			return nil, keyError("a key without kid can only be alone in its set")
		}
		if s.byID[k.id] != nil {
			return nil, errSharedKeyID
		}
		if k.alg.Symmetric() != keys[0].alg.Symmetric() {
			return nil, keyError("the set mixes secrets with public keys")
		}
		s.byID[k.id] = k
	}
	return s, nil
}

// ParseSet reads a JWK Set of up to [MaxSetKeys] keys. Keys that cannot be used are left out, as RFC 7517 §5 asks:
// of an unknown kind, weak, for encryption, or without kid among others. It returns [ErrKey] when none is left, when
// the text is not a strict JSON object with an array "keys", and for what [NewSet] refuses.
func ParseSet(data []byte) (*Set, error) {
	raw, err := readKeys(data)
	if err != nil {
		return nil, err
	}
	var keys []*Key
	kids := make(map[string]bool)
	for _, text := range raw {
		j, err := readJWK(text)
		if err != nil || j.has("use") && j.Use != "sig" {
			continue
		}
		if kids[j.ID] && j.ID != "" { // even if one of the two is unusable: nobody knows which was meant
			return nil, errSharedKeyID
		}
		kids[j.ID] = true
		if k, err := j.key(""); err == nil && (k.id != "" || len(raw) == 1) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, keyError("the key set has no usable key")
	}
	return NewSet(keys...)
}

// Key implements [KeySet]. It returns [ErrKey] for a kid that no key has.
func (s *Set) Key(_ context.Context, kid string) (*Key, error) {
	if kid == "" {
		if len(s.keys) != 1 {
			return nil, errNameless
		}
		return s.keys[0], nil
	}
	if k := s.byID[kid]; k != nil {
		return k, nil
	}
	return nil, errUnknownKey
}

// Keys returns the keys in their order.
func (s *Set) Keys() []*Key { return slices.Clone(s.keys) }

// MarshalJSON returns the set with the public half of each key, ready to be published. It fails with [ErrKey] when
// the set holds a secret.
func (s *Set) MarshalJSON() ([]byte, error) {
	keys := s.keys
	if keys == nil {
		keys = []*Key{} // "keys" must be an array
	}
	return json.Marshal(struct {
		Keys []*Key `json:"keys"`
	}{keys})
}

// readKeys returns the text of each element of the array "keys".
func readKeys(data []byte) (keys [][]byte, err error) {
	found := false
	err = strict.Object(data, maxDepth, func(name, value []byte) error {
		if string(name) != "keys" {
			return nil
		}
		found = true
		return strict.Array(value, maxDepth, func(element []byte) error {
			if len(keys) == MaxSetKeys {
				return strict.ErrMembers
			}
			keys = append(keys, bytes.TrimSpace(element))
			return nil
		})
	})
	if err == nil && !found {
		err = strict.ErrNotArray
	}
	if err != nil {
		return nil, keyError("key set: %w", err)
	}
	return keys, nil
}
