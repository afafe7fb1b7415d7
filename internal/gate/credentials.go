package gate

import (
	"errors"
	"net/http"
	"strings"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/jwt"
)

// passCredentials puts the credentials into h that the rule passes on to the upstream: the
// access token, or on a public route a foreign Authorization.
func (g *Guard) passCredentials(h http.Header, v *Verdict, in *http.Request) {
	switch {
	case v.Route.ForwardToken && v.token != "":
		h["Authorization"] = []string{"Bearer " + v.token}
	case v.Route.ForwardToken && v.Claims != nil:
		if token, err := g.own.Token(in); err == nil {
			h["Authorization"] = []string{"Bearer " + token}
		}
	case v.Route.ForwardAuthorization:
		if values := in.Header["Authorization"]; len(values) == 1 && !g.isOurs(in) {
			h["Authorization"] = values
		}
	}
}

// isOurs reports whether the Authorization of a request holds a token that this issuer has signed, or
// what looks like an API key, whether they are good or not.
func (g *Guard) isOurs(r *http.Request) bool {
	probe := &http.Request{Header: http.Header{"Authorization": r.Header["Authorization"]}}
	token, err := g.own.Token(probe)
	if err != nil {
		return true // It cannot be read, so it might be: what is not passed on does no harm.
	}
	if token == "" {
		return false
	}
	if strings.HasPrefix(token, account.APIKeyPrefix) {
		return true
	}
	_, err = g.own.Verify(r.Context(), token)
	return !errors.Is(err, jwt.ErrMalformed) && !errors.Is(err, jwt.ErrKey) && !errors.Is(err, jwt.ErrSignature)
}
