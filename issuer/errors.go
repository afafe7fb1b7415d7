package issuer

import "errors"

// Errors of an [Issuer]. Those of refresh wrap [ErrInvalidGrant].
var (
	// ErrMasterKey says that the keys in the store were sealed under another master key.
	ErrMasterKey = errors.New("issuer: the master key does not open the keys in the store")
	// ErrInactive says that the subject is unknown, disabled or deleted.
	ErrInactive = &grantError{reason: "subject_inactive", text: "issuer: the subject is not active"}
	// ErrScope says that a scope was asked for that the subject does not have (RFC 6749 §5.2, invalid_scope).
	ErrScope = errors.New("issuer: scope not granted")
	// ErrAudience says that a token was asked for an audience that is not configured (RFC 8707 §2, invalid_target).
	ErrAudience = errors.New("issuer: unknown audience")
	// ErrClaims says that extra claims are not a JSON object or name a claim that the issuer sets itself.
	ErrClaims = errors.New("issuer: extra claims not allowed")
	// ErrTooMany says that a session was refreshed too often within a minute. Nothing has changed.
	ErrTooMany = errors.New("issuer: too many refreshes of one session")
	// ErrToken says that a token was not made by this issuer, or was made with a key that it no longer has. It is
	// also an ErrInvalidGrant, and a jwt.ErrKey, so that doorward.Verifier.Refuse answers it with 401.
	ErrToken = &grantError{text: "issuer: not a token of this issuer", kind: errStranger}
	// ErrTwoCookies says that a request carries two refresh cookies, or one with a space in its name: at least one was planted.
	ErrTwoCookies = errors.New("issuer: not one refresh cookie of the exact name")
)

// Refusals of [Issuer.Refresh].
var (
	// ErrInvalidGrant is wrapped by every refusal of a refresh token (RFC 6749 §5.2).
	ErrInvalidGrant = errors.New("issuer: invalid grant")
	// ErrSessionEnded says that the session was ended, by a logout for example, or is no
	// longer in the store. [RefreshReason] tells why, for as long as the store knows.
	ErrSessionEnded = &grantError{reason: unknownReason, text: "issuer: the session has ended"}
	// ErrSessionLapsed says that the session reached its idle or absolute end.
	ErrSessionLapsed = &grantError{reason: ReasonExpired, text: "issuer: the session has lapsed"}
	// ErrReuse says that two parties held the session's tokens, and that it has ended for that reason.
	ErrReuse = &grantError{reason: ReasonReuse, text: "issuer: a spent refresh token was presented"}
	// ErrRollback says that the token is newer than the store: the store was
	// restored from a copy or lost its last writes. The session has ended.
	ErrRollback = &grantError{reason: ReasonRollback, text: "issuer: the store has lost the session's history"}
	// ErrClient says that the session belongs to another client. It is untouched.
	ErrClient = &grantError{text: "issuer: the session belongs to another client"}

	errKeyRemoved = &grantError{reason: ReasonKeyRemoved, text: "issuer: the key of the refresh token was removed", kind: ErrSessionEnded}
)

// RefreshReason returns the one word that tells the holder of a refused refresh token
// why: one of the Reason constants, "subject_inactive" for [ErrInactive], or
// "session_ended" if the store knows no more. It returns "" for a token whose MAC was
// wrong, or whose session belongs to another client: who presents it is owed no reason.
// [ReasonKeyRemoved] may also mean a token that was made up, since the MAC of a removed
// key cannot be checked any more.
func RefreshReason(err error) string {
	if refused, ok := errors.AsType[*grantError](err); ok {
		return refused.reason
	}
	return ""
}

// grantError is a refusal of a refresh token. Kind is the more general one that it
// stands for, or nil.
type grantError struct {
	reason, text string
	kind         error
}

func (e *grantError) Error() string { return e.text }

func (e *grantError) Unwrap() error {
	if e.kind != nil {
		return e.kind
	}
	return ErrInvalidGrant
}
