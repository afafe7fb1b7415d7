package issuer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// KeyState is where a key is in its life.
type KeyState string

// The states of a key, in order. A key that is gone from the ring has none.
const (
	KeyNext      KeyState = "next"      // published, begins later
	KeyCurrent   KeyState = "current"   // makes tokens
	KeyVerifying KeyState = "verifying" // makes none, but tokens it made may live
)

// KeyInfo describes a key without its secret.
type KeyInfo struct {
	ID        string
	Purpose   string
	Algorithm jwt.Algorithm
	State     KeyState
	CreatedAt time.Time
	UseFrom   time.Time
	KeepUntil time.Time // zero while it makes tokens, or will
}

// JWKS returns the public keys to publish as JSON (RFC 7517 §5). Serve it with the
// Content-Type application/jwk-set+json, without which remote.KeySet refuses it, and with a
// max-age of less than Config.PublishLead.
func (i *Issuer) JWKS() *jwt.Set { return i.ring.Load().public }

// AssertionKeys returns the public keys that verify what [Issuer.Assert] signs: one for each
// key of JWKS, which comes and goes with it. They verify no access token.
func (i *Issuer) AssertionKeys() ([]*jwt.Key, error) { return i.ring.Load().asserts.Public() }

// Assert signs the claims with which a gate tells the API behind it who is calling. Neither
// the typ, doorward-assertion+jwt, nor the key, which is always EdDSA, is that of an access
// token: an assertion cannot pass for one.
func (i *Issuer) Assert(claims any) (string, error) {
	ring := i.ring.Load()
	return ring.asserts.Sign(ring.inUse(PurposeSign, time.Now()).ID, claims)
}

// KeyList returns all keys. The one that begins last is the first.
func (i *Issuer) KeyList(ctx context.Context) ([]KeyInfo, error) {
	if err := i.readKeys(ctx); err != nil {
		return nil, err
	}
	ring, now := i.ring.Load(), time.Now()
	list := make([]KeyInfo, 0, len(ring.stored))
	for _, key := range slices.Backward(ring.stored) {
		state := KeyVerifying
		switch {
		case key.ID == ring.inUse(key.Purpose, now).ID:
			state = KeyCurrent
		case key.UseFrom.After(now):
			state = KeyNext
		}
		list = append(list, KeyInfo{key.ID, key.Purpose, key.Algorithm, state, key.CreatedAt, key.UseFrom, key.KeepUntil})
	}
	return list, nil
}

// RotateKey publishes a new signing key, which signs after Config.PublishLead, and
// returns its kid. If one is published already and waits for its turn, RotateKey makes
// none and returns the kid of that one.
func (i *Issuer) RotateKey(ctx context.Context, ev Event) (string, error) {
	ev.Kind = EventKeyRotate
	err := i.changeKeys(ctx, ev, func(ring *keyRing, now time.Time) ([]StoredKey, []string, error) {
		if ring.newest(PurposeSign).UseFrom.After(now) {
			return ring.stored, nil, nil
		}
		next, err := i.cfg.newSigningKey(now, now.Add(i.cfg.PublishLead))
		return append(slices.Clone(ring.stored), next), nil, err
	})
	if err != nil {
		return "", err
	}
	return i.ring.Load().newest(PurposeSign).ID, nil
}

// RevokeKey is for a key that was stolen: it leaves the key set at once, every token it
// made is refused from now on, and another takes its place without a publish lead.
// It returns [ErrNotFound] for an unknown id.
//
// If it is a refresh key every session ends, whichever key made its tokens, for the reason
// [ReasonKeyRemoved]: with the key, any token ever stolen from a session can be turned into
// its current one. A login that another process answers before it has read of this may have
// to be repeated.
func (i *Issuer) RevokeKey(ctx context.Context, id string, ev Event) error {
	ev.Kind, ev.Reason = EventKeyRevoke, "key "+id
	var gone StoredKey
	err := i.changeKeys(ctx, ev, func(ring *keyRing, now time.Time) ([]StoredKey, []string, error) {
		at := slices.IndexFunc(ring.stored, func(k StoredKey) bool { return k.ID == id })
		if at < 0 {
			return nil, nil, fmt.Errorf("key %q: %w", id, ErrNotFound)
		}
		gone = ring.stored[at]
		keys, err := i.cfg.replaceKey(ring, at, now)
		return keys, []string{id}, err
	})
	if err != nil || gone.Purpose != PurposeRefresh {
		return err
	}
	ev.Reason = ReasonKeyRemoved
	i.report(ctx, slog.LevelWarn, "every session has ended: the refresh key "+id+" was revoked", ev)
	return i.readRevocations(context.WithoutCancel(ctx))
}

// replaceKey takes one key out of the ring. If it is the one in use, a new one begins at
// once, so that no earlier key makes tokens again.
func (c Config) replaceKey(ring *keyRing, at int, now time.Time) ([]StoredKey, error) {
	gone := ring.stored[at]
	keys := slices.Delete(slices.Clone(ring.stored), at, at+1)
	if gone.ID != ring.inUse(gone.Purpose, now).ID {
		return keys, nil
	}
	if gone.Purpose == PurposeRefresh {
		return append(keys, c.newStoredRefreshKey(now, now)), nil
	}
	next, err := c.newSigningKey(now, now)
	return append(keys, next), err
}

