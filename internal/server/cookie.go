package server

import (
	"errors"
	"net/http"

	"github.com/doorward/doorward/internal/endpoint"
)

// allowCookie refuses to set the cookie where a script of another application could use it, and where no
// browser would keep it: it is SameSite=Strict (RFC 6265bis §5.7), and would be gone at the first refresh.
func (s *Server) allowCookie(r *http.Request) error {
	if s.cfg.Upstream != nil {
		return endpoint.InvalidRequest("there is no cookie mode in front of an upstream: its pages would share the origin of the cookie", nil)
	}
	if err := s.checkOrigin(r); err != nil {
		return err
	}
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return crossOrigin("the browser would not keep the cookie: the page is on another site than this address; use hosts of one site", errCrossSite)
	}
	return nil
}

var errCrossSite = errors.New("server: a page of another site asks for a cookie that is SameSite=Strict")

// checkOrigin refuses a request that a page of another origin has made a browser send. It is for
// requests that use the cookie, or whose answer sets it.
func (s *Server) checkOrigin(r *http.Request) error {
	if err := s.csrf.Check(r); err != nil {
		return crossOrigin("a page of another origin may not use the cookie; cors.credentials allows it", err)
	}
	return nil
}

func crossOrigin(description string, cause error) error {
	return &endpoint.Failure{Status: http.StatusForbidden, Code: "cross_origin", Description: description, Cause: cause}
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
	if err := s.checkOrigin(r); err != nil {
		return "", false, err
	}
	return token, true, nil
}
