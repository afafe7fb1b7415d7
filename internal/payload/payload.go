// Package payload is what an access token says: the claims of RFC 9068 §2.2, and those that a program adds.
package payload

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// reserved are the claims that only the issuer sets.
var reserved = map[string]bool{
	"iss": true, "sub": true, "aud": true, "exp": true, "nbf": true, "iat": true, "jti": true,
	"client_id": true, "sid": true, "auth_time": true, "scope": true, "roles": true,
	"preferred_username": true, "cnf": true, "act": true,
}

// CheckExtra returns an error if claims that a program adds name one that only the issuer sets.
func CheckExtra(claims map[string]any) error {
	for name := range claims {
		if reserved[name] {
			return fmt.Errorf("%q is set by the issuer", name)
		}
	}
	return nil
}

// EncodeExtra checks the claims that a program adds, and returns them as JSON, or nil if there are none.
func EncodeExtra(claims map[string]any) (json.RawMessage, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	if err := CheckExtra(claims); err != nil {
		return nil, err
	}
	return json.Marshal(claims)
}

// Token is the issuer's own claims. A zero AuthTime, and what is empty from Scope on, is left out.
type Token struct {
	Issuer, Subject, Audience, ID string
	ClientID, SessionID           string
	IssuedAt, ExpiresAt, AuthTime time.Time
	Scope                         string
	Roles                         []string
	Username                      string
}

// Claims returns the claims of t together with those that the program has added: to the session, as [EncodeExtra] wrote
// them, and to the subject. The subject's count before the session's, and the issuer's own before both.
func (t Token) Claims(session json.RawMessage, subject map[string]any) (map[string]any, error) {
	claims := make(map[string]any, 16)
	if len(session) > 0 {
		if err := json.Unmarshal(session, &claims); err != nil {
			return nil, err
		}
	}
	maps.Copy(claims, subject)
	maps.Copy(claims, map[string]any{
		"iss": t.Issuer, "sub": t.Subject, "aud": t.Audience,
		"iat": t.IssuedAt.Unix(), "exp": t.ExpiresAt.Unix(), "jti": t.ID,
		"client_id": t.ClientID, "sid": t.SessionID,
	})
	if !t.AuthTime.IsZero() {
		claims["auth_time"] = t.AuthTime.Unix()
	}
	if t.Scope != "" {
		claims["scope"] = t.Scope
	}
	if len(t.Roles) > 0 {
		claims["roles"] = t.Roles
	}
	if t.Username != "" {
		claims["preferred_username"] = t.Username
	}
	return claims, nil
}

// Spread varies a lifetime by ±5 %, so that tokens made together do not all expire together. How much depends on id,
// which is random already and has at least four bytes.
func Spread(ttl time.Duration, id string) time.Duration {
	const steps = 1 << 10
	step := 0
	for _, c := range []byte(id[:4]) {
		step = (step*31 + int(c)) % steps
	}
	return ttl - ttl/20 + ttl/10*time.Duration(step)/steps
}
