package server

import (
	"errors"
	"net/http"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

func (s *Server) refreshRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodPost, Path: "/refresh", Act: "refresh", Handle: s.refresh}
}

type refreshRequest struct {
	RefreshToken string `json:"refresh_token"` // left out when the cookie has it
	Audience     string `json:"audience"`      // empty asks for that of the login
}

// refresh answers a refresh token, from the body or from the cookie, with fresh
// tokens. A refusal leaves the cookie as it is: by the time it arrives, another
// tab may have logged in anew, and it would be that tab's cookie that is cleared.
func (s *Server) refresh(w http.ResponseWriter, r *http.Request) error {
	var req refreshRequest
	if err := endpoint.ReadJSON(w, r, &req); err != nil {
		return err
	}
	token, cookie, err := s.refreshToken(r, req.RefreshToken)
	if err != nil {
		return err
	}
	if token == "" {
		return endpoint.InvalidRequest("refresh_token is required, in the body or in the cookie", nil)
	}
	set, err := s.cfg.Issuer.Refresh(r.Context(), token, issuer.RefreshRequest{
		Audience: req.Audience, Event: endpoint.Event(r, ""),
	})
	if errors.Is(err, issuer.ErrInvalidGrant) {
		return s.countRefused(r, err)
	}
	if err != nil {
		return err
	}
	endpoint.Identify(r, set.Subject, set.SessionID)
	s.writeTokens(w, set, cookie, "")
	return nil
}

// countRefused counts a refresh token that was refused with err, and returns the error to answer.
// Whoever sends too many reads 429, except for a token that this issuer made: its holder must not
// suffer from what others in the network send. A token that it did not make costs a MAC at most.
func (s *Server) countRefused(r *http.Request, err error) error {
	_, spent := endpoint.Spend(s.budgets.refresh, r, "failures")
	if spent != nil && issuer.RefreshReason(err) == "" {
		return spent
	}
	return err
}