// maintainKeys makes the first keys and each next one when its time has come,
// and drops those whose last token has expired. A key that is in the ring though this process
// knows that it was revoked is revoked again: the store has lost that with its last commits.
func (i *Issuer) maintainKeys(ctx context.Context) error {
	err := i.changeKeys(ctx, Event{Kind: EventKeyRotate, Actor: "doorward", Reason: "schedule"}, i.cfg.scheduleKeys)
	if err != nil {
		return err
	}
	for _, key := range i.ring.Load().stored {
		if i.keyRevoked(key.ID) {
			err = errors.Join(err, i.RevokeKey(ctx, key.ID, Event{Actor: "doorward"}))
		}
	}
	return err
}

// keyRevoked reports whether this process knows that a key was revoked. That is a cut-off of kind key, which is looked
// up with a session that no cut-off of another kind ends.
func (i *Issuer) keyRevoked(id string) bool {
	const afterAll = "ffffffff-ffff-ffff-ffff-ffffffffffff"
	return errors.Is(i.revoked.Check(&doorward.Claims{KeyID: id, SessionID: afterAll}), doorward.ErrRevoked)
}

func (c Config) scheduleKeys(ring *keyRing, now time.Time) ([]StoredKey, []string, error) {
	keys := slices.DeleteFunc(slices.Clone(ring.stored), func(k StoredKey) bool {
		return !k.KeepUntil.IsZero() && now.After(k.KeepUntil)
	})
	if from, due := c.nextBegins(ring.newest(PurposeSign), now); due {
		next, err := c.newSigningKey(now, from)
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, next)
	}
	if from, due := c.nextBegins(ring.newest(PurposeRefresh), now); due {
		keys = append(keys, c.newStoredRefreshKey(now, from))
	}
	return keys, nil, nil
}

// nextBegins reports whether a key is due after newest, and when it begins. The
// first key of all begins at once: nobody has cached a key set yet. A key of
// another algorithm is not due before the newest has begun: otherwise two nodes
// that want different ones would replace each other's keys without end.
func (c Config) nextBegins(newest StoredKey, now time.Time) (time.Time, bool) {
	switch {
	case newest.ID == "":
		return now, true
	case newest.Purpose == PurposeSign && newest.Algorithm != c.Algorithm && !newest.UseFrom.After(now):
		return now.Add(c.PublishLead), true
	}
	begins := newest.UseFrom.Add(c.KeyTTL)
	if now.Before(begins.Add(-c.PublishLead - maintainPace)) {
		return time.Time{}, false
	}
	if soonest := now.Add(c.PublishLead); begins.Before(soonest) {
		begins = soonest
	}
	return begins, true
}

// retireKeys sets KeepUntil on each key that has a successor, takes it off the
// others, and raises the lifetime of tokens on those that still make some.
func (c Config) retireKeys(keys []StoredKey, now time.Time) []StoredKey {
	slices.SortStableFunc(keys, func(a, b StoredKey) int { return a.UseFrom.Compare(b.UseFrom) })
	successor := map[string]time.Time{}
	for n := len(keys) - 1; n >= 0; n-- {
		key := &keys[n]
		end, superseded := successor[key.Purpose]
		successor[key.Purpose] = key.UseFrom
		if superseded && !end.After(now) && !key.KeepUntil.IsZero() {
			continue // It makes no tokens any more; what it made is counted.
		}
		lifetime := c.AbsoluteTTL
		if key.Purpose == PurposeSign {
			key.AccessTTL = max(key.AccessTTL, c.longestAccess())
			lifetime = key.AccessTTL
		}
		keep := end.Add(lifetime + clockSlack)
		switch {
		case !superseded:
			key.KeepUntil = time.Time{}
		case keep.After(key.KeepUntil): // A node of shorter lifetimes does not take it back.
			key.KeepUntil = keep
		}
	}
	return keys
}

// changeKeys applies change to the store's ring, again if another process changed it
// meanwhile, and makes the result the ring in use.
func (i *Issuer) changeKeys(ctx context.Context, ev Event, change func(*keyRing, time.Time) ([]StoredKey, []string, error)) error {
	for {
		if err := i.readKeys(ctx); err != nil {
			return err
		}
		ring, now := i.ring.Load(), time.Now()
		keys, revoked, err := change(ring, now)
		if err != nil {
			return err
		}
		keys = i.cfg.retireKeys(slices.Clone(keys), now)
		if len(revoked) == 0 && sameKeys(ring.stored, keys) {
			return nil
		}
		err = i.cfg.Store.SwapKeys(ctx, ring.rev, keys, revoked, ev)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write keys: %w", err)
		}
		for _, id := range revoked { // They are revoked now, even if the ring cannot be read below.
			i.revoked.Add(doorward.Revocation{Kind: doorward.KindKey, ID: id})
		}
		return i.readKeys(context.WithoutCancel(ctx))
	}
}

// readKeys makes the store's ring the one in use if it is another one, unless a later revision already is.
// What was in use before the store was asked is no later revision: a store that has lost its
// last commits gives their numbers again.
func (i *Issuer) readKeys(ctx context.Context) error {
	asked := time.Now()
	stored, err := i.cfg.Store.KeyRing(ctx)
	if err != nil {
		return err
	}
	current := i.ring.Load()
	if current != nil && current.rev == stored.Rev && sameKeys(current.stored, inOrder(stored.Keys)) {
		return nil
	}
	ring, err := openRing(i.cfg.MasterKey, stored)
	if err != nil {
		return err
	}
	for current == nil || current.rev < ring.rev || current.read.Before(asked) {
		if i.ring.CompareAndSwap(current, ring) {
			break
		}
		current = i.ring.Load()
	}
	return nil
}
