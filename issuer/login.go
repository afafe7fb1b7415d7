package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/opaque"
	"github.com/doorward/doorward/internal/payload"
)

// Attempt is a login or a grant that has begun. It carries the subject's epoch: if all
// sessions of the subject are ended before Login or Grant is called, it fails with ErrEpoch.
type Attempt struct {
	subject     string
	epoch       int64
	client      string // of BeginGrant
	clientEpoch int64
}

// LoginRequest says what a login asks for. The zero request asks for everything
// that the subject may have.
type LoginRequest struct {
	// Scope narrows the grant. Nil asks for all that the subject has, now and at each
	// refresh; a word that the subject does not have is ErrScope.
	Scope doorward.Scope
	// Audience is the aud of the first access token. Empty means Config.Audience.
	Audience string
	// ClientID is the client that logs in. Empty means FirstPartyClient.
	ClientID string
	// Claims are written into each access token of this session.
	Claims map[string]any
	// AuthTime is when the subject proved who they are. Zero means now.
	AuthTime time.Time
	// NoRefresh asks for an access token alone. The session lapses when the token expires.
	NoRefresh bool
	// Event is who asks and from where; the store records it. Its Kind, Subject and Session are set here.
	Event Event
}

// Begin starts the login of a subject. Call it before you read the hash that the
// password is checked against: whatever ends all sessions from then on, as [Issuer.RevokeSubject]
// does after a change of that password, ends this login too. An empty subject is [ErrInactive]. Whether the
// subject exists is checked by Login.
func (i *Issuer) Begin(ctx context.Context, subject string) (Attempt, error) {
	if subject == "" {
		return Attempt{}, fmt.Errorf("begin login: %w", errNotLetIn)
	}
	epoch, err := i.cfg.Store.Epoch(ctx, subject)
	if err != nil {
		return Attempt{}, fmt.Errorf("begin login: %w", err)
	}
	return Attempt{subject: subject, epoch: epoch}, nil
}

// Login makes a session for a subject whose password, or other proof, the caller
// has checked since [Issuer.Begin]. It returns [ErrInactive], which is an [ErrCredentials]
// then, [ErrScope], [ErrAudience], [ErrClaims], or [ErrEpoch] if all sessions of the subject were ended since Begin. When
// it returns tokens, the session is durable.
func (i *Issuer) Login(ctx context.Context, a Attempt, req LoginRequest) (TokenSet, error) {
	subject, err := i.activeSubject(ctx, a.subject, errNotLetIn)
	if err != nil {
		return TokenSet{}, err
	}
	scope, err := narrow(subject.Scope, req.Scope)
	if err != nil {
		return TokenSet{}, err
	}
	audience, err := i.audience(req.Audience, i.cfg.Audience)
	if err != nil {
		return TokenSet{}, err
	}
	claims, err := payload.EncodeExtra(req.Claims)
	if err != nil {
		return TokenSet{}, fmt.Errorf("%w: %w", ErrClaims, err)
	}
	now := time.Now() // The store's time decides; this one stands in for it until the session is there.
	draft := Session{Subject: a.subject, ClientID: cmp.Or(req.ClientID, FirstPartyClient), Claims: claims, AuthTime: cmp.Or(req.AuthTime, now)}
	if err := i.check(grant{draft, subject, scope, audience, now}); err != nil {
		return TokenSet{}, err
	}
	handle := opaque.NewHandle()
	refresh, absolute := &opaque.Token{Handle: handle}, i.cfg.AbsoluteTTL
	if req.NoRefresh {
		refresh, absolute = nil, min(absolute, i.cfg.AccessTTL)
	}
	req.Event.Kind, req.Event.Subject, req.Event.Session = EventLogin, a.subject, "" // The store knows the session.
	session, err := i.cfg.Store.CreateSession(ctx, NewSession{
		Subject: a.subject, Epoch: a.epoch, Handle: handle.Digest(),
		ClientID: draft.ClientID, Scope: scope, AllScopes: req.Scope == nil, Audience: audience, Claims: claims,
		AuthTime: req.AuthTime, Idle: i.cfg.IdleTTL, Absolute: absolute,
	}, req.Event)
	if err != nil {
		return TokenSet{}, err
	}
	return i.mint(grant{session, subject, scope, audience, session.CreatedAt}, refresh)
}

// activeSubject returns the subject, or the error inactive if it is not active.
func (i *Issuer) activeSubject(ctx context.Context, id string, inactive error) (Subject, error) {
	subject, err := i.cfg.Subjects.Subject(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !subject.Active {
		return Subject{}, inactive
	}
	if err != nil {
		return Subject{}, fmt.Errorf("ask for subject: %w", err)
	}
	return subject, nil
}

// audience returns the name asked for, or the other one if none is. A token for
// the issuer itself may always be asked for: whatever Config.Audience is, who logged
// in must be able to change the password and to end sessions there.
func (i *Issuer) audience(asked, otherwise string) (string, error) {
	switch {
	case asked == "":
		return otherwise, nil
	case asked == i.cfg.Issuer || asked == i.cfg.Audience || slices.Contains(i.cfg.Audiences, asked):
		return asked, nil
	}
	return "", ErrAudience
}

// narrow returns the words asked for, all of which the subject must have. What is wrong with those that it has is not
// the client's fault: the error is no doorward.ErrScopeSyntax.
func narrow(granted, asked doorward.Scope) (doorward.Scope, error) {
	if _, err := granted.MarshalText(); err != nil {
		return nil, fmt.Errorf("the subject's scope %q: %s", []string(granted), err.Error())
	}
	if asked == nil {
		return granted, nil
	}
	for _, word := range asked {
		if !granted.Has(word) {
			return nil, ErrScope
		}
	}
	return asked, nil
}
