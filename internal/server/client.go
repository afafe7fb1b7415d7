package server

import (
	"net/http"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
)

// basicClient returns the client that a request's Basic credentials (RFC 7617) are those
// of, if it has the scope.
func (s *Server) basicClient(r *http.Request, scope string) (account.Client, error) {
	id, secret, given, err := endpoint.Basic(r)
	if err == nil && !given {
		err = endpoint.NoClient("Authorization: Basic")
	}
	if err != nil {
		return account.Client{}, err
	}
	client, err := s.cfg.Clients.Authenticate(r.Context(), id, secret, endpoint.ExchangeOf(r).Origin().Network(), endpoint.Event(r, ""))
	if err != nil {
		return account.Client{}, err
	}
	endpoint.Identify(r, client.ID, "")
	if !client.Scope.Has(scope) {
		return account.Client{}, &endpoint.Failure{
			Status: http.StatusForbidden, Code: "insufficient_scope", Description: "the client does not have the scope " + scope,
			Cause: doorward.ErrScope,
		}
	}
	return client, nil
}
