package server

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
)

// guard lets only requests with the right token through to a handler.
type guard func(http.Handler) http.Handler

// newGuards makes one guard per kind of access.
func (s *Server) newGuards() (map[access]guard, error) {
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
	return map[access]guard{
		accessPublic: func(next http.Handler) http.Handler { return next },
		accessAny:    anyAudience(all),
		accessOwn:    require(s.own),
		accessRecent: require(s.own, doorward.YoungWhenStale(0), doorward.LoggedInWithin(s.cfg.RecentLogin)),
		accessAdmin: func(next http.Handler) http.Handler {
			return require(s.own, doorward.YoungWhenStale(0))(s.handler(func(w http.ResponseWriter, r *http.Request) error {
				if err := checkAdmin(claimsOf(r)); err != nil {
					return err
				}
				next.ServeHTTP(w, r)
				return nil
			}))
		},
	}, nil
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
		Revocations: s.cfg.Issuer.Revocations(), YoungWhenStale: s.cfg.YoungWhenStale,
		Extractors:   places,
		Realm:        realm,
		Logger:       slog.New(slog.DiscardHandler), // fail logs the refusal.
		Observe:      s.verified(),
		ErrorHandler: s.refuse,
	})
}

// refuse writes a verifier's refusal in the way of all others.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, refusal *doorward.Refusal) {
	s.fail(w, r, &failure{
		status: refusal.Status, code: refusal.Code, description: refusal.Description,
		challenge: refusal.Header.Get("WWW-Authenticate"), header: refusal.Header, cause: refusal.Err,
	})
}

// require wants a token that v accepts and that meets the needs. The log learns who it is.
func require(v *doorward.Verifier, needs ...doorward.Need) guard {
	return func(next http.Handler) http.Handler {
		return v.Require(needs...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			claims := claimsOf(r)
			identify(r, claims.Subject, claims.SessionID)
			next.ServeHTTP(w, r)
		}))
	}
}

// anyAudience wants a token that one of the verifiers accepts, which differ in
// their audience alone. The first speaks for all when none does.
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

// claimsOf returns the claims behind a guard.
func claimsOf(r *http.Request) *doorward.Claims {
	claims, ok := doorward.ClaimsFrom(r.Context())
	if !ok {
		panic("server: a handler that reads claims has no guard")
	}
	return claims
}

// mustChange reports whether the user's password is still the one that somebody else chose.
func mustChange(claims *doorward.Claims) bool {
	var must bool
	found, err := claims.Extra(account.ClaimChangeRequired, &must)
	return found && (must || err != nil)
}

// checkAdmin wants the role admin. A user who has it but not yet in effect reads how to get there.
func checkAdmin(claims *doorward.Claims) error {
	if claims.HasRole(account.RoleAdmin) {
		return nil
	}
	f := &failure{
		status: http.StatusForbidden, code: "insufficient_scope", description: "the role admin is needed",
		cause: doorward.ErrRole,
	}
	if mustChange(claims) {
		f.description = "the initial password must be changed first: POST /password with current and new, then use the new token"
		f.cause = errors.New("server: the initial password was not changed")
	}
	f.challenge = challenge(f.code, f.description)
	return f
}

// badBearer is 401 for a Bearer token that a handler of ours has refused.
func badBearer(cause error) error {
	f := &failure{status: http.StatusUnauthorized, code: "invalid_token", description: "token not valid", cause: cause}
	f.challenge = challenge(f.code, f.description)
	return f
}

// challenge is WWW-Authenticate (RFC 6750 §3). Both texts are constants of ours
// without quote and backslash.
func challenge(code, description string) string {
	return `Bearer realm="` + realm + `", error="` + code + `", error_description="` + description + `"`
}
