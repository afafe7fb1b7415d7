package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

// GrantLimit is how many tokens a client may ask a node for in a minute. Each costs a write to the store, and can be
// used for minutes.
const GrantLimit = 600

// grantTries is how often a grant begins anew because the client's tokens were ended meanwhile.
const grantTries = 3

// tokenAnswer is the answer of RFC 6749 §5.1.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitzero"`
	Scope        string `json:"scope,omitzero"`
}

// token answers a grant with tokens.
func (e *Endpoints) token(w http.ResponseWriter, r *http.Request) error {
	form, err := endpoint.ReadForm(w, r, "resource")
	if err != nil {
		return err
	}
	if form.Get("grant_type") == grantExchange && e.cfg.Keys != nil {
		return e.exchange(w, r, form)
	}
	client, err := e.authenticate(r, form)
	if err != nil {
		return err
	}
	asked, err := parseAsked(form)
	if err != nil {
		return err
	}
	var set issuer.TokenSet
	switch form.Get("grant_type") {
	case "client_credentials":
		set, err = e.clientCredentials(r, client.ID, asked)
	case "refresh_token":
		set, err = e.refresh(r, client, form.Get("refresh_token"), asked)
	case "":
		err = endpoint.InvalidRequest("grant_type is required", nil)
	default:
		err = badRequest("unsupported_grant_type", "the grants here are client_credentials, refresh_token and token exchange (RFC 8693)", nil)
	}
	if err != nil {
		return e.explain(err)
	}
	endpoint.Identify(r, set.Subject, set.SessionID)
	w.Header().Set("Pragma", "no-cache")
	endpoint.WriteJSON(w, http.StatusOK, tokenAnswer{
		set.AccessToken, set.TokenType, int64(set.ExpiresIn / time.Second), set.RefreshToken, set.Scope.String(),
	})
	return nil
}

// asked is how a request narrows the token that it asks for.
type asked struct {
	scope    doorward.Scope // nil for all
	audience string         // "" for the default
}

// parseAsked reads scope (RFC 6749 §3.3), and resource (RFC 8707 §2) or audience (RFC 8693 §2.1), which mean the same
// here. A token has exactly one audience.
func parseAsked(form url.Values) (asked, error) {
	var a asked
	if form.Has("scope") {
		scope, err := doorward.ParseScope(form.Get("scope"))
		if err != nil {
			return a, fmt.Errorf("read scope: %w", err)
		}
		a.scope = scope
	}
	if len(form["resource"]) > 1 {
		return a, badRequest("invalid_target", "a token has one audience: ask for one resource", nil)
	}
	resource, audience := form.Get("resource"), form.Get("audience")
	if resource != "" && audience != "" && resource != audience {
		return a, badRequest("invalid_target", "a token has one audience: resource and audience name two", nil)
	}
	a.audience = cmp.Or(resource, audience)
	return a, nil
}

// clientCredentials makes a token of a client that acts for itself (RFC 6749 §4.4), without a refresh
// token. The client is read once more after the grant has begun, so that a client that is disabled
// meanwhile gets none.
func (e *Endpoints) clientCredentials(r *http.Request, id string, a asked) (set issuer.TokenSet, err error) {
	if !e.granted.Allow(id, GrantLimit, time.Now()) {
		return set, &endpoint.Failure{
			Status: http.StatusTooManyRequests, Code: "too_many_requests",
			Description: "this client asks for tokens too often; keep a token until it expires", RetryAfter: time.Minute,
		}
	}
	for range grantTries {
		set, err = e.grantOnce(r.Context(), id, a, endpoint.Event(r, id))
		if !errors.Is(err, issuer.ErrEpoch) {
			return set, err
		}
	}
	return set, fmt.Errorf("%w: %w", account.ErrClient, err)
}

func (e *Endpoints) grantOnce(ctx context.Context, id string, a asked, ev issuer.Event) (issuer.TokenSet, error) {
	attempt, err := e.cfg.Issuer.BeginGrant(ctx, id, id)
	if err != nil {
		return issuer.TokenSet{}, err
	}
	client, err := e.cfg.Clients.Find(ctx, id)
	switch {
	case errors.Is(err, account.ErrNoClient):
		return issuer.TokenSet{}, fmt.Errorf("%w: %w", account.ErrClient, err)
	case err != nil:
		return issuer.TokenSet{}, err
	case client.Disabled:
		return issuer.TokenSet{}, fmt.Errorf("%w: %w", account.ErrClient, account.ErrDisabled)
	}
	return e.cfg.Issuer.Grant(ctx, attempt, issuer.GrantRequest{
		Holder: issuer.Subject{Active: true, Scope: grantable(client)}, Audiences: e.audiences(client),
		Scope: a.scope, Audience: a.audience, Event: ev,
	})
}

// refresh answers a refresh token of a session of this client (RFC 6749 §6). A token of another client's
// session, and so of every login at /login, is refused and stays as it was.
func (e *Endpoints) refresh(r *http.Request, client account.Client, token string, a asked) (issuer.TokenSet, error) {
	if token == "" {
		return issuer.TokenSet{}, endpoint.InvalidRequest("refresh_token is required", nil)
	}
	if a.audience != "" && !slices.Contains(e.audiences(client), a.audience) {
		return issuer.TokenSet{}, issuer.ErrAudience
	}
	set, err := e.cfg.Issuer.Refresh(r.Context(), token, issuer.RefreshRequest{
		ClientID: client.ID, Audience: a.audience, Scope: a.scope, Event: endpoint.Event(r, client.ID),
	})
	if errors.Is(err, issuer.ErrInvalidGrant) && issuer.RefreshReason(err) == "" {
		if _, spent := endpoint.Spend(e.cfg.Refused, r, "failures"); spent != nil {
			return issuer.TokenSet{}, spent
		}
	}
	return set, err
}

// explain returns what the client reads for an error of the issuer.
func (e *Endpoints) explain(err error) error {
	switch {
	case errors.Is(err, issuer.ErrScope):
		return badRequest("invalid_scope", "a scope was asked for that was not granted to the client", err)
	case errors.Is(err, issuer.ErrAudience):
		return badRequest("invalid_target", "the client may have no tokens for that resource", err)
	}
	return err
}

func badRequest(code, description string, cause error) error {
	return &endpoint.Failure{Status: http.StatusBadRequest, Code: code, Description: description, Cause: cause}
}
