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

	"github.com/doorward/doorward/internal/strict"
	"github.com/doorward/doorward/jwt"
)

// Dialect describes the tokens that an upstream checks by itself, so that its check
// may stay as it is. The secret is shared with the upstream and with nobody else: who
// knows it can make no token that Doorward accepts.
type Dialect struct {
	// Header carries the token.
	Header string
	// Scheme is the word before the token. Empty means Bearer in Authorization and none in any other
	// header; NoScheme means none.
	Scheme string
	// Algorithm is HS256, HS384 or HS512; empty means HS256.
	Algorithm jwt.Algorithm
	// Secret is at least as long as the hash: 32 bytes for HS256.
	Secret []byte
	// Claims are written into each token beside iat, nbf, exp and jti. A text that is
	// {subject}, {username}, {roles}, {scope} or {session} stands for what it
	// names; roles are a list. A value that is missing leaves its claim out. A value may be a map of
	// such values.
	//
	// {external_id} is the user's ID at the upstream, and {external_id:number} the same as a number. The
	// upstream knows no caller who has none, and the request is refused: a token without it could be taken for
	// that of any user.
	Claims map[string]any
}

// NoScheme is the Dialect.Scheme of a token that stands alone.
const NoScheme = "none"

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
	if carrier != "Authorization" {
		if err := names.check(header{"Token.Header", carrier}); err != nil {
			return nil, err
		}
	}
	switch {
	case d.Scheme == NoScheme || d.Scheme == "" && carrier != "Authorization":
	case d.Scheme == "":
		made.prefix = "Bearer "
	case strict.Token(d.Scheme):
		made.prefix = d.Scheme + " "
	default:
		return nil, &FieldError{"Token.Scheme", fmt.Errorf("%q is no word such as Bearer", d.Scheme)}
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
	for _, name := range []string{"iat", "nbf", "exp", "jti"} {
		if _, there := d.Claims[name]; there {
			return fmt.Errorf("%q is set by Doorward", name)
		}
	}
	return checkValues(d.Claims)
}

// checkValues refuses values that no claim should have.
func checkValues(values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if inner, ok := values[name].(map[string]any); ok {
			if len(inner) == 1 && inner["external_id"] == "number" { // what YAML makes of it
				return fmt.Errorf("%q: the placeholder {external_id:number} wants quotes", name)
			}
			if err := checkValues(inner); err != nil {
				return err
			}
			continue
		}
		text, _ := values[name].(string)
		// Inside a text a placeholder would stand for nothing, and every caller would be the same one to the upstream.
		if _, rest, _ := strings.Cut(text, "{"); strings.Contains(rest, "}") && !slices.Contains(placeholders, text) {
			return fmt.Errorf("%q: %s is none of %s, which stand alone", name, text, strings.Join(placeholders, ", "))
		}
	}
	return nil
}

func (d *dialect) sign(c caller, now time.Time) (field, error) {
	claims, err := fillAll(d.claims, c)
	if err != nil {
		return field{}, err
	}
	claims["iat"], claims["nbf"], claims["exp"] = begun(now), begun(now), begun(now)+int64(assertionLifetime/time.Second)
	claims["jti"] = rand.Text()
	token, err := jwt.Sign(d.key, "JWT", claims)
	if err != nil {
		return field{}, err
	}
	return field{d.header, []string{d.prefix + token}}, nil
}

// fillAll returns claims with what they stand for. Those that stand for nothing are left out.
func fillAll(values map[string]any, c caller) (map[string]any, error) {
	all := map[string]any{}
	for name, value := range values {
		filled, err := fill(value, c)
		if err != nil {
			return nil, err
		}
		if filled != nil {
			all[name] = filled
		}
	}
	return all, nil
}

// fill returns what a claim stands for, nil if there is no such thing.
func fill(value any, c caller) (any, error) {
	if inner, ok := value.(map[string]any); ok {
		return fillAll(inner, c)
	}
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
