package audit

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/issuer"
)

// StoredKey is a key as the store keeps it: sealed under the master key.
type StoredKey struct {
	// Number counts from 1. The key with the greatest seals.
	Number    int64
	ID        string
	Sealed    []byte
	CreatedAt time.Time // to the millisecond
}

// Name is authenticated with the sealed key. It holds the key's number, so that nobody can
// make a key that was replaced the newest again.
func (k StoredKey) Name() string { return fmt.Sprintf("%d %s", k.Number, k.ID) }

// KeyPurpose is the purpose with which a key is sealed, so that no other kind of key can stand in for it.
const KeyPurpose = "audit"

// keyPrefix begins the ID of a key.
const keyPrefix = "dwa_"

// Keys are the keys of a record, opened. They print as nothing.
type Keys struct {
	byID   map[string]key
	newest StoredKey
}

// String returns a placeholder.
func (Keys) String() string { return "[audit keys]" }

// GoString returns a placeholder.
func (Keys) GoString() string { return "[audit keys]" }

type key struct {
	number int64
	id     string
	secret [32]byte
}

// OpenKeys opens the keys of a store. It returns issuer.ErrMasterKey if one was not sealed
// under the master key.
func OpenKeys(master issuer.MasterKey, stored []StoredKey) (Keys, error) {
	keys := Keys{byID: map[string]key{}}
	root, err := seal.ParseMaster(master.Text())
	if err != nil {
		return keys, err
	}
	for _, k := range stored {
		plain, err := seal.Open(root, KeyPurpose, k.Name(), k.Sealed)
		if err != nil || len(plain) != 32 {
			return Keys{}, fmt.Errorf("%w: audit key %q", issuer.ErrMasterKey, k.ID)
		}
		keys.byID[k.ID] = key{number: k.Number, id: k.ID, secret: [32]byte(plain)}
	}
	if len(stored) > 0 {
		keys.newest = slices.MaxFunc(stored, func(a, b StoredKey) int { return cmp.Compare(a.Number, b.Number) })
	}
	return keys, nil
}

// sealing returns the key that seals. There is none in a new store.
func (k Keys) sealing() key { return k.byID[k.newest.ID] }

// newKey makes the key after the newest one.
func (k Keys) newKey(master issuer.MasterKey, now time.Time) (StoredKey, error) {
	root, err := seal.ParseMaster(master.Text())
	if err != nil {
		return StoredKey{}, err
	}
	var secret [32]byte
	rand.Read(secret[:])
	next := StoredKey{Number: k.newest.Number + 1, ID: keyPrefix + strings.ToLower(rand.Text()), CreatedAt: now}
	next.Sealed = seal.Seal(root, KeyPurpose, next.Name(), secret[:])
	return next, nil
}
