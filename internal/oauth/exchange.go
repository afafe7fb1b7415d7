package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

// The words of RFC 8693 §2.1 and §3, and the one of ours.
const (
	grantExchange   = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	typeAPIKey      = "urn:doorward:params:oauth:token-type:api-key"
)

// exchangeAnswer is the answer of RFC 8693 §2.2.1.
type exchangeAnswer struct {
	AccessToken     string `json:"access_token"`
	IssuedTokenType string `json:"issued_token_type"`
	TokenType       string `json:"token_type"`
	ExpiresIn       int64  `json:"expires_in"` // seconds
	Scope           string `json:"scope,omitzero"`
}

// exchange answers an API key with an access token. The key itself authenticates the request.
func (e *Endpoints) exchange(w http.ResponseWriter, r *http.Request, form url.Values) error {
	if err := checkExchange(r, form); err != nil {
		return err
	}
	asked, err := parseAsked(form)
	if err != nil {
		return err
	}
	set, err := e.cfg.Keys.Exchange(r.Context(), e.cfg.Issuer, form.Get("subject_token"), account.KeyRequest{
		Scope: asked.scope, Audience: asked.audience, Network: endpoint.ExchangeOf(r).Origin().Network(), Event: endpoint.Event(r, ""),
	})
	if err != nil {
		return explainExchange(err)
	}
	endpoint.Identify(r, set.Subject, set.SessionID)
	w.Header().Set("Pragma", "no-cache")
	endpoint.WriteJSON(w, http.StatusOK, exchangeAnswer{
		set.AccessToken, typeAccessToken, set.TokenType, int64(set.ExpiresIn / time.Second), set.Scope.String(),
	})
	return nil
}

// checkExchange refuses a request for something that is not offered, or with other credentials.
func checkExchange(r *http.Request, form url.Values) error {
	switch {
	case len(r.Header["Authorization"]) > 0, form.Has("client_secret"), form.Has("client_assertion"):
		return endpoint.InvalidRequest("an API key authenticates by itself: send no other credentials", nil)
	case form.Get("subject_token_type") != typeAPIKey:
		return endpoint.InvalidRequest("subject_token_type must be "+typeAPIKey, nil)
	case !form.Has("subject_token"):
		return endpoint.InvalidRequest("subject_token is required", nil)
	case form.Has("actor_token"), form.Has("actor_token_type"):
		return endpoint.InvalidRequest("there is no delegation here: send no actor_token", nil)
	case form.Has("requested_token_type") && form.Get("requested_token_type") != typeAccessToken:
		return endpoint.InvalidRequest("requested_token_type must be "+typeAccessToken+", or left out", nil)
	}
	return nil
}

// explainExchange returns the failure that the client reads. A subject_token that is not valid, for any
// reason, is invalid_request (RFC 8693 §2.2.2).
func explainExchange(err error) error {
	switch {
	case errors.Is(err, account.ErrAPIKey):
		return endpoint.InvalidRequest("API key not valid", err)
	case errors.Is(err, account.ErrAPIKeyThrottled):
		return &endpoint.Failure{
			Status: http.StatusTooManyRequests, Code: "too_many_requests",
			Description: "too many wrong API keys, or this one too often; keep the token until it expires", RetryAfter: time.Minute, Cause: err,
		}
	case errors.Is(err, issuer.ErrScope):
		return badRequest("invalid_scope", "a scope was asked for that the API key does not have", err)
	case errors.Is(err, issuer.ErrAudience):
		return badRequest("invalid_target", "the API key is not for that audience", err)
	}
	return err
}
