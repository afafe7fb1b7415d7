package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/payload"
	"github.com/doorward/doorward/internal/rotation"
	"github.com/doorward/doorward/jwt"
)

// Logout ends the session of a token: a refresh token of any generation, or an access
// token, even one that has expired or whose session has ended. Doing it again changes
// nothing. If ev.Actor is empty, the subject of the token is recorded as who did it. It
// returns [ErrToken] if this issuer did not make the token.
//
// When it returns nil, this process refuses the session's tokens, and every
// other verifier does within its stated bound.
func (i *Issuer) Logout(ctx context.Context, token string, ev Event) error {
	var err error
	if strings.HasPrefix(token, RefreshTokenPrefix) {
		var s Session
		s, _, err = i.SessionOf(ctx, token)
		ev.Session, ev.Subject = s.ID, s.Subject
	} else {
		ev.Session, ev.Subject, err = i.sessionOfAccessToken(ctx, token)
	}
	if err != nil || ev.Session == "" {
		return err
	}
	ev.Kind, ev.Actor = EventLogout, cmp.Or(ev.Actor, ev.Subject)
	return i.endSession(ctx, ReasonLogout, ev)
}

// RevokeSession ends one session, whoever it belongs to. Its reason is [ReasonLogout]
// if ev.Actor is the session's subject, ev.Subject, and [ReasonAdmin] otherwise.
func (i *Issuer) RevokeSession(ctx context.Context, sid string, ev Event) error {
	ev.Kind, ev.Session = EventSessionEnd, sid
	return i.endSession(ctx, endedBy(ev, ReasonLogout), ev)
}

// RevokeSubject ends every session of a subject, and every login of it that has begun.
// Their reason is [ReasonPassword] if that is ev.Reason, else [ReasonEverywhere] if ev.Actor is
// the subject, and [ReasonAdmin] otherwise.
//
// Call it after a password was changed or a subject was made inactive, and not before: a login
// that begins between the two may still read the old password. A subject that has no session is no error, but an empty one is [ErrNotFound].
func (i *Issuer) RevokeSubject(ctx context.Context, subject string, ev Event) error {
	if subject == "" {
		return fmt.Errorf("end sessions of subject: %w", ErrNotFound)
	}
	ev.Kind, ev.Subject = EventSubjectEnd, subject
	if ev.Reason != ReasonPassword {
		ev.Reason = endedBy(ev, ReasonEverywhere)
	}
	cutoff, err := i.cfg.Store.EndSubject(ctx, subject, ev.Reason, ev)
	if err != nil {
		return fmt.Errorf("end sessions of subject: %w", err)
	}
	i.Apply(cutoff)
	i.report(ctx, slog.LevelInfo, "all sessions of a subject have ended", ev)
	return nil
}

// Apply makes cut-offs that someone else has recorded in the store take effect in this
// process at once, instead of when [Issuer.Run] next reads them.
func (i *Issuer) Apply(cutoffs ...doorward.Revocation) { i.revoked.Add(cutoffs...) }

func (i *Issuer) endSession(ctx context.Context, reason string, ev Event) error {
	ev.Reason = reason
	cutoff, err := i.cfg.Store.EndSession(ctx, ev.Session, reason, ev)
	if err != nil {
		return err
	}
	i.Apply(cutoff)
	i.report(ctx, slog.LevelInfo, "a session has ended", ev)
	return nil
}

// SessionOf returns the session of a refresh token of any generation, or the zero Session if
// it has been deleted or a removed key has ended it. live reports whether the session would
// let [Issuer.Refresh] answer the token now; whether its subject is active is not asked. It
// changes nothing, and returns [ErrToken] if this issuer did not make the token.
func (i *Issuer) SessionOf(ctx context.Context, token string) (s Session, live bool, err error) {
	presented, err := i.readRefreshToken(token)
	if errors.Is(err, errKeyRemoved) {
		return Session{}, false, nil
	}
	if err != nil {
		return Session{}, false, err
	}
	s, now, err := i.cfg.Store.SessionByHandle(ctx, presented.Handle.Digest())
	if errors.Is(err, ErrNotFound) {
		return Session{}, false, nil
	}
	if err != nil {
		return Session{}, false, err
	}
	_, outcome := rotation.Decide(rotation.State(s.State), presented.Generation, now, i.rule)
	return s, s.Live(now) && (outcome == rotation.Again || outcome == rotation.Rotate), nil
}

// sessionOfAccessToken asks only that this issuer signed the token, not that it is still
// good: whoever held it may end its session.
func (i *Issuer) sessionOfAccessToken(ctx context.Context, token string) (sid, subject string, err error) {
	verified, err := jwt.Verify(ctx, token, i.Keys(), payload.Type)
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrToken, err)
	}
	var claims struct {
		Issuer  string `json:"iss"`
		Subject string `json:"sub"`
		Session string `json:"sid"`
	}
	if err := verified.Decode(&claims); err != nil || claims.Issuer != i.cfg.Issuer || claims.Session == "" {
		return "", "", fmt.Errorf("%w: %w", ErrToken, doorward.ErrIssuer)
	}
	return claims.Session, claims.Subject, nil
}
