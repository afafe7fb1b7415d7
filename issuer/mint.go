package issuer

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/opaque"
	"github.com/doorward/doorward/jwt"
)

// tokenType is the typ of access tokens (RFC 9068 §2.1).
const tokenType = "at+jwt"

// reserved are the claims that only the issuer sets.
var reserved = map[string]bool{
	"iss": true, "sub": true, "aud": true, "exp": true, "nbf": true, "iat": true, "jti": true,
	"client_id": true, "sid": true, "auth_time": true, "scope": true, "roles": true,
	"preferred_username": true, "cnf": true, "act": true,
}

// grant is what one access token says.
type grant struct {
	session  Session
	subject  Subject
	scope    doorward.Scope
	audience string
	now      time.Time // the time of the transaction that authorised it
}

// mint makes the token set of a session. A nil refresh token asks for none.
func (i *Issuer) mint(g grant, refresh *opaque.Token) (TokenSet, error) {
	id := rand.Text()
	expires := g.now.Add(spread(i.cfg.AccessTTL, id)).Truncate(time.Second)
	if end := g.session.AbsoluteEnd; !end.IsZero() && expires.After(end) {
		expires = end.Truncate(time.Second)
	}
	claims, err := i.claims(g, id, expires)
	if err != nil {
		return TokenSet{}, err
	}
	ring := i.ring.Load()
	access, err := jwt.Sign(ring.signer(g.now), tokenType, claims)
	if err != nil {
		return TokenSet{}, fmt.Errorf("sign access token: %w", err)
	}
	set := TokenSet{
		AccessToken: access, TokenType: "Bearer", ExpiresIn: expires.Sub(g.now.Truncate(time.Second)),
		Scope: g.scope, SessionID: g.session.ID, Subject: g.session.Subject,
	}
	if refresh != nil {
		set.RefreshToken = refresh.Text(ring.minter(g.now))
		set.RefreshExpiresAt = earlier(g.session.IdleEnd, g.session.AbsoluteEnd)
	}
	return set, nil
}

// claims are those of RFC 9068 §2.2, the session's own, and the extra ones.
func (i *Issuer) claims(g grant, id string, expires time.Time) (map[string]any, error) {
	claims := make(map[string]any, 16)
	if len(g.session.Claims) > 0 {
		if err := json.Unmarshal(g.session.Claims, &claims); err != nil {
			return nil, fmt.Errorf("read claims of session %s: %w", g.session.ID, err)
		}
	}
	maps.Copy(claims, g.subject.Claims)
	maps.Copy(claims, map[string]any{
		"iss": i.cfg.Issuer, "sub": g.session.Subject, "aud": g.audience,
		"iat": g.now.Unix(), "exp": expires.Unix(), "jti": id,
		"client_id": g.session.ClientID, "sid": g.session.ID,
	})
	if !g.session.AuthTime.IsZero() {
		claims["auth_time"] = g.session.AuthTime.Unix()
	}
	if len(g.scope) > 0 {
		claims["scope"] = g.scope.String()
	}
	if len(g.subject.Roles) > 0 {
		claims["roles"] = g.subject.Roles
	}
	if i.cfg.Username && g.subject.Name != "" {
		claims["preferred_username"] = g.subject.Name
	}
	return claims, nil
}

func checkClaims(claims map[string]any) error {
	for name := range claims {
		if reserved[name] {
			return fmt.Errorf("%w: %q is set by the issuer", ErrClaims, name)
		}
	}
	return nil
}

// spread varies a lifetime by ±5 %, so that tokens made together do not all expire
// together. How much depends on id, which is random already.
func spread(ttl time.Duration, id string) time.Duration {
	const steps = 1 << 10
	step := 0
	for _, c := range []byte(id[:4]) {
		step = (step*31 + int(c)) % steps
	}
	return ttl - ttl/20 + ttl/10*time.Duration(step)/steps
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
