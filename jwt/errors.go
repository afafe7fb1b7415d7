package jwt

import (
	"errors"
	"fmt"

	"github.com/doorward/doorward/internal/strict"
	"github.com/doorward/doorward/jwt/internal/jwa"
)

// The reasons for which a token or a key is refused, in the order in which [Verify] finds them. Each error of this
// package wraps exactly one of them and says more in its text; none holds a part of a token or a secret.
var (
	// ErrMalformed: the text is not a signed token in compact form that this package reads, or the claims given to
	// [Sign] are not one.
	ErrMalformed = errors.New("jwt: malformed token")
	// ErrKey: no key fits the token, or a key is not fit for use.
	ErrKey = jwa.ErrKey
	// ErrSignature: the signature is not that of the key.
	ErrSignature = jwa.ErrSignature
	// ErrType: the token is genuine, but of a kind that was not asked for.
	ErrType = errors.New("jwt: wrong type of token")
)

// The errors of Verify are made once, here, so that refusing a token allocates nothing.
var (
	errTooLong      = because(ErrMalformed, "longer than 8 KiB")
	errParts        = because(ErrMalformed, "not three parts joined by dots")
	errEncrypted    = because(ErrMalformed, "five parts: encrypted tokens are not read")
	errJSONForm     = because(ErrMalformed, "JSON serialization is not read")
	errEmpty        = because(ErrMalformed, "a part is empty")
	errHeader64     = because(ErrMalformed, "the header is not strict base64url")
	errScheme       = because(ErrMalformed, "it begins with Bearer: give the token alone")
	errClaims64     = because(ErrMalformed, "the payload is not strict base64url")
	errSignature64  = because(ErrMalformed, "the signature is not strict base64url")
	errNoAlgorithm  = because(ErrMalformed, "the header names no algorithm")
	errHeaderString = because(ErrMalformed, "a registered header parameter is not a string")
	errEmptyKeyID   = because(ErrMalformed, "the kid is empty")
	errCritical     = because(ErrMalformed, "crit is not supported")
	errB64          = because(ErrMalformed, "b64 is not supported (RFC 7797 §7)")
	errZip          = because(ErrMalformed, "compressed tokens are not read")
	errNested       = because(ErrMalformed, "nested tokens are not read")

	errNone         = because(ErrKey, "the token is not signed (alg none)")
	errAlgorithm    = because(ErrKey, "the token's algorithm is not the key's")
	errUnknownKey   = because(ErrKey, "no key has the token's kid")
	errNameless     = because(ErrKey, "the token has no kid, and there is not exactly one key")
	errSharedKeyID  = because(ErrKey, "two keys of the set share a kid")
	errNoKeySet     = because(ErrKey, "no key set")
	errNotToVerify  = because(ErrKey, "the key's key_ops do not allow it to verify")
	errWrongType    = because(ErrType, "its typ is not one of those accepted")
	errNoType       = because(ErrType, "it has no typ")
	errTypesMissing = because(ErrType, "the caller accepts no type")
)

// jsonErrors are the errors of a strict JSON pass, as seen in the header and in the payload.
var jsonErrors = func() (errs []jsonError) {
	for _, cause := range []error{
		strict.ErrUTF8, strict.ErrNotObject, strict.ErrSyntax, strict.ErrNumber, strict.ErrEscape, strict.ErrControl,
		strict.ErrDuplicate, strict.ErrMembers, strict.ErrDepth, strict.ErrTrailing,
	} {
		errs = append(errs, jsonError{
			cause:  cause,
			header: fmt.Errorf("%w: header: %w", ErrMalformed, cause),
			claims: fmt.Errorf("%w: payload: %w", ErrMalformed, cause),
		})
	}
	return errs
}()

type jsonError struct{ cause, header, claims error }

// because returns an error that wraps reason, one of the four above, and says more in text.
func because(reason error, text string) error { return fmt.Errorf("%w: %s", reason, text) }

func headerError(err error) error {
	for i := range jsonErrors {
		if jsonErrors[i].cause == err {
			return jsonErrors[i].header
		}
	}
	return err
}

func claimsError(err error) error {
	for i := range jsonErrors {
		if jsonErrors[i].cause == err {
			return jsonErrors[i].claims
		}
	}
	return err
}
