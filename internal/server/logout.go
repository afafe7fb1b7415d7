package server

import (
	"errors"
	"net/http"
	"strings"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

func (s *Server) logoutRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodPost, Path: "/logout", Handle: s.logout}
}

type logoutRequest struct {
	RefreshToken string `json:"refresh_token"` // left out with a Bearer token or the cookie
}

// logout ends the session of whatever credential comes: an access token, also
// one that expired or whose session has ended, the refresh token, or the cookie.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	everywhere, err := everywhere(r)
	if err != nil {
		return err
	}
	var req logoutRequest
	hasBody, err := endpoint.ReadOptionalJSON(w, r, &req)
	if err != nil {
		return err
	}
	if everywhere {
		return s.logoutEverywhere(w, r, req)
	}
	access, err := s.bearer(r)
	if err != nil {
		return err
	}
	refresh, cookie, err := s.refreshToken(r, req.RefreshToken)
	switch {
	case err != nil:
		return err
	case access != "" && refresh != "":
		return endpoint.InvalidRequest("more than one credential; send the access token or the refresh token, in one place", nil)
	case cookie && !hasBody: // A form of another site can send no JSON.
		return endpoint.ErrNotJSON
	}
	err = s.logoutOne(r, access, refresh)
	if cookie && (err == nil || errors.Is(err, issuer.ErrInvalidGrant)) {
		http.SetCookie(w, s.cfg.Issuer.ClearRefreshCookie())
	}
	if err != nil {
		return err
	}
	loggedOut(w)
	return nil
}

// logoutOne ends the session of the one token that is not empty.
func (s *Server) logoutOne(r *http.Request, access, refresh string) error {
	if access == "" && refresh == "" {
		return &endpoint.Failure{Status: http.StatusUnauthorized, Code: "missing_token", Description: "send the access token or the refresh token"}
	}
	if refresh != "" && !strings.HasPrefix(refresh, issuer.RefreshTokenPrefix) {
		return issuer.ErrToken
	}
	if access != "" && strings.HasPrefix(access, issuer.RefreshTokenPrefix) {
		return badBearer(errors.New("a refresh token in the place of an access token"))
	}
	err := s.cfg.Issuer.Logout(r.Context(), access+refresh, endpoint.Event(r, ""))
	if access != "" && errors.Is(err, issuer.ErrToken) {
		return badBearer(err)
	}
	return err
}

// logoutEverywhere ends every session of the subject. It wants a live token whose
// audience is this server, so that no API can replay a caller's token here. The
// cookie is no credential for it, and is cleared.
func (s *Server) logoutEverywhere(w http.ResponseWriter, r *http.Request, req logoutRequest) error {
	if req.RefreshToken != "" {
		return endpoint.InvalidRequest("everywhere wants the access token alone", nil)
	}
	s.guards[endpoint.AccessPerson](s.handler(func(w http.ResponseWriter, r *http.Request) error {
		claims := endpoint.Claims(r)
		if err := s.cfg.Issuer.RevokeSubject(r.Context(), claims.Subject, endpoint.Event(r, claims.Subject)); err != nil {
			return err
		}
		if len(r.CookiesNamed(issuer.CookieName)) > 0 {
			http.SetCookie(w, s.cfg.Issuer.ClearRefreshCookie())
		}
		loggedOut(w)
		return nil
	})).ServeHTTP(w, r)
	return nil
}

// everywhere reads the one query parameter that means something.
func everywhere(r *http.Request) (bool, error) {
	query, err := endpoint.Query(r)
	if err != nil {
		return false, err
	}
	switch values := query["everywhere"]; {
	case len(values) == 0, len(values) == 1 && values[0] == "false":
		return false, nil
	case len(values) == 1 && values[0] == "true":
		return true, nil
	}
	return false, endpoint.InvalidRequest("everywhere must be true or false", nil)
}

// loggedOut answers 204 and asks the browser to forget what it has cached.
func loggedOut(w http.ResponseWriter) {
	w.Header().Set("Clear-Site-Data", `"cache"`)
	w.WriteHeader(http.StatusNoContent)
}

// bearer returns the access token of a request, "" if there is none.
func (s *Server) bearer(r *http.Request) (string, error) {
	token, err := s.own.Token(r)
	if err != nil {
		return "", endpoint.InvalidRequest("the Authorization header must be one Bearer token", err)
	}
	return token, nil
}
