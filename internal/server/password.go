package server

import (
	"errors"
	"net/http"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

func (s *Server) passwordRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodPost, Path: "/password", Access: endpoint.AccessRecent, Handle: s.password}
}

type passwordRequest struct {
	Current string `json:"current"`
	New     string `json:"new"`
	Cookie  bool   `json:"cookie"`
}

// password changes the caller's own password. Every session ends, that of the
// caller included, and the answer is a new one.
func (s *Server) password(w http.ResponseWriter, r *http.Request) error {
	var req passwordRequest
	if err := endpoint.ReadJSON(w, r, &req); err != nil {
		return err
	}
	if req.Current == "" || req.New == "" {
		return endpoint.InvalidRequest("current and new are required", nil)
	}
	if len(req.Current) > password.MaxBytes {
		return password.ErrTooLong
	}
	if req.Cookie {
		if err := s.allowCookie(r); err != nil {
			return err
		}
	}
	subject := endpoint.Claims(r).Subject
	attempt, cutoff, err := s.cfg.People.ChangePassword(
		r.Context(), s.cfg.Issuer, subject, req.Current, req.New, endpoint.Event(r, subject))
	if cutoff.Kind != "" {
		s.cfg.Issuer.Apply(cutoff)
	}
	if err != nil {
		return passwordFailure(err)
	}
	// The password is changed. The new session must not be lost with the connection.
	set, err := s.cfg.Issuer.Login(afterCommit(r.Context()), attempt, issuer.LoginRequest{Event: endpoint.Event(r, subject)})
	if err != nil {
		return passwordFailure(err)
	}
	endpoint.Identify(r, set.Subject, set.SessionID)
	s.writeTokens(w, set, req.Cookie, "")
	return nil
}

// passwordFailure says what to do about a new password that is refused.
func passwordFailure(err error) error {
	if rule, ok := errors.AsType[*password.RuleError](err); ok && errors.Is(err, account.ErrPassword) {
		return &endpoint.Failure{
			Status: http.StatusBadRequest, Code: "invalid_password",
			Description: rule.Reason + "; " + rule.Advice, Cause: err,
		}
	}
	switch {
	case errors.Is(err, account.ErrCredentials):
		return &endpoint.Failure{
			Status: http.StatusUnauthorized, Code: "invalid_credentials",
			Description: "the current password is wrong", Cause: err,
		}
	case errors.Is(err, account.ErrConflict), errors.Is(err, account.ErrNotFound),
		errors.Is(err, issuer.ErrInactive), errors.Is(err, issuer.ErrEpoch):
		return &endpoint.Failure{
			Status: http.StatusConflict, Code: "conflict",
			Description: "the account was changed by somebody else at the same moment; log in again", Cause: err,
		}
	}
	return err
}
