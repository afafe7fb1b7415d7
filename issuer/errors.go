package issuer

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/doorward/doorward"
)

// Errors of an [Issuer]. Those of refresh wrap [ErrInvalidGrant]. Those that a client may read of have a method
// Refusal, so that doorward.Verifier.Refuse answers them.
var (
	// ErrMasterKey says that the keys in the store were sealed under another master key.
	ErrMasterKey = errors.New("issuer: the master key does not open the keys in the store")
	// ErrCredentials says that nobody is let in. Begin and Login wrap it with [ErrInactive]. Return it for a wrong
	// password and an unknown name too: then nobody can tell these from a right password of an inactive subject.
	ErrCredentials = refused("issuer: not let in", 401, "invalid_credentials", textCredentials)
	// ErrInactive says that the subject is unknown, disabled or deleted.
	ErrInactive = &grantError{reason: "subject_inactive", text: "issuer: the subject is not active"}
	// ErrScope says that a scope was asked for that the subject does not have (RFC 6749 §5.2, invalid_scope).
	ErrScope = refused("issuer: scope not granted", 400, "invalid_scope", "a scope was asked for that the user does not have")
	// ErrAudience says that a token was asked for an audience that is not configured (RFC 8707 §2, invalid_target).
	ErrAudience = refused("issuer: unknown audience", 400, "invalid_target", "this server makes no tokens for that audience")
	// ErrClaims says that no access token can say what was asked for: extra claims cannot be written as JSON or name a claim
	// that the issuer sets itself, or the token, with its roles and scope, would be longer than jwt.MaxSize.
	ErrClaims = errors.New("issuer: claims not allowed")
	// ErrTooMany says that a session was refreshed too often within a minute. Nothing has changed.
	ErrTooMany = refused("issuer: too many refreshes of one session", 429, "too_many_requests", "this session is refreshed too often", "Retry-After", "60")
	// ErrToken says that a token was not made by this issuer, or was made with a key that it no longer has. It is
	// also an ErrInvalidGrant. If the token is no refresh token, the error says, too, what doorward.Verifier.Refuse
	// answers with 401 invalid_token, such as jwt.ErrKey.
	ErrToken = &grantError{text: "issuer: not a token of this issuer"}
	// ErrTwoCookies says that a request carries two refresh cookies, or one with a space in its name: at least one was planted.
	ErrTwoCookies = refused("issuer: not one refresh cookie of the exact name", 400, "invalid_request", "the refresh cookie came twice, or with a space in its name")

	// errNotLetIn is ErrInactive of a login, and errHolder goes with that of a grant.
	errNotLetIn = fmt.Errorf("%w: %w", ErrCredentials, ErrInactive)
	errHolder   = refused("issuer: no grant", 401, "invalid_client", "the client credentials are wrong")
)

const (
	textCredentials = "the user name or the password is wrong"
	textGrant       = "the refresh token is not valid; log in again"
)

// Refusals of [Issuer.Refresh].
var (
	// ErrInvalidGrant is wrapped by every refusal of a refresh token (RFC 6749 §5.2).
	ErrInvalidGrant = refused("issuer: invalid grant", 400, "invalid_grant", textGrant)
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

// Refusal returns what the client reads: why its refresh token is refused.
func (e *grantError) Refusal() *doorward.Refusal {
	return &doorward.Refusal{Status: http.StatusBadRequest, Code: "invalid_grant", Description: textGrant, Reason: e.reason}
}

// clientError is an error that says what the client reads.
type clientError struct {
	text   string
	answer doorward.Refusal
}

// refused returns a clientError. header is the name and the value of a header, or nothing.
func refused(text string, status int, code, description string, header ...string) error {
	e := &clientError{text, doorward.Refusal{Status: status, Code: code, Description: description}}
	if len(header) > 0 {
		e.answer.Header = http.Header{header[0]: header[1:]}
	}
	return e
}

func (e *clientError) Error() string { return e.text }

// Refusal returns what the client reads.
func (e *clientError) Refusal() *doorward.Refusal {
	answer := e.answer
	answer.Header = e.answer.Header.Clone()
	return &answer
}
