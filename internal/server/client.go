package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/strict"
)

// basicClient returns the client that a request's Basic credentials (RFC 7617) are those
// of, if it has the scope. Its ID and secret need no form encoding (RFC 6749 §2.3.1).
func (s *Server) basicClient(r *http.Request, scope string) (account.Client, error) {
	value, once := endpoint.SingleHeader(r.Header, "Authorization")
	if !once {
		return account.Client{}, endpoint.InvalidRequest("there are two Authorization lines", nil)
	}
	id, secret, ok := parseBasic(value, r)
	if !ok {
		return account.Client{}, fmt.Errorf("%w: no Basic credentials", account.ErrClient)
	}
	client, err := s.cfg.Clients.Authenticate(r.Context(), id, secret, endpoint.ExchangeOf(r).Origin.Network, endpoint.Event(r, ""))
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

// parseBasic reads what curl -u and every HTTP client write.
func parseBasic(value string, r *http.Request) (id, secret string, ok bool) {
	_, credentials, _ := strings.Cut(value, " ")
	if !strict.Token68(credentials) {
		return "", "", false
	}
	return r.BasicAuth()
}
