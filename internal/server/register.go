package server

import (
	"errors"
	"net/http"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
)

func (s *Server) registerRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodPost, Path: "/register", Access: endpoint.AccessPublic, Handle: s.register}
}

type registerRequest struct {
	Username string `json:"username"`
	Email    string `json:"email"` // empty is none
	Password string `json:"password"`
}

type registerResponse struct {
	Subject  string `json:"subject"`
	Username string `json:"username"`
	Email    string `json:"email,omitzero"`
}

// register adds the caller as a user, who then logs in. That a name is taken cannot be
// hidden; but to learn it takes as long as to register.
func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	var req registerRequest
	if err := endpoint.ReadJSON(w, r, &req); err != nil {
		return err
	}
	if req.Username == "" || req.Password == "" {
		return endpoint.InvalidRequest("username and password are required", nil)
	}
	if _, err := endpoint.Spend(s.budgets.register, r, "registrations"); err != nil {
		return err
	}
	user, err := s.cfg.People.Register(r.Context(), account.Registration{
		Name: req.Username, Email: req.Email, Password: req.Password,
	}, endpoint.Event(r, ""))
	if err != nil {
		return registerFailure(err)
	}
	endpoint.Identify(r, user.ID, "")
	endpoint.WriteJSON(w, http.StatusCreated, registerResponse{Subject: user.ID, Username: user.Name, Email: user.Email})
	return nil
}

// registerFailure says what to do about a name that is refused.
func registerFailure(err error) error {
	switch {
	case errors.Is(err, account.ErrNameTaken):
		return &endpoint.Failure{
			Status: http.StatusConflict, Code: "name_taken",
			Description: "this name is taken; choose another one", Cause: err,
		}
	case errors.Is(err, account.ErrName):
		return &endpoint.Failure{
			Status: http.StatusBadRequest, Code: "invalid_name",
			Description: "a name has 1 to 64 letters, digits or plain signs, of one script, and single spaces inside", Cause: err,
		}
	case errors.Is(err, account.ErrEmail):
		return &endpoint.Failure{
			Status: http.StatusBadRequest, Code: "invalid_email",
			Description: "an e-mail address is written name@host.example, in ASCII", Cause: err,
		}
	}
	return passwordFailure(err)
}
