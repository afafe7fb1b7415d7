package doorward

import (
	"errors"
	"fmt"

	"github.com/doorward/doorward/jwt"
)

// Errors of [Verifier.Verify], beside those of jwt.Verify. Each but ErrNoKeys
// implies that the signature is good.
var (
	// ErrClaims says that a claim is missing, has the wrong type or contradicts
	// another. It is also a jwt.ErrMalformed.
	ErrClaims = fmt.Errorf("doorward: claims: %w", jwt.ErrMalformed)
	// ErrExpired says that the token's time is over.
	ErrExpired = errors.New("doorward: token expired")
	// ErrNotYet says that the token is from the future, by nbf or iat.
	ErrNotYet = errors.New("doorward: token not valid yet")
	// ErrIssuer says that someone else made the token.
	ErrIssuer = errors.New("doorward: token of another issuer")
	// ErrAudience says that the token is meant for someone else.
	ErrAudience = errors.New("doorward: token for another audience")
	// ErrRevoked says that the token was ended early.
	ErrRevoked = errors.New("doorward: token revoked")
	// ErrNoKeys says that the keys cannot be known now, so that the token cannot
	// be judged. It is also a jwt.ErrKey.
	ErrNoKeys = fmt.Errorf("doorward: keys are not available: %w", jwt.ErrKey)
	// ErrStale says that the token is good as far as is known, but not whether it
	// was revoked.
	ErrStale = errors.New("doorward: revocations are out of date")
	// ErrClock says that the token, or the login, is refused for its time only
	// because this machine's clock is wrong; see Config.ClockOffset.
	ErrClock = errors.New("doorward: the clock of this machine is wrong")
)

// errOutOfTouch is the ErrStale of a RevocationSet. It is made once, so that Check does not allocate.
var errOutOfTouch = fmt.Errorf("%w: does Issuer.Run, or Feed.Run, run, and what does its log say?", ErrStale)

// Errors of a request, seen in [Refusal.Err].
var (
	// ErrNoToken says that the request carries no token.
	ErrNoToken = errors.New("doorward: no token")
	// ErrTwoTokens says that the request carries more than one token.
	ErrTwoTokens = errors.New("doorward: more than one token in the request")
	// ErrRequest says that the credentials do not have the form of RFC 6750 §2.
	ErrRequest = errors.New("doorward: malformed credentials")
	// ErrTooLarge says that the body is too large to look for a token in it.
	ErrTooLarge = errors.New("doorward: body too large")
	// ErrCrossOrigin says that another site's page sent the request with the cookie.
	ErrCrossOrigin = errors.New("doorward: cross-origin request")
	// ErrScope says that the token lacks a scope that the route needs.
	ErrScope = errors.New("doorward: scope missing")
	// ErrRole says that the token has none of the roles that the route needs.
	ErrRole = errors.New("doorward: role missing")
	// ErrLoginAge says that the login is too long ago for the route.
	ErrLoginAge = errors.New("doorward: login too long ago")
)
