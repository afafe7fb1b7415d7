package issuer

import (
	"encoding/json"
	"time"

	"github.com/doorward/doorward"
)

// Digest is the SHA-256 of a refresh token's handle. The store never sees the handle.
type Digest [32]byte

// NewSession is what a login asks the store to insert.
type NewSession struct {
	Subject  string
	Epoch    int64
	Handle   Digest
	ClientID string
	Scope    doorward.Scope
	// AllScopes says that the login named no scope: at each refresh the session has
	// what its subject has then. Scope is what the subject had at the login.
	AllScopes bool
	Audience  string
	// Claims are the extra claims of this login, a JSON object or nil; each
	// access token of the session repeats them.
	Claims json.RawMessage
	// AuthTime is when the person proved who they are. Zero means now.
	AuthTime time.Time
	// Idle and Absolute bound the session: it lapses when it was not refreshed
	// for Idle, and in any case Absolute after its start. Both are positive.
	Idle, Absolute time.Duration
}

// NewGrant describes a token without a session, for which CreateGrant makes an ID.
type NewGrant struct {
	Subject     string
	Epoch       int64
	ClientID    string // may be the Subject
	ClientEpoch int64
	NotAfter    time.Time // zero means never
}

// State is what a session remembers of its refresh tokens. Each rotation makes a new
// generation; only the token of the current one and its predecessor are ever answered.
// Use of the predecessor is late once Config.Window has passed.
type State struct {
	Generation uint32    // the current generation; 0 is the one made by the login
	HeldSince  time.Time // when it was made, or was given out again to a late caller; zero after login
	LateRun    int       // how many late generations count against Config.Budget; one whose predecessor nobody used forgives all
	Late       bool      // the predecessor of the current generation came late
	Mixed      bool      // the predecessor of the current generation came inside the window
	Quiet      int       // generations in a row without a late use
}

// Session is one login: one family of refresh tokens, whose public name is ID.
// Times are in UTC with millisecond precision.
type Session struct {
	ID         string // sid: a UUIDv7 in its 36-character lower-case form
	Handle     Digest
	Subject    string
	Epoch      int64
	ClientID   string
	Scope      doorward.Scope
	AllScopes  bool // as in NewSession
	Audience   string
	Claims     json.RawMessage
	AuthTime   time.Time
	CreatedAt  time.Time
	LastUsedAt time.Time
	// Idle is the idle lifetime; IdleEnd and AbsoluteEnd are when the session lapses.
	Idle        time.Duration
	IdleEnd     time.Time
	AbsoluteEnd time.Time
	// EndedAt is zero while nobody has ended the session; EndReason says why it ended.
	EndedAt   time.Time
	EndReason string

	Rev   int64
	State State
}

// Live reports whether the session can be refreshed at now: nobody ended it and it has not lapsed.
func (s Session) Live(now time.Time) bool {
	return s.EndedAt.IsZero() && now.Before(s.IdleEnd) && now.Before(s.AbsoluteEnd)
}

// Change is what SwapSession writes.
type Change struct {
	State State
	// Used moves LastUsedAt to now, but not back, and IdleEnd to now + Idle.
	Used bool
	// Hold moves State.HeldSince to now, the time of the transaction that writes:
	// a generation is held from when it can be given out, not from when it was decided.
	Hold bool
	// End, if not empty, ends the session for this reason.
	End string
}

// SessionQuery selects sessions. Zero fields do not select.
type SessionQuery struct {
	ID      string
	Subject string
	// Live leaves out sessions that ended or lapsed.
	Live bool
	// Before continues a listing: only sessions with a smaller ID.
	Before string
	// Limit is the greatest number of sessions returned; 0 means 100.
	Limit int
}
