package issuer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/assertion"
	"github.com/doorward/doorward/internal/opaque"
	"github.com/doorward/doorward/jwt"
)

// clockSlack is added to what must outlive the tokens made by other nodes,
// whose clocks may differ.
const clockSlack = 2 * time.Minute

// keyRing is one revision of the store's keys, opened. It is immutable.
type keyRing struct {
	rev     int64
	read    time.Time   // after the store had answered
	stored  []StoredKey // in the order of UseFrom
	signing map[string]*jwt.Key
	refresh map[opaque.KeyName]opaque.Key
	public  *jwt.Set
	asserts assertion.Ring
}

// openRing opens every key of a ring.
func openRing(master MasterKey, ring KeyRing) (*keyRing, error) {
	r := &keyRing{
		rev:     ring.Rev,
		read:    time.Now(),
		stored:  inOrder(ring.Keys),
		signing: map[string]*jwt.Key{},
		refresh: map[opaque.KeyName]opaque.Key{},
	}
	var public []*jwt.Key
	for _, stored := range r.stored {
		plain, err := master.open(stored.Purpose, stored.ID, stored.Sealed)
		if err != nil {
			return nil, err
		}
		if stored.Purpose == PurposeRefresh {
			key, err := opaque.NewKey(stored.ID, plain)
			if err != nil {
				return nil, fmt.Errorf("read keys: %w", err)
			}
			r.refresh[key.Name()] = key
			continue
		}
		key, err := parseSigningKey(stored, plain)
		if err != nil {
			return nil, err
		}
		half, err := key.Public()
		if err != nil {
			return nil, err
		}
		if err := r.asserts.Add(stored.ID, plain); err != nil {
			return nil, err
		}
		r.signing[stored.ID] = key
		public = append(public, half)
	}
	var err error
	r.public, err = jwt.NewSet(public...)
	return r, err
}

// signer returns the key that signs at now: the latest that has begun.
func (r *keyRing) signer(now time.Time) *jwt.Key {
	return r.signing[r.inUse(PurposeSign, now).ID]
}

// minter returns the key that authenticates new refresh tokens at now.
func (r *keyRing) minter(now time.Time) opaque.Key {
	name, _ := opaque.ParseKeyID(r.inUse(PurposeRefresh, now).ID)
	return r.refresh[name]
}

// inUse returns the latest key that has begun. If none has, since the clock went back,
// it returns the earliest.
func (r *keyRing) inUse(purpose string, now time.Time) StoredKey {
	var found StoredKey
	for _, key := range r.stored {
		if key.Purpose == purpose && (found.ID == "" || !key.UseFrom.After(now)) {
			found = key
		}
	}
	return found
}

// newest returns the key of a purpose that begins last.
func (r *keyRing) newest(purpose string) StoredKey {
	for _, key := range slices.Backward(r.stored) {
		if key.Purpose == purpose {
			return key
		}
	}
	return StoredKey{}
}

// keySet is the issuer's public keys as verifiers of this process see them.
type keySet struct{ issuer *Issuer }

func (s keySet) Key(ctx context.Context, kid string) (*jwt.Key, error) {
	return s.issuer.ring.Load().public.Key(ctx, kid)
}

// newSigningKey generates and seals a key that signs from the given time.
func (c Config) newSigningKey(now, from time.Time) (StoredKey, error) {
	key, err := jwt.GenerateKey(c.Algorithm)
	if err != nil {
		return StoredKey{}, fmt.Errorf("generate signing key: %w", err)
	}
	pem, err := key.MarshalPEM()
	if err != nil {
		return StoredKey{}, fmt.Errorf("write signing key: %w", err)
	}
	return StoredKey{
		ID: key.ID(), Purpose: PurposeSign, Algorithm: c.Algorithm,
		Sealed:    c.MasterKey.seal(PurposeSign, key.ID(), pem),
		CreatedAt: now, UseFrom: from,
	}, nil
}

// newStoredRefreshKey generates and seals a key for refresh tokens.
func (c Config) newStoredRefreshKey(now, from time.Time) StoredKey {
	id := opaque.NewKeyName().ID()
	return StoredKey{
		ID: id, Purpose: PurposeRefresh, Algorithm: jwt.HS256,
		Sealed:    c.MasterKey.seal(PurposeRefresh, id, opaque.NewSecret()),
		CreatedAt: now, UseFrom: from,
	}
}

// longestAccess is the longest lifetime that the jitter can give.
func (c Config) longestAccess() time.Duration { return c.AccessTTL + c.AccessTTL/20 }

func parseSigningKey(stored StoredKey, pem []byte) (*jwt.Key, error) {
	key, err := jwt.ParsePEM(stored.Algorithm, pem)
	if err != nil {
		return nil, fmt.Errorf("read signing key %q: %w", stored.ID, err)
	}
	return key.WithID(stored.ID)
}

// inOrder returns keys in the order of UseFrom.
func inOrder(keys []StoredKey) []StoredKey {
	return slices.SortedStableFunc(slices.Values(keys), func(a, b StoredKey) int { return a.UseFrom.Compare(b.UseFrom) })
}

// sameKeys reports whether two rings, both in the order of UseFrom, hold the same keys with the same times.
func sameKeys(a, b []StoredKey) bool {
	return slices.EqualFunc(a, b, func(a, b StoredKey) bool {
		return a.ID == b.ID && a.AccessTTL == b.AccessTTL &&
			a.UseFrom.UnixMilli() == b.UseFrom.UnixMilli() && a.KeepUntil.UnixMilli() == b.KeepUntil.UnixMilli()
	})
}
