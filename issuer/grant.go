package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/doorward/doorward"
)

// GrantRequest asks for an access token that belongs to no session: for a client with a credential
// of its own (RFC 6749 §4.4), or for an API key with which a program acts for a subject.
type GrantRequest struct {
	// Holder is what the token says of its subject, and all the scope that it may have. It has to be
	// read after [Issuer.BeginGrant].
	Holder Subject
	// Audiences are those that may be asked for. Empty means Config.Audience alone.
	Audiences []string
	// Scope narrows the grant. Nil asks for all of Holder.Scope; a word that is not in it is ErrScope.
	Scope doorward.Scope
	// Audience is the aud. Empty means the first of Audiences.
	Audience string
	// NotAfter is when the credential expires, and with it the token at the latest. Zero means never.
	NotAfter time.Time
	// Event is who asks and from where. Its Kind, Subject and Session are set here, and its Actor
	// to the client if it is empty.
	Event Event
}

// BeginGrant is [Issuer.Begin] for a token without a session. Call it before you read the credential:
// whatever ends all tokens of the subject or of the client from then on ends this grant too. For a
// client that acts for itself, subject and client are both its client_id.
func (i *Issuer) BeginGrant(ctx context.Context, subject, client string) (Attempt, error) {
	a, err := i.Begin(ctx, subject)
	of := a
	if err == nil && client != subject {
		of, err = i.Begin(ctx, client)
	}
	if err != nil {
		return Attempt{}, err
	}
	a.client, a.clientEpoch = client, of.epoch
	return a, nil
}

// Grant makes an access token, and no refresh token, for a client or a key that the caller has
// authenticated since [Issuer.BeginGrant]. The token has a sid of its own, which is no session in the
// store: [Issuer.RevokeSession] ends this token, [Issuer.RevokeClient] all those of its client. It has
// no auth_time, since nobody logged in. Grant returns [ErrInactive], also if NotAfter has passed,
// [ErrScope], [ErrAudience], [ErrClaims], or [ErrEpoch] if the tokens of the subject or the client
// were ended since BeginGrant.
func (i *Issuer) Grant(ctx context.Context, a Attempt, req GrantRequest) (TokenSet, error) {
	if !req.Holder.Active || a.client == "" {
		return TokenSet{}, fmt.Errorf("%w: %w", errHolder, ErrInactive)
	}
	scope, err := narrow(req.Holder.Scope, req.Scope)
	if err != nil {
		return TokenSet{}, err
	}
	audience, err := i.grantAudience(req)
	if err != nil {
		return TokenSet{}, err
	}
	session := Session{Subject: a.subject, ClientID: a.client, AbsoluteEnd: req.NotAfter}
	if err := i.check(grant{session, req.Holder, scope, audience, time.Now()}); err != nil {
		return TokenSet{}, err
	}
	ev := req.Event
	ev.Kind, ev.Actor, ev.Subject, ev.Session = EventGrant, cmp.Or(ev.Actor, a.client), a.subject, "" // The store makes the sid.
	sid, now, err := i.cfg.Store.CreateGrant(ctx, NewGrant{
		Subject: a.subject, Epoch: a.epoch, ClientID: a.client, ClientEpoch: a.clientEpoch, NotAfter: req.NotAfter,
	}, ev)
	if errors.Is(err, ErrEpoch) || errors.Is(err, ErrInactive) {
		err = fmt.Errorf("%w: %w", errHolder, err)
	}
	if err != nil {
		return TokenSet{}, err
	}
	session.ID = sid
	return i.mint(grant{session, req.Holder, scope, audience, now}, nil)
}

// RevokeClient ends every token and every session that a client has so far, and every grant to it that
// has begun. What it is granted afterwards is not affected.
func (i *Issuer) RevokeClient(ctx context.Context, client string, ev Event) error {
	ev.Kind, ev.Subject = EventClientEnd, client
	cutoff, err := i.cfg.Store.EndClient(ctx, client, ev)
	if err != nil {
		return fmt.Errorf("end tokens of client: %w", err)
	}
	i.Apply(cutoff)
	i.report(ctx, slog.LevelInfo, "all tokens of a client have ended", ev)
	return nil
}

func (i *Issuer) grantAudience(req GrantRequest) (string, error) {
	may := req.Audiences
	if len(may) == 0 {
		may = []string{i.cfg.Audience}
	}
	switch {
	case req.Audience == "":
		return may[0], nil
	case slices.Contains(may, req.Audience):
		return req.Audience, nil
	}
	return "", ErrAudience
}
