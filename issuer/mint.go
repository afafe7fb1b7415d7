package issuer

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/opaque"
	"github.com/doorward/doorward/internal/payload"
	"github.com/doorward/doorward/jwt"
)

// tokenType is the typ of access tokens (RFC 9068 §2.1).
const tokenType = "at+jwt"

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
	expires := g.now.Add(payload.Spread(i.cfg.AccessTTL, id)).Truncate(time.Second)
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
	t := payload.Token{
		Issuer: i.cfg.Issuer, Subject: g.session.Subject, Audience: g.audience, ID: id,
		ClientID: g.session.ClientID, SessionID: g.session.ID,
		IssuedAt: g.now, ExpiresAt: expires, AuthTime: g.session.AuthTime,
		Scope: g.scope.String(), Roles: g.subject.Roles,
	}
	if i.cfg.Username {
		t.Username = g.subject.Name
	}
	claims, err := t.Claims(g.session.Claims, g.subject.Claims)
	if err != nil {
		return nil, fmt.Errorf("read claims of session %s: %w", g.session.ID, err)
	}
	return claims, nil
}

func checkClaims(claims map[string]any) error {
	if err := payload.CheckExtra(claims); err != nil {
		return fmt.Errorf("%w: %w", ErrClaims, err)
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
