package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// api is the endpoints that make, renew and end sessions.
type api struct {
	users    *users
	issuer   *issuer.Issuer
	verifier *doorward.Verifier
}

// handler passes every error of h on to the verifier, which knows what to answer and logs it.
func (a *api) handler(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			a.verifier.Refuse(w, r, err)
		}
	}
}

func (a *api) login(w http.ResponseWriter, r *http.Request) error {
	var req struct{ Username, Password string }
	if err := read(w, r, &req); err != nil {
		return err
	}
	attempt, err := a.users.authenticate(r.Context(), a.issuer, req.Username, req.Password)
	if err != nil {
		return explain(err)
	}
	tokens, err := a.issuer.Login(r.Context(), attempt, issuer.LoginRequest{})
	return answer(w, tokens, err)
}

func (a *api) refresh(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := read(w, r, &req); err != nil {
		return err
	}
	tokens, err := a.issuer.Refresh(r.Context(), req.RefreshToken, issuer.RefreshRequest{})
	return answer(w, tokens, err)
}

// logout takes the access token, also one that has expired, or the refresh token. Either
// ends the whole session, and the second time is as good as the first.
func (a *api) logout(w http.ResponseWriter, r *http.Request) error {
	token, err := a.verifier.Token(r)
	if err != nil {
		return err
	}
	if token == "" {
		return doorward.ErrNoToken
	}
	if err := a.issuer.Logout(r.Context(), token, issuer.Event{}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// orders is what the API is for. Nobody reaches it without the scope orders:read.
func orders(w http.ResponseWriter, r *http.Request) {
	claims, _ := doorward.ClaimsFrom(r.Context())
	write(w, map[string]any{"subject": claims.Subject, "orders": []string{"42 apples", "7 pears"}})
}

func answer(w http.ResponseWriter, tokens issuer.TokenSet, err error) error {
	if err != nil {
		return err
	}
	_ = tokens.Respond(w) // The client may be gone; nobody is left to tell.
	return nil
}

// refusal is an error of this program with its answer, for which Verifier.Refuse asks. Those of
// Doorward have theirs already.
type refusal doorward.Refusal

func (e *refusal) Error() string { return "embedded: " + e.Description }

// Refusal returns what the client reads.
func (e *refusal) Refusal() *doorward.Refusal { return (*doorward.Refusal)(e) }

var (
	errBody = &refusal{Status: 400, Code: "invalid_request", Description: "the body is not the JSON object that is wanted here"}
	errBusy = &refusal{
		Status: 503, Code: "busy", Description: "too many logins at once; try again shortly",
		Header: http.Header{"Retry-After": {"2"}},
	}
)

// explain says what the client reads of a password. A wrong one, an unknown name and an inactive
// user, of whom issuer.Login tells, have one answer.
func explain(err error) error {
	switch {
	case errors.Is(err, password.ErrMismatch), errors.Is(err, password.ErrTooLong), errors.Is(err, password.ErrText):
		return fmt.Errorf("%w: %w", issuer.ErrCredentials, err)
	case errors.Is(err, password.ErrBusy):
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	return err
}

// read decodes a small JSON body.
func read(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	return nil
}

func write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // The client may be gone; nobody is left to tell.
}
