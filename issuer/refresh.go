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
	"github.com/doorward/doorward/internal/cause"
	"github.com/doorward/doorward/internal/opaque"
	"github.com/doorward/doorward/internal/rotation"
)

// RefreshRequest says what a refresh asks for.
type RefreshRequest struct {
	// Audience is the aud of the access token. Empty means the one of the login.
	Audience string
	// Scope narrows the access token, and the session not at all. Nil asks for all that the session
	// has; another word is ErrScope, which changes nothing.
	Scope doorward.Scope
	// ClientID is the client that asks. Empty means FirstPartyClient.
	ClientID string
	// Event is who asks and from where. Its Kind, Subject and Session are set here.
	Event Event
}

// Refresh answers a refresh token with a fresh access token and the session's
// current refresh token, which may be the one presented. The subject is asked
// anew, so that a changed role takes effect here, be it more or less than before; scope
// never grows beyond what the login was granted.
//
// Every refusal wraps [ErrInvalidGrant] but [ErrTooMany], [ErrAudience], [ErrScope] and [ErrClaims], for claims
// of the subject, which change nothing.
// [ErrReuse] and [ErrRollback] have ended the session. When it returns tokens, the
// rotation is durable.
func (i *Issuer) Refresh(ctx context.Context, token string, req RefreshRequest) (TokenSet, error) {
	presented, err := i.readRefreshToken(token)
	if err != nil {
		return TokenSet{}, err
	}
	// Only tokens with a good MAC are counted, so that strangers cannot fill the memory.
	if !i.limit.Allow(presented.Handle.Digest(), i.cfg.RefreshLimit, time.Now()) {
		return TokenSet{}, ErrTooMany
	}
	for {
		set, err := i.refreshOnce(ctx, presented, req)
		if !errors.Is(err, ErrConflict) { // Else another request for this session came between, and got through.
			return set, err
		}
	}
}

// readRefreshToken reads a token whose MAC is good. If the token names a key that was
// removed the MAC cannot be checked: the error then says that all sessions have ended, and
// nothing else in the token is believed.
func (i *Issuer) readRefreshToken(text string) (opaque.Token, error) {
	presented, err := opaque.Parse(text, i.ring.Load().refresh)
	switch {
	case err == nil:
		return presented, nil
	case errors.Is(err, opaque.ErrKey) && i.keyRevoked(presented.Key.ID()):
		return opaque.Token{}, errKeyRemoved
	}
	return opaque.Token{}, ErrToken
}

// refreshOnce reads, decides and swaps. It returns ErrConflict if the session changed meanwhile.
func (i *Issuer) refreshOnce(ctx context.Context, presented opaque.Token, req RefreshRequest) (TokenSet, error) {
	session, now, err := i.cfg.Store.SessionByHandle(ctx, presented.Handle.Digest())
	if errors.Is(err, ErrNotFound) {
		return TokenSet{}, ErrSessionEnded // Swept since, or the store is an older copy.
	}
	if err != nil {
		return TokenSet{}, err
	}
	g, err := i.regrant(ctx, session, now, req)
	if err != nil {
		return TokenSet{}, cause.With(err, "sub", session.Subject, "sid", session.ID, "end_reason", session.OverFor(now))
	}
	decided, outcome := rotation.Decide(rotation.State(session.State), presented.Generation, now, i.rule)
	if outcome == rotation.Reuse || outcome == rotation.Rollback {
		return TokenSet{}, i.endFamily(ctx, session, outcome, req.Event)
	}
	state := State(decided)
	if state != session.State {
		if g.session, g.now, err = i.advance(ctx, session, state, req.Event); err != nil {
			return TokenSet{}, err
		}
	}
	return i.mint(g, &opaque.Token{Generation: state.Generation, Handle: presented.Handle})
}

// advance stores what the session remembers from now on. If the predecessor of the current
// token came late, that is recorded and logged as a security event.
func (i *Issuer) advance(ctx context.Context, s Session, state State, ev Event) (Session, time.Time, error) {
	ev.Kind, ev.Subject, ev.Session = EventRefresh, s.Subject, s.ID
	late := state.Late && !s.State.Late
	if late {
		ev.Kind, ev.Reason = EventPredecessorUsed, fmt.Sprintf("%d of %d in a row", state.LateRun, i.rule.Budget)
	}
	change := Change{State: state, Used: true, Hold: !state.HeldSince.Equal(s.State.HeldSince)}
	swapped, now, err := i.cfg.Store.SwapSession(ctx, s.ID, s.Rev, change, ev)
	if err != nil {
		return Session{}, time.Time{}, err
	}
	if late {
		i.report(ctx, slog.LevelWarn, "a spent refresh token was used late: an answer was lost, or somebody else holds it", ev)
	}
	return swapped, now, nil
}

// regrant checks that the session may be refreshed by this client, and returns what the next
// access token may say.
func (i *Issuer) regrant(ctx context.Context, s Session, now time.Time, req RefreshRequest) (grant, error) {
	if s.ClientID != cmp.Or(req.ClientID, FirstPartyClient) {
		return grant{}, ErrClient
	}
	if err := refusalOf(s, now); err != nil {
		i.reportLapse(ctx, s, err, req.Event)
		return grant{}, err
	}
	audience, err := i.audience(req.Audience, s.Audience)
	if err != nil {
		return grant{}, err
	}
	subject, err := i.activeSubject(ctx, s.Subject, ErrInactive)
	if err != nil {
		return grant{}, err
	}
	scope, err := narrow(stillGranted(s, subject.Scope), req.Scope)
	g := grant{s, subject, scope, audience, now}
	return g, cmp.Or(err, i.check(g))
}

// reportLapse logs that a session was used after it had lapsed. Nothing else tells of such an
// end: no change of the store goes with it.
func (i *Issuer) reportLapse(ctx context.Context, s Session, refusal error, ev Event) {
	if !errors.Is(refusal, ErrSessionLapsed) {
		return
	}
	ev.Kind, ev.Subject, ev.Session, ev.Reason = EventSessionLapsed, s.Subject, s.ID, RefreshReason(refusal)
	i.report(ctx, slog.LevelInfo, "a session has lapsed", ev)
}

// endFamily ends a session that two parties hold, or whose history is lost.
func (i *Issuer) endFamily(ctx context.Context, s Session, o rotation.Outcome, ev Event) error {
	refused, level := ErrReuse, slog.LevelWarn
	ev.Kind = EventRefreshReuse
	if o == rotation.Rollback { // Not one client's matter: whoever runs the store must look.
		refused, level, ev.Kind = ErrRollback, slog.LevelError, EventStoreRollback
	}
	ev.Subject, ev.Session, ev.Reason = s.Subject, s.ID, refused.reason
	_, _, err := i.cfg.Store.SwapSession(ctx, s.ID, s.Rev, Change{State: s.State, End: refused.reason}, ev)
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	i.report(ctx, level, "the session has ended: "+refused.text, ev)
	if err := i.readRevocations(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return cause.With(refused, "sub", s.Subject, "sid", s.ID, "end_reason", refused.reason)
}

// stillGranted returns the words that the session was granted and that the subject still has.
func stillGranted(s Session, has doorward.Scope) doorward.Scope {
	if s.AllScopes {
		return has
	}
	return slices.DeleteFunc(slices.Clone(s.Scope), func(word string) bool { return !has.Has(word) })
}
