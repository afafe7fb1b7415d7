package server

import (
	"errors"
	"net/http"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/password"
)

func (s *Server) registerRoute() route {
	return route{method: http.MethodPost, path: "/register", access: accessPublic, handle: s.register}
}

type registerRequest struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

type registerResponse struct {
	Subject  string `json:"subject"`
	Username string `json:"username"`
}

// register adds the caller as a user, who then logs in. That a name is taken
// cannot be hidden from who asks for it; it is told as slowly as a name is given.
func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	var req registerRequest
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if req.Username == "" || req.Password == "" {
		return invalidRequest("username and password are required", nil)
	}
	if len(req.Password) > password.MaxBytes {
		return password.ErrTooLong
	}
	if _, err := spend(s.budgets.register, r); err != nil {
		return err
	}
	user, err := s.cfg.People.Register(r.Context(), req.Username, req.Password, event(r, ""))
	if err != nil {
		return registerFailure(err)
	}
	identify(r, user.ID, "")
	writeJSON(w, http.StatusCreated, registerResponse{Subject: user.ID, Username: user.Name})
	return nil
}

// registerFailure says what to do about a name that is refused.
func registerFailure(err error) error {
	switch {
	case errors.Is(err, account.ErrNameTaken):
		return &failure{
			status: http.StatusConflict, code: "name_taken",
			description: "this name is taken; choose another one", cause: err,
		}
	case errors.Is(err, account.ErrName):
		return &failure{
			status: http.StatusBadRequest, code: "invalid_name",
			description: "a name has 1 to 64 letters, digits or plain signs, of one script, and single spaces inside", cause: err,
		}
	}
	return passwordFailure(err)
}
