package doorward

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/strict"
)

// maxDepth bounds how deep the values of claims may be nested.
const maxDepth = 32

// Claims is what a verified token says; other claims, preferred_username for
// example, are read with [Claims.Extra]. It is shared between requests: read it, never write to it.
type Claims struct {
	Issuer    string   // iss
	Subject   string   // sub, never empty
	Audience  []string // aud
	Scope     Scope    // scope
	Roles     []string // roles
	SessionID string   // sid; empty if the token has none
	ClientID  string   // client_id; empty if the token has none
	ID        string   // jti; empty if the token has none

	IssuedAt  time.Time // iat, UTC; zero if the token has none
	ExpiresAt time.Time // exp, UTC
	AuthTime  time.Time // auth_time, when the person last proved who they are, UTC; zero if the token has none

	// KeyID names the key that made the signature. It is the ID that the
	// verifier's key has, whatever the token's header says.
	KeyID string

	notBefore time.Time
	raw       string
	// Room for the usual token, so that it takes no allocations of its own.
	room struct {
		audience [1]string
		scope    [6]string
		roles    [3]string
	}
}

// HasRole reports whether role is one of the roles. The comparison is exact.
func (c *Claims) HasRole(role string) bool {
	return slices.Contains(c.Roles, role)
}

// Extra decodes the claim called name into v, a pointer, as encoding/json
// does. It reports whether the token has the claim. It decodes again on each
// call and may be called concurrently.
func (c *Claims) Extra(name string, v any) (bool, error) {
	var found []byte
	err := strict.Object([]byte(c.raw), maxDepth, func(member, value []byte) error {
		if string(member) == name {
			found = value
		}
		return nil
	})
	if err != nil || found == nil {
		return false, nil // Claims that were not made by a Verifier have no extras.
	}
	if err := json.Unmarshal(found, v); err != nil {
		return true, fmt.Errorf("doorward: claim %q: %w", name, err)
	}
	return true, nil
}
