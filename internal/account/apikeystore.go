package account

import (
	"context"
	"errors"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// MaxAPIKeys is how many live keys one owner may have. As many that are revoked or expired
// are kept, the newest, for people to look at.
const MaxAPIKeys = 50

// APIKeyUseStep is how exactly the last use of a key is known.
const APIKeyUseStep = time.Hour

// ShownUse is the time that people are shown for the last use of something. It is rounded down to the hour, since the
// minute would tell a thief when the owner is away, but not to before the thing was made. A zero time, for what was never
// used, stays zero.
func ShownUse(used, made time.Time) time.Time {
	hour := used.UTC().Truncate(time.Hour)
	if !used.IsZero() && hour.Before(made) {
		return made.UTC()
	}
	return hour
}

// Errors of an [APIKeyStore].
var (
	// ErrNoAPIKey says that there is no such key, or not of this owner.
	ErrNoAPIKey = errors.New("account: no such API key")
	// ErrAPIKeyBounds says that the owner has MaxAPIKeys live keys.
	ErrAPIKeyBounds = errors.New("account: the owner has 50 API keys already")
	// ErrAPIKeyScope says that a key was to have a scope that its owner does not have.
	ErrAPIKeyScope = errors.New("account: the owner of the API key does not have the scope")
)

// APIKeyStore keeps the keys with which users and clients call without a login, on the
// database of a [Store] and a [ClientStore]. Its methods are as those of [Store]: one
// transaction each, durable when they return, with their event in the audit record. The
// Subject of an event is the owner, and its Reason begins with the key's ID, unless they are set.
//
// The keys of a user or client go with them when they are deleted.
type APIKeyStore interface {
	// CreateAPIKey inserts a key and returns it as stored. Of the owner's keys that are
	// over it drops the oldest beyond MaxAPIKeys. It returns ErrNotFound or ErrNoClient
	// if there is no such owner, ErrAPIKeyScope, or ErrAPIKeyBounds.
	CreateAPIKey(ctx context.Context, row APIKeyRow, ev issuer.Event) (APIKey, error)

	// Client is that of [ClientStore]: the owner of a key may be a client.
	Client(ctx context.Context, idOrName string) (Client, error)

	// APIKey returns the key with this ID, or ErrNoAPIKey.
	APIKey(ctx context.Context, id string) (APIKey, error)

	// APIKeyCredential returns the key with this ID and what its owner is and has, all of
	// one moment, or ErrNoAPIKey, also for a key whose owner is gone.
	APIKeyCredential(ctx context.Context, id string) (APIKeyCredential, error)

	// APIKeys lists keys in the byte order of their IDs.
	APIKeys(ctx context.Context, q APIKeyQuery) ([]APIKey, error)

	// UseAPIKey notes that a key was used, unless that is noted within APIKeyUseStep.
	UseAPIKey(ctx context.Context, id string) error

	// RevokeAPIKey ends a key for ever, and every token made from it, also one in the making:
	// it adds one to the epoch of the key's ID, as a client, and records one cut-off of kind
	// client. It returns ErrNoAPIKey, also if owner is not empty and not the key's. Ending
	// a key again changes nothing and returns the zero Revocation.
	RevokeAPIKey(ctx context.Context, id, owner string, ev issuer.Event) (doorward.Revocation, error)

	// RevokeAPIKeys does so with every live key of an owner, with one event for each.
	RevokeAPIKeys(ctx context.Context, owner string, ev issuer.Event) ([]doorward.Revocation, error)

	// Record writes ev to the audit record.
	Record(ctx context.Context, ev issuer.Event) error
}

// APIKey is what there is to know of a key: not the key itself. Times are in UTC with
// millisecond precision.
type APIKey struct {
	ID    string // with which the key's text begins; never used again
	Owner string // the ID of a user or of a client
	Name  string // for people
	// Scope is what the key may do, as far as its owner may.
	Scope doorward.Scope
	// Everything says that the key may do all that its owner may, whatever that becomes,
	// and has the owner's roles. The role admin is never a key's.
	Everything bool
	// Audiences are those that tokens may be made for; none means all that the owner may have.
	Audiences []string
	CreatedAt time.Time
	// ExpiresAt is when the key stops working. Zero means never.
	ExpiresAt time.Time
	// UsedAt is when the key was last used, as exactly as APIKeyUseStep. Zero means never.
	UsedAt time.Time
	// RevokedAt is when the key was revoked. Zero means that it was not.
	RevokedAt time.Time
}

// Live reports whether the key is neither revoked nor expired at a time of the store.
func (k APIKey) Live(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// APIKeyRow is what [APIKeyStore].CreateAPIKey inserts.
type APIKeyRow struct {
	ID, Owner, Name string
	Scope           doorward.Scope
	Everything      bool
	Audiences       []string
	Digest          [32]byte // the SHA-256 of the key's text, which the store never sees
	// Lifetime is how long the key works, from the store's now. 0 means for ever.
	Lifetime time.Duration
}

// APIKeyCredential is a key with its digest and its owner.
type APIKeyCredential struct {
	Key    APIKey
	Digest [32]byte
	// User or Client is the owner; the other one is zero.
	User   User
	Client Client
	// Scope is what the owner has: a user by their roles, a client by itself.
	Scope doorward.Scope
	// Now is the clock of the store.
	Now time.Time
}

// APIKeyQuery selects keys.
type APIKeyQuery struct {
	// Owner is whose keys; empty means everybody's.
	Owner string
	// After continues a listing: only keys whose ID is greater.
	After string
	// Limit is the greatest number of keys returned; 0 means 100.
	Limit int
}

// The kinds of issuer.Event about API keys.
const (
	EventAPIKeyAdd    issuer.EventKind = "api_key_add"
	EventAPIKeyRevoke issuer.EventKind = "api_key_revoke"
	EventAPIKeyFailed issuer.EventKind = "api_key_failed" // a key that is none, or is over
)
