package server

import (
	"net/http"

	"github.com/doorward/doorward/internal/endpoint"
)

// allowCookie refuses to set the cookie where a script of another application could use it.
func (s *Server) allowCookie(r *http.Request) error {
	if s.cfg.Upstream != nil {
		return endpoint.InvalidRequest("there is no cookie mode in front of an upstream: its pages would share the origin of the cookie", nil)
	}
	return s.checkOrigin(r)
}

// checkOrigin refuses a request that a page of another origin has made a browser send. It is for
// requests that use the cookie, or whose answer sets it.
func (s *Server) checkOrigin(r *http.Request) error {
	if err := s.csrf.Check(r); err != nil {
		return &endpoint.Failure{
			Status: http.StatusForbidden, Code: "cross_origin",
			Description: "a page of another origin may not use the cookie; cors.credentials allows it", Cause: err,
		}
	}
	return nil
}

// refreshToken returns the one refresh token of a request, from its body or
// from its cookie, and whether it was the cookie.
func (s *Server) refreshToken(r *http.Request, body string) (token string, cookie bool, err error) {
	token, err = s.cfg.Issuer.RefreshTokenFrom(r)
	switch {
	case err != nil:
		return "", false, err
	case token == "":
		return body, false, nil
	case body != "":
		return "", false, endpoint.InvalidRequest("the refresh token came in the body and in the cookie", nil)
	}
	return token, true, s.checkOrigin(r)
}
