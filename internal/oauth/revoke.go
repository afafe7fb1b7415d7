package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// revoke ends a token of the client itself (RFC 7009). A token of a session ends the session. What
// this issuer did not make, or has ended already, is 200 too (§2.2); token_type_hint is not needed.
func (e *Endpoints) revoke(w http.ResponseWriter, r *http.Request) error {
	form, client, err := e.open(w, r)
	if err != nil {
		return err
	}
	token := form.Get("token")
	if token == "" {
		return endpoint.InvalidRequest("token is required", nil)
	}
	if _, err := account.ParseAPIKey(token); err == nil {
		return badRequest("unsupported_token_type", "API keys are not revoked here", nil)
	}
	owner, err := e.ownerOf(r.Context(), token)
	if errors.Is(err, issuer.ErrToken) || err == nil && owner == "" {
		return nil
	}
	if err != nil {
		return err
	}
	if owner != client.ID {
		return badRequest("invalid_grant", "the token was issued to another client", nil)
	}
	err = e.cfg.Issuer.Logout(r.Context(), token, endpoint.Event(r, client.ID))
	if errors.Is(err, issuer.ErrToken) { // its key was removed meanwhile, and ended it
		return nil
	}
	return err
}

// ownerOf returns the client that a token was issued to, or "" if its session is gone. It returns ErrToken
// if this issuer did not make the token. It does not ask whether the token has expired: to revoke an expired
// token does no harm.
func (e *Endpoints) ownerOf(ctx context.Context, token string) (string, error) {
	if strings.HasPrefix(token, issuer.RefreshTokenPrefix) {
		s, _, err := e.cfg.Issuer.SessionOf(ctx, token)
		return s.ClientID, err
	}
	verified, err := jwt.Verify(ctx, token, e.cfg.Issuer.Keys(), "at+jwt")
	if err != nil {
		return "", issuer.ErrToken
	}
	var claims struct {
		Client string `json:"client_id"`
	}
	if err := verified.Decode(&claims); err != nil {
		return "", issuer.ErrToken
	}
	return claims.Client, nil
}
