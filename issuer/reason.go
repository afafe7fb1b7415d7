package issuer

import (
	"cmp"
	"time"
)

// Why a session is over. It is one word of this set in Session.EndReason and in
// [RefreshReason]; docs/troubleshooting.md tells people what each one means.
const (
	ReasonLogout     = "logout"            // its holder ended it
	ReasonEverywhere = "logout_everywhere" // its subject ended all sessions
	ReasonReuse      = "refresh_reuse"     // two parties held its tokens
	ReasonRollback   = "store_rollback"    // the store has lost its history
	ReasonIdle       = "idle"              // it was not used for Config.IdleTTL
	ReasonExpired    = "expired"           // it was older than Config.AbsoluteTTL
	ReasonPassword   = "password_change"   // its subject changed the password
	ReasonAdmin      = "admin"             // an operator ended it
	ReasonLimit      = "session_limit"     // its subject had too many, and used it the longest ago
	ReasonKeyRemoved = "key_removed"       // a key of refresh tokens was stolen and revoked
)

// unknownReason is for a session whose end nobody has given a reason for.
const unknownReason = "session_ended"

// OverFor returns why the session cannot be refreshed at now, or "" while it is live.
func (s Session) OverFor(now time.Time) string {
	switch {
	case !s.EndedAt.IsZero():
		return cmp.Or(s.EndReason, unknownReason)
	case s.Live(now):
		return ""
	case s.IdleEnd.Before(s.AbsoluteEnd):
		return ReasonIdle
	}
	return ReasonExpired
}

// refusalOf returns the error for the holder of a session that is over, or nil while it is live.
func refusalOf(s Session, now time.Time) error {
	switch reason := s.OverFor(now); reason {
	case "":
		return nil
	case ReasonReuse:
		return ErrReuse
	case ReasonRollback:
		return ErrRollback
	case ReasonIdle, ReasonExpired:
		return &grantError{reason: reason, text: ErrSessionLapsed.text, kind: ErrSessionLapsed}
	case ReasonLogout, ReasonEverywhere, ReasonPassword, ReasonAdmin, ReasonLimit, ReasonKeyRemoved:
		return &grantError{reason: reason, text: ErrSessionEnded.text, kind: ErrSessionEnded}
	}
	return ErrSessionEnded // for a reason that is not of this package
}

// endedBy returns own if the subject of an event has caused it, and ReasonAdmin otherwise.
func endedBy(ev Event, own string) string {
	if ev.Actor != "" && ev.Actor == ev.Subject {
		return own
	}
	return ReasonAdmin
}
