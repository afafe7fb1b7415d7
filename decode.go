package doorward

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/strict"
	"github.com/doorward/doorward/jwt"
)

// typeAccess is the type of access tokens (RFC 9068 §2.1).
const typeAccess = "at+jwt"

// claimError is an ErrClaims that names the claim.
type claimError struct{ name, problem string }

func (e *claimError) Error() string { return "doorward: claim " + e.name + " " + e.problem }
func (e *claimError) Unwrap() error { return ErrClaims }

// decodeClaims reads the claims of a verified token. With an error it returns
// what it has read so far, for the log.
func (v *Verifier) decodeClaims(token *jwt.Token) (*Claims, error) {
	c := &Claims{raw: strict.Share(token.Claims), KeyID: token.Key.ID()}
	d := decoder{claims: c, escapes: bytes.IndexByte(token.Claims, '\\') >= 0}
	if err := token.Each(d.member); err != nil {
		return c, err
	}
	if err := v.complete(c, token.Header.Type); err != nil {
		return c, err
	}
	return c, v.requireAll(token)
}

// complete checks what needs no clock: that nothing is missing and that the
// times agree with each other.
func (v *Verifier) complete(c *Claims, typ string) error {
	access := strict.SameType(typ, typeAccess)
	switch {
	case c.ExpiresAt.IsZero():
		return &claimError{"exp", "is missing"}
	case c.Subject == "":
		return &claimError{"sub", "is missing or empty"}
	case access && c.ID == "":
		return &claimError{"jti", "is missing or empty"}
	case access && c.IssuedAt.IsZero():
		return &claimError{"iat", "is missing"}
	case !c.notBefore.IsZero() && !c.notBefore.Before(c.ExpiresAt):
		return &claimError{"nbf", "is not before exp"}
	case !c.IssuedAt.IsZero() && !c.IssuedAt.Before(c.ExpiresAt):
		return &claimError{"iat", "is not before exp"}
	case !c.IssuedAt.IsZero() && c.ExpiresAt.Sub(c.IssuedAt) > v.maxLifetime:
		return &claimError{"exp", "is too long after iat: more than MaxLifetime"}
	}
	return nil
}

func (v *Verifier) requireAll(token *jwt.Token) error {
	if len(v.requireClaims) == 0 {
		return nil
	}
	missing := slices.Clone(v.requireClaims)
	err := token.Each(func(name, value []byte) error {
		if string(value) != "null" {
			missing = slices.DeleteFunc(missing, func(s string) bool { return s == string(name) })
		}
		return nil
	})
	if err != nil || len(missing) > 0 {
		return &claimError{strings.Join(missing, ", "), "is required and missing"}
	}
	return nil
}

// decoder reads the members of one set of claims. Nothing is coerced: a claim
// of another type than its own refuses the token.
type decoder struct {
	claims  *Claims
	escapes bool // some string may hold an escape: there is a backslash in the claims
}

func (d decoder) member(name, value []byte) error {
	c := d.claims
	switch string(name) {
	case "iss":
		return d.text(&c.Issuer, "iss", value)
	case "sub":
		return d.text(&c.Subject, "sub", value)
	case "sid":
		return d.text(&c.SessionID, "sid", value)
	case "jti":
		return d.text(&c.ID, "jti", value)
	case "client_id":
		return d.text(&c.ClientID, "client_id", value)
	case "exp":
		return date(&c.ExpiresAt, "exp", value)
	case "iat":
		return positiveDate(&c.IssuedAt, "iat", value)
	case "nbf":
		return positiveDate(&c.notBefore, "nbf", value)
	case "auth_time":
		return positiveDate(&c.AuthTime, "auth_time", value)
	case "aud":
		return d.audience(value)
	case "scope":
		return d.scope(value)
	case "roles":
		return list(&c.Roles, c.room.roles[:0], "roles", value)
	}
	return nil
}

func (d decoder) audience(value []byte) error {
	c := d.claims
	if value[0] != '"' {
		return list(&c.Audience, c.room.audience[:0], "aud", value)
	}
	c.Audience = c.room.audience[:1:1]
	return d.text(&c.room.audience[0], "aud", value)
}

func (d decoder) scope(value []byte) error {
	var words string
	if err := d.text(&words, "scope", value); err != nil {
		return err
	}
	scope, ok := strict.AppendScope(d.claims.room.scope[:0], words)
	if !ok {
		return &claimError{"scope", "is not a list of words separated by single spaces"}
	}
	d.claims.Scope = slices.Clip(scope)
	return nil
}

// text sets dst to memory shared with value, which the strict reader has checked.
func (d decoder) text(dst *string, name string, value []byte) error {
	if value[0] == '"' && !d.escapes {
		*dst = strict.Share(value[1 : len(value)-1])
		return nil
	}
	inner, err := strict.Text(value)
	if err != nil {
		return &claimError{name, "is not a string"}
	}
	*dst = strict.Share(inner)
	return nil
}

func list(dst *[]string, room []string, name string, value []byte) error {
	all, ok := strict.AppendStrings(room, value)
	if !ok {
		return &claimError{name, "is not a list of strings"}
	}
	*dst = slices.Clip(all)
	return nil
}

// date accepts times before 1970: such an exp is not malformed, the token has expired.
func date(dst *time.Time, name string, value []byte) error {
	seconds, nanos, ok := strict.NumericDate(value)
	if !ok {
		return &claimError{name, "is not a time in seconds"}
	}
	*dst = time.Unix(seconds, nanos).UTC()
	return nil
}

func positiveDate(dst *time.Time, name string, value []byte) error {
	if value[0] == '-' {
		return &claimError{name, "is not a time in seconds"}
	}
	return date(dst, name, value)
}
