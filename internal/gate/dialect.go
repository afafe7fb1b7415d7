package gate

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/jwt"
)

// Dialect describes the tokens that an upstream checks by itself, so that its check
// may stay as it is. The secret is shared with the upstream and with nobody else: who
// knows it can make no token that Doorward accepts.
type Dialect struct {
	// Header carries the token: after "Bearer " in Authorization, alone in any other.
	Header string
	// Algorithm is HS256, HS384 or HS512; empty means HS256.
	Algorithm jwt.Algorithm
	// Secret is at least as long as the hash: 32 bytes for HS256.
	Secret []byte
	// Claims are written into each token beside iat, nbf, exp and jti. A text that is
	// {subject}, {username}, {roles}, {scope} or {session} stands for what it
	// names; roles are a list. A value that is missing leaves its claim out.
	//
	// {external_id} is the user's ID at the upstream, and {external_id:number} the same as a number. The
	// upstream knows no caller who has none, and the request is refused: a token without it could be taken for
	// that of any user.
	Claims map[string]any
}

// dialect is a Dialect made ready.
type dialect struct {
	header string
	prefix string
	key    *jwt.Key
	claims map[string]any
}

// placeholders are what a claim of a Dialect may stand for.
var placeholders = []string{"{subject}", "{username}", "{external_id}", "{external_id:number}", "{roles}", "{scope}", "{session}"}

// errExternalID says that a caller has no external ID such as the upstream's token must have.
var errExternalID = errors.New("gate: no external ID for the upstream's token")

func newDialect(d *Dialect, names Names) (*dialect, error) {
	if d == nil {
		return nil, nil
	}
	carrier := textproto.CanonicalMIMEHeaderKey(d.Header)
	made := &dialect{header: carrier, claims: d.Claims}
	if carrier == "" {
		return nil, &FieldError{"Token.Header", errors.New("is required")}
	}
	if carrier == "Authorization" {
		made.prefix = "Bearer "
	} else if err := names.check(header{"Token.Header", carrier}); err != nil {
		return nil, err
	}
	if err := d.checkClaims(); err != nil {
		return nil, &FieldError{"Token.Claims", err}
	}
	alg := d.Algorithm
	if alg == "" {
		alg = jwt.HS256
	}
	if !alg.Symmetric() {
		return nil, &FieldError{"Token.Algorithm", fmt.Errorf("%q is not HS256, HS384 or HS512; an assertion is what is signed with a key pair", string(alg))}
	}
	key, err := jwt.NewKey(alg, d.Secret)
	if err != nil {
		return nil, &FieldError{"Token.Secret", err}
	}
	made.key = key
	return made, nil
}

func (d *Dialect) checkClaims() error {
	for _, name := range slices.Sorted(maps.Keys(d.Claims)) {
		text, _ := d.Claims[name].(string)
		// Inside a text a placeholder would stand for nothing, and every caller would be the same one to the upstream.
		if _, rest, _ := strings.Cut(text, "{"); strings.Contains(rest, "}") && !slices.Contains(placeholders, text) {
			return fmt.Errorf("%q: %s is none of %s, which stand alone", name, text, strings.Join(placeholders, ", "))
		}
		if slices.Contains([]string{"iat", "nbf", "exp", "jti"}, name) {
			return fmt.Errorf("%q is set by Doorward", name)
		}
	}
	return nil
}

func (d *dialect) sign(c caller, now time.Time) (field, error) {
	claims := map[string]any{
		"iat": begun(now), "nbf": begun(now), "exp": begun(now) + int64(assertionLifetime/time.Second), "jti": rand.Text(),
	}
	for name, value := range d.claims {
		filled, err := fill(value, c)
		if err != nil {
			return field{}, err
		}
		if filled != nil {
			claims[name] = filled
		}
	}
	token, err := jwt.Sign(d.key, "JWT", claims)
	if err != nil {
		return field{}, err
	}
	return field{d.header, []string{d.prefix + token}}, nil
}

// fill returns what a claim stands for, nil if there is no such thing.
func fill(value any, c caller) (any, error) {
	var text string
	switch value {
	case "{subject}":
		text = c.Subject
	case "{username}":
		text = c.username
	case "{scope}":
		text = c.Scope.String()
	case "{session}":
		text = c.SessionID
	case "{roles}":
		return append([]string{}, c.Roles...), nil
	case "{external_id}":
		if c.externalID == "" {
			return nil, errExternalID
		}
		text = c.externalID
	case "{external_id:number}":
		return wholeNumber(c.externalID)
	default:
		return value, nil
	}
	if text == "" {
		return nil, nil
	}
	return text, nil
}

// maxNumber is the greatest whole number that every reader of JSON reads as it is (RFC 8259 §6).
const maxNumber = 1<<53 - 1

// wholeNumber returns the number of an external ID that is one, written as JSON writes it.
func wholeNumber(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 0 || n > maxNumber || strconv.FormatInt(n, 10) != id {
		return 0, fmt.Errorf("%w: a whole number is wanted", errExternalID)
	}
	return n, nil
}
