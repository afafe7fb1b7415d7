// Package oauth has the endpoints of OAuth 2.0 for programs with a credential of their own: tokens (RFC 6749),
// revocation (RFC 7009) and introspection (RFC 7662).
//
// There is no authorization endpoint: people log in at /login. So the grants are client_credentials,
// refresh_token for the sessions of a client, and the exchange of an API key for a token (RFC 8693).
package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/issuer"
)

// Where the endpoints are, after the prefix.
const (
	tokenPath      = "/oauth/token"
	revokePath     = "/oauth/revoke"
	introspectPath = "/oauth/introspect"
)

// Config is what the endpoints need. All of it is required but Keys; without Keys no API key is exchanged.
type Config struct {
	Issuer *issuer.Issuer
	// ClockOffset is that of doorward.Config.
	ClockOffset func() time.Duration
	Clients     *account.Clients
	Keys        *account.APIKeys
	// Refused is what strangers may spend on refresh tokens that this issuer did not make.
	Refused *endpoint.Budget
	// Inactive is how many answers in a minute may say that a token is not active: to one client, and to all.
	Inactive quota.Limits
}

// Endpoints are the endpoints of one server. They are safe for concurrent use.
type Endpoints struct {
	cfg       Config
	inactive  *quota.Budget[string]
	granted   quota.PerMinute[string] // by client
	verifiers sync.Map                // of audiences: *doorward.Verifier
}

// New returns the endpoints. It starts nothing.
func New(cfg Config) *Endpoints {
	return &Endpoints{cfg: cfg, inactive: quota.NewBudget[string](cfg.Inactive)}
}

// Routes returns the endpoints, for the server.
func (e *Endpoints) Routes() []endpoint.Route {
	return []endpoint.Route{
		{Method: http.MethodPost, Path: tokenPath, Handle: e.token},
		{Method: http.MethodPost, Path: revokePath, Handle: e.revoke},
		{Method: http.MethodPost, Path: introspectPath, Quiet: true, Handle: e.introspect},
	}
}

// open reads the form of a request and authenticates its client.
func (e *Endpoints) open(w http.ResponseWriter, r *http.Request) (url.Values, account.Client, error) {
	form, err := endpoint.ReadForm(w, r)
	if err != nil {
		return nil, account.Client{}, err
	}
	client, err := e.authenticate(r, form)
	return form, client, err
}

// authenticate returns the client that a request comes from.
func (e *Endpoints) authenticate(r *http.Request, form url.Values) (account.Client, error) {
	id, secret, err := credentials(r, form)
	if err != nil {
		return account.Client{}, err
	}
	client, err := e.cfg.Clients.Authenticate(r.Context(), id, secret, endpoint.ExchangeOf(r).Origin().Network(), endpoint.Event(r, ""))
	if err != nil {
		return account.Client{}, err
	}
	endpoint.Identify(r, client.ID, "")
	return client, nil
}

// credentials returns the client's id and secret. They come by exactly one method (RFC 6749 §2.3): Basic, or
// client_id and client_secret in the form. Assertions (RFC 7521 §4.2) are not offered.
func credentials(r *http.Request, form url.Values) (id, secret string, err error) {
	id, secret, given, err := endpoint.Basic(r)
	switch {
	case err != nil:
		return "", "", err
	case form.Has("client_assertion"), form.Has("client_assertion_type"):
		return "", "", fmt.Errorf("%w: a client assertion", account.ErrClient)
	case given && form.Has("client_secret"):
		return "", "", endpoint.InvalidRequest("the client authenticates twice: in Authorization and in the body", nil)
	case given && form.Has("client_id") && form.Get("client_id") != id:
		return "", "", endpoint.InvalidRequest("client_id is another than in Authorization", nil)
	case given:
		return id, secret, nil
	case !form.Has("client_id"), !form.Has("client_secret"):
		return "", "", endpoint.NoClient("Authorization: Basic, or client_id and client_secret in the form")
	}
	return form.Get("client_id"), form.Get("client_secret"), nil
}

// judge returns the claims of a live access token for one of the audiences, or nil for any other text.
func (e *Endpoints) judge(ctx context.Context, token string, audiences []string) (*doorward.Claims, error) {
	for _, audience := range audiences {
		v, err := e.verifier(audience)
		if err != nil {
			return nil, err
		}
		claims, err := v.Verify(ctx, token)
		switch {
		case err == nil:
			return claims, nil
		case errors.Is(err, doorward.ErrStale), errors.Is(err, doorward.ErrClock):
			return nil, fmt.Errorf("%w: %w", issuer.ErrUnavailable, err)
		case !errors.Is(err, doorward.ErrAudience):
			return nil, nil
		}
	}
	return nil, nil
}

// cacheSize bounds the memory of one verifier, in bytes. There may be many.
const cacheSize = 1 << 20

// verifier returns the verifier of this issuer's tokens for one audience. It is made once for each audience of a client.
func (e *Endpoints) verifier(audience string) (*doorward.Verifier, error) {
	if v, ok := e.verifiers.Load(audience); ok {
		if v, ok := v.(*doorward.Verifier); ok {
			return v, nil
		}
	}
	v, err := doorward.NewVerifier(doorward.Config{
		Issuer: e.cfg.Issuer.URL(), Audience: audience, Keys: e.cfg.Issuer.Keys(), Revocations: e.cfg.Issuer.Revocations(),
		ClockOffset: e.cfg.ClockOffset, Logger: slog.New(slog.DiscardHandler), CacheSize: cacheSize,
	})
	if err != nil {
		return nil, fmt.Errorf("make a verifier: %w", err)
	}
	e.verifiers.Store(audience, v)
	return v, nil
}

// audiences returns the audiences of a client, the default first. A client without any has the issuer's.
func (e *Endpoints) audiences(client account.Client) []string {
	if len(client.Audiences) == 0 {
		return []string{e.cfg.Issuer.Audience()}
	}
	return client.Audiences
}

// grantable returns the scope that tokens of the client may have. The words about Doorward itself are left out: they
// count only with the client's own credential, and mean nothing to another audience (RFC 9068 §2.2.3).
func grantable(client account.Client) doorward.Scope {
	return slices.DeleteFunc(slices.Clone(client.Scope), func(word string) bool {
		return word == account.ScopeRevocations || word == account.ScopeIntrospect
	})
}
