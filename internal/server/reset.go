package server

import (
	"errors"
	"net/http"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
)

func (s *Server) resetRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodPost, Path: "/password/reset", Access: endpoint.AccessPublic, Handle: s.reset}
}

type resetRequest struct {
	Token string `json:"token"`
	New   string `json:"new"`
}

// reset sets a password by a link that an operator has made. Every session of the user ends, and none begins: they log in
// with the new password. A network that sends too many wrong links reads 429. A good one is looked at all the same, since
// nobody can guess it: a flood keeps nobody out.
func (s *Server) reset(w http.ResponseWriter, r *http.Request) error {
	var req resetRequest
	if err := endpoint.ReadJSON(w, r, &req); err != nil {
		return err
	}
	if req.Token == "" || req.New == "" {
		return endpoint.InvalidRequest("token and new are required", nil)
	}
	cutoff, err := s.cfg.People.Reset(r.Context(), req.Token, req.New, endpoint.Event(r, ""))
	if errors.Is(err, account.ErrReset) {
		if _, spent := endpoint.Spend(s.budgets.reset, r, "failures"); spent != nil {
			return spent
		}
	}
	if cutoff.Kind != "" {
		s.cfg.Issuer.Apply(cutoff)
	}
	if err != nil {
		return passwordFailure(err)
	}
	endpoint.Identify(r, cutoff.ID, "")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
