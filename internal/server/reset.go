package server

import (
	"errors"
	"net/http"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/password"
)

func (s *Server) resetRoute() route {
	return route{method: http.MethodPost, path: "/password/reset", access: accessPublic, handle: s.reset}
}

type resetRequest struct {
	Token string `json:"token"`
	New   string `json:"new"`
}

// reset sets a password by the link of an operator. Every session of the user
// ends, and none begins: they log in with the new password.
func (s *Server) reset(w http.ResponseWriter, r *http.Request) error {
	var req resetRequest
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if req.Token == "" || req.New == "" {
		return invalidRequest("token and new are required", nil)
	}
	if len(req.New) > password.MaxBytes {
		return password.ErrTooLong
	}
	giveBack, err := spend(s.budgets.reset, r)
	if err != nil {
		return err
	}
	cutoff, err := s.cfg.People.Reset(r.Context(), req.Token, req.New, event(r, ""))
	if !errors.Is(err, account.ErrReset) {
		giveBack()
	}
	if cutoff.Kind != "" {
		s.cfg.Issuer.Apply(cutoff)
	}
	if err != nil {
		return passwordFailure(err)
	}
	identify(r, cutoff.ID, "")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
