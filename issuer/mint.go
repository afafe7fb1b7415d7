package issuer

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/opaque"
	"github.com/doorward/doorward/internal/payload"
)

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
	ring := i.ring.Load()
	access, err := i.token(g, id, expires).Sign(ring.signer(g.now), g.session.Claims, g.subject.Claims)
	if err != nil {
		return TokenSet{}, fmt.Errorf("session %s: %w", g.session.ID, err)
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

// check returns ErrClaims if no token can say what g wants. It is asked before anything is written for the token.
func (i *Issuer) check(g grant) error {
	err := i.token(g, "", g.now).Check(i.ring.Load().signer(g.now), g.session.Claims, g.subject.Claims)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrClaims, err)
	}
	return nil
}

// token is the issuer's own claims: those of RFC 9068 §2.2 and the session's.
func (i *Issuer) token(g grant, id string, expires time.Time) payload.Token {
	t := payload.Token{
		Issuer: i.cfg.Issuer, Subject: g.session.Subject, Audience: g.audience, ID: id,
		ClientID: g.session.ClientID, SessionID: g.session.ID,
		IssuedAt: g.now, ExpiresAt: expires, AuthTime: g.session.AuthTime,
		Scope: g.scope.String(), Roles: g.subject.Roles,
	}
	if i.cfg.Username {
		t.Username = g.subject.Name
	}
	return t
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
