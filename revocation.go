package doorward

import "time"

// Kind says what a [Revocation] ends.
type Kind string

// The kinds of Revocation.
const (
	KindSession Kind = "session" // one session: every token with that sid
	KindSubject Kind = "subject" // a subject's sessions that began before the cut-off
	KindClient  Kind = "client"  // a client's sessions that began before the cut-off
	KindKey     Kind = "key"     // every token signed with that kid
	KindAll     Kind = "all"     // everyone's sessions that began before the cut-off
)

// Revocation is a cut-off: it ends tokens before they expire, by what they
// belong to. It never names the text of a token, since one token has several
// texts.
type Revocation struct {
	Kind Kind
	// ID is the sid, sub, client_id or kid. It is empty for KindAll.
	ID string
	// Before is a UUIDv7 in its lower-case text form: sessions whose sid is
	// smaller, compared as 128 bits, have ended. It is empty for KindSession and
	// KindKey. Any other cut-off whose Before cannot be read ends all the sessions
	// that it is about.
	Before string
	// ExpiresAt is when the last token that it ends has expired; from then on
	// it need not be kept. Zero means never.
	ExpiresAt time.Time
}

// Revocations answers whether a verified token was ended early. Check returns
// nil, or an error for which errors.Is finds ErrRevoked or ErrStale: ended, or
// too long out of touch to know. It does no I/O and may be called concurrently.
// Any other error counts as ErrStale.
type Revocations interface {
	Check(c *Claims) error
}

// NoRevocations is for verifiers that accept each token until it expires:
// logging out does not reach them.
var NoRevocations Revocations = noRevocations{}

type noRevocations struct{}

func (noRevocations) Check(*Claims) error { return nil }
