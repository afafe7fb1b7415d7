package issuer

import (
	"context"
	"errors"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// Errors of a [Store].
var (
	// ErrNotFound says that there is no such session, key or subject.
	ErrNotFound = errors.New("issuer: not found")
	// ErrConflict says that what was to be swapped has changed since it was
	// read. Nothing was written; the caller reads again and decides anew.
	ErrConflict = errors.New("issuer: changed by someone else")
	// ErrEpoch says that every session of the subject was ended between Begin
	// and Login, for example by a change of password, or every token of the subject
	// or the client between BeginGrant and Grant.
	ErrEpoch = refused("issuer: the subject's sessions were ended during the login", 401, "invalid_credentials", textCredentials)
	// ErrUnavailable says that the database failed or could not be reached, so that
	// nothing is known. A Store wraps it in every error that is not about its data.
	ErrUnavailable = refused("issuer: the store is not available", 503, "unavailable", "the store does not answer; try again shortly", "Retry-After", "5")
)

// Store keeps sessions, revocations and keys. It is three interfaces, split by
// what they guarantee. All methods may be called concurrently, from several
// goroutines and several processes.
//
// Each method is one transaction that reads the store's clock first. A method
// that returned without an error survives a crash of the process and, where
// the disk tells the truth, a loss of power. After an error nothing of it holds.
type Store interface {
	SessionStore
	RevocationLog
	KeyStore
}

// SessionStore keeps one row per session, and one epoch per subject and per client: a counter
// that changes when all their sessions are ended. Its changes to one subject are serializable.
type SessionStore interface {
	// Epoch returns how often all sessions of the subject were ended: 0 for a
	// subject that the store has never seen.
	Epoch(ctx context.Context, subject string) (int64, error)

	// CreateSession inserts a session and returns it as stored. The store makes
	// the ID under the subject's row lock: a UUIDv7 that is greater than every
	// ID and every cut-off of that subject and every cut-off of kind all or
	// client. It returns ErrEpoch if n.Epoch is no longer the subject's.
	CreateSession(ctx context.Context, n NewSession, ev Event) (Session, error)

	// SessionByHandle returns the session of a refresh token, and the store's
	// time at which it was read. A session that a cut-off covers is returned
	// as ended. It returns ErrNotFound if there is none.
	SessionByHandle(ctx context.Context, handle Digest) (Session, time.Time, error)

	// SwapSession writes the change if the session's Rev is still rev, adds one to
	// Rev, and returns the session as stored with the time of the transaction.
	// A change that ends the session also records its cut-off. It returns
	// ErrConflict, and writes nothing, if Rev differs.
	SwapSession(ctx context.Context, id string, rev int64, ch Change, ev Event) (Session, time.Time, error)

	// EndSession ends one session and records its cut-off, also for an ID
	// without a row. Ending it again changes nothing and returns the same cut-off.
	EndSession(ctx context.Context, id, reason string, ev Event) (doorward.Revocation, error)

	// EndSubject ends every session of the subject, live or in the making: it
	// adds one to the epoch and records one cut-off.
	EndSubject(ctx context.Context, subject, reason string, ev Event) (doorward.Revocation, error)

	// CreateGrant makes the ID of a token that belongs to no session, and returns it with the time
	// of the transaction. The ID is made as in CreateSession, under the row locks of both the
	// subject and the client, and greater than every ID and every cut-off of either. It returns
	// ErrEpoch if an epoch is no longer that of the subject or the client, and ErrInactive if
	// NotAfter is less than a second away. It stores the event alone.
	CreateGrant(ctx context.Context, n NewGrant, ev Event) (string, time.Time, error)

	// EndClient ends every token and session of a client so far, and every grant to it in the
	// making: it adds one to the client's epoch and records one cut-off. IDs of sessions that others
	// make for the client at the same moment may be on either side of it. The cut-off does not expire
	// before the last of these sessions would have lapsed.
	EndClient(ctx context.Context, client string, ev Event) (doorward.Revocation, error)

	// Sessions lists sessions, newest first.
	Sessions(ctx context.Context, q SessionQuery) ([]Session, error)
}

// RevocationLog is the record of cut-offs that verifiers follow.
type RevocationLog interface {
	// RevocationsSince returns every cut-off recorded at or after the cursor. The
	// zero Cursor returns all that have not expired. Cut-offs may repeat; none is
	// ever left out.
	RevocationsSince(ctx context.Context, after Cursor) (RevocationPage, error)

	// WaitChange returns when the store may have changed, through whatever
	// process, and at the latest after one second. It is a hint: it may return for nothing.
	WaitChange(ctx context.Context) error

	// Prune deletes what no one can need any more: cut-offs one hour after they
	// expire and sessions that ended or lapsed more than 30 days ago. It returns how many rows
	// it has deleted.
	Prune(ctx context.Context) (int64, error)
}

// KeyStore keeps the sealed keys. It never sees one in the clear.
type KeyStore interface {
	// KeyRing returns all keys and the revision that SwapKeys wants. A new
	// store has revision 0 and no keys.
	KeyRing(ctx context.Context) (KeyRing, error)

	// SwapKeys replaces the ring if its revision is still rev, and records a
	// cut-off of kind key, which never expires, for each ID in revoked. If one of
	// them is a refresh key of the ring that is replaced, it ends every session so far
	// for [ReasonKeyRemoved]: by one cut-off of kind all, which never expires. It
	// returns ErrConflict, and writes nothing, if the revision differs.
	SwapKeys(ctx context.Context, rev int64, keys []StoredKey, revoked []string, ev Event) error
}

// Cursor is a place in the log of cut-offs. Its text means something to its store alone.
type Cursor string

// RevocationPage is one answer of RevocationsSince.
type RevocationPage struct {
	Entries []doorward.Revocation
	Next    Cursor
	// Lineage names the history that Next belongs to. When it changes, what was
	// read before says nothing, and the reader starts from the zero Cursor.
	Lineage string
}

// KeyRing is every key of the issuer at one revision.
type KeyRing struct {
	Rev  int64
	Keys []StoredKey
}

// Purposes of a [StoredKey].
const (
	PurposeSign    = "sign"    // signs access tokens
	PurposeRefresh = "refresh" // authenticates refresh tokens
)

// StoredKey is a key as the store keeps it: sealed under the master key.
type StoredKey struct {
	ID        string // kid
	Purpose   string
	Algorithm jwt.Algorithm // of a signing key; HS256 for a refresh key
	Sealed    []byte
	CreatedAt time.Time
	// UseFrom is when the key begins to make tokens. Of several keys that have begun the latest makes them.
	UseFrom time.Time
	// KeepUntil is when the last token that it made has expired. It is zero while the key makes tokens, or will.
	KeepUntil time.Time
	// AccessTTL is the longest lifetime of an access token that it may have signed.
	AccessTTL time.Duration
}
