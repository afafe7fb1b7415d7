// Package strict reads base64url and JSON so that there is only one way to understand a text: a text that two
// readers could understand differently is refused.
//
// The standard library's readers are more tolerant than tokens allow. encoding/base64 skips CR and
// LF, also in its Strict mode. encoding/json takes the last of two members with one name, replaces invalid
// UTF-8 and lone surrogates, and matches struct fields without regard to case. This package does none of that,
// and it refuses without allocating memory, since what it refuses comes from strangers.
//
// It also reads HTTP [Credentials], checks their alphabets ([Token], [Token68], [Quotable]), compares media types, and
// reads scopes ([AppendScope]) and a [NumericDate].
//
// All functions are safe for concurrent use. The errors are fixed values; none quotes its input.
package strict

import "errors"

// The reasons for which a text is refused. Functions return these very values, so they compare with == as well
// as with errors.Is.
var (
	ErrBase64    = errors.New("strict: not canonical base64url without padding")
	ErrUTF8      = errors.New("strict: not UTF-8")
	ErrNotObject = errors.New("strict: not a JSON object")
	ErrNotArray  = errors.New("strict: not a JSON array")
	ErrNotString = errors.New("strict: not a JSON string")
	ErrSyntax    = errors.New("strict: not JSON")
	ErrNumber    = errors.New("strict: malformed JSON number")
	ErrEscape    = errors.New("strict: malformed escape or lone surrogate in a JSON string")
	ErrControl   = errors.New("strict: unescaped control character in a JSON string")
	ErrDuplicate = errors.New("strict: two members of one JSON object have the same name")
	ErrMembers   = errors.New("strict: too many members in a JSON object")
	ErrDepth     = errors.New("strict: JSON nested too deep")
	ErrList      = errors.New("strict: a list of credentials")
	ErrSingle    = errors.New("strict: not one token after the scheme")
	ErrTrailing  = errors.New("strict: something follows the JSON value")
)
