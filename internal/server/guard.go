package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/endpoint"
)

// guard lets only requests with the right token through to a handler.
type guard func(http.Handler) http.Handler

// newGuards makes one guard per kind of access.
func (s *Server) newGuards() (map[endpoint.Access]guard, error) {
	audiences := append([]string{s.cfg.Issuer.Audience()}, s.cfg.Audiences...)
	all := []*doorward.Verifier{s.own}
	for i, audience := range audiences {
		if audience == s.cfg.Issuer.URL() || slices.Contains(audiences[:i], audience) {
			continue
		}
		v, err := s.verifier(audience)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return map[endpoint.Access]guard{
		endpoint.AccessPublic:      func(next http.Handler) http.Handler { return next },
		endpoint.AccessAny:         s.withAPIKeys(anyAudience(all)),
		endpoint.AccessOwn:         require(s.own),
		endpoint.AccessPerson:      s.checked(require(s.own), checkPerson),
		endpoint.AccessRecent:      require(s.own, doorward.YoungWhenStale(0), doorward.LoggedInWithin(s.cfg.RecentLogin)),
		endpoint.AccessAdmin:       s.checked(require(s.own, doorward.YoungWhenStale(0)), checkAdmin),
		endpoint.AccessAdminRecent: s.checked(require(s.own, doorward.YoungWhenStale(0), doorward.LoggedInWithin(s.cfg.RecentLogin)), checkAdmin),
	}, nil
}

// checked is a guard that checks the claims, too, of whoever g lets through.
func (s *Server) checked(g guard, check func(*doorward.Claims) error) guard {
	return func(next http.Handler) http.Handler {
		return g(s.handler(func(w http.ResponseWriter, r *http.Request) error {
			if err := check(endpoint.Claims(r)); err != nil {
				return err
			}
			next.ServeHTTP(w, r)
			return nil
		}))
	}
}

// withAPIKeys is a guard that also accepts an API key, which it exchanges for a token first.
func (s *Server) withAPIKeys(g guard) guard {
	if s.cfg.KeyTokens == nil {
		return g
	}
	return func(next http.Handler) http.Handler {
		guarded := g(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			swapped, _, err := s.cfg.KeyTokens.Swap(r, s.cfg.Issuer.URL())
			if err != nil {
				if s.cfg.Observer != nil {
					s.cfg.Observer.Verified(doorward.Outcome{Reason: "api_key"})
				}
				s.refuse(w, r, apikey.Refuse(err))
				return
			}
			guarded.ServeHTTP(w, swapped)
		})
	}
}

// verifier checks this issuer's tokens for one audience.
func (s *Server) verifier(audience string) (*doorward.Verifier, error) {
	places := []doorward.Extractor{doorward.BearerHeader()}
	if s.cfg.TokenHeader != "" {
		places = append(places, doorward.Header(s.cfg.TokenHeader))
	}
	return doorward.NewVerifier(doorward.Config{
		Issuer:      s.cfg.Issuer.URL(),
		Audience:    audience,
		Keys:        s.cfg.Issuer.Keys(),
		Revocations: s.cfg.Issuer.Revocations(), YoungWhenStale: s.cfg.YoungWhenStale, ClockOffset: s.cfg.ClockOffset,
		Extractors:   places,
		Realm:        endpoint.Realm,
		Logger:       slog.New(slog.DiscardHandler), // fail logs the refusal.
		Observe:      s.observeTokens(),
		ErrorHandler: s.refuse,
	})
}

// refuse writes a verifier's refusal as all others are written. It also says where the token belongs, which a verifier does
// not, since it may look in other places.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, refusal *doorward.Refusal) {
	description := refusal.Description
	if errors.Is(refusal.Err, doorward.ErrNoToken) {
		description = "a token is required: send Authorization: Bearer TOKEN"
	}
	s.fail(w, r, &endpoint.Failure{
		Status: refusal.Status, Code: refusal.Code, Description: description,
		Challenge: refusal.Header.Get("WWW-Authenticate"), Header: refusal.Header, Cause: refusal.Err,
	})
}

// require is a guard that wants a token which v accepts and which meets the needs. It names the caller to the log.
func require(v *doorward.Verifier, needs ...doorward.Need) guard {
	return func(next http.Handler) http.Handler {
		return v.Require(needs...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			claims := endpoint.Claims(r)
			endpoint.Identify(r, claims.Subject, claims.SessionID)
			next.ServeHTTP(w, r)
		}))
	}
}

// anyAudience is a guard that wants a token which one of the verifiers accepts. They differ
// in their audience alone. If none accepts the token the first one refuses it.
func anyAudience(verifiers []*doorward.Verifier) guard {
	return func(next http.Handler) http.Handler {
		handlers := make([]http.Handler, len(verifiers))
		for i, v := range verifiers {
			handlers[i] = require(v)(next)
		}
		if len(handlers) == 1 {
			return handlers[0]
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			chosen := 0
			if token, err := verifiers[0].Token(r); err == nil && token != "" {
				chosen = slices.IndexFunc(verifiers, func(v *doorward.Verifier) bool {
					_, err := v.Verify(r.Context(), token)
					return !errors.Is(err, doorward.ErrAudience)
				})
			}
			handlers[max(chosen, 0)].ServeHTTP(w, r)
		})
	}
}

// mustChange reports whether the user's password is still the one that somebody else chose.
func mustChange(claims *doorward.Claims) bool {
	var must bool
	found, err := claims.Extra(account.ClaimChangeRequired, &must)
	return found && (must || err != nil)
}

// checkPerson refuses a token that nobody got by a login (RFC 9068 §2.2.1).
func checkPerson(claims *doorward.Claims) error {
	if !claims.AuthTime.IsZero() {
		return nil
	}
	const code, description = "insufficient_scope", "this wants a login: the token of a client or of an API key does not do"
	return &endpoint.Failure{
		Status: http.StatusForbidden, Code: code, Description: description, Challenge: endpoint.Challenge(code, description),
		Cause: errors.New("server: a token without a login"),
	}
}

// checkAdmin refuses a token without the role admin. A user for whom the role does not count yet
// is told how to change that.
func checkAdmin(claims *doorward.Claims) error {
	if claims.HasRole(account.RoleAdmin) {
		return nil
	}
	f := &endpoint.Failure{
		Status: http.StatusForbidden, Code: "insufficient_scope", Description: "the role admin is needed",
		Cause: fmt.Errorf("%w: wants %q, has %q", doorward.ErrRole, account.RoleAdmin, claims.Roles),
	}
	if mustChange(claims) {
		f.Description = "the initial password must be changed first: POST /password with current and new, then use the new token"
		f.Cause = errors.New("server: the initial password was not changed")
	}
	f.Challenge = endpoint.Challenge(f.Code, f.Description)
	return f
}

// badBearer is 401 for a Bearer token that a handler has refused, not a verifier.
func badBearer(cause error) error {
	f := &endpoint.Failure{Status: http.StatusUnauthorized, Code: "invalid_token", Description: "token not valid", Cause: cause}
	f.Challenge = endpoint.Challenge(f.Code, f.Description)
	return f
}
