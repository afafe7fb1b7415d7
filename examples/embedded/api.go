package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// api is the endpoints that make, renew and end sessions.
type api struct {
	users  *users
	issuer *issuer.Issuer
}

func (a *api) login(w http.ResponseWriter, r *http.Request) {
	var req struct{ Username, Password string }
	if err := read(w, r, &req); err != nil {
		refuse(w, r, err)
		return
	}
	attempt, err := a.users.authenticate(r.Context(), a.issuer, req.Username, req.Password)
	if err != nil {
		refuse(w, r, err)
		return
	}
	tokens, err := a.issuer.Login(r.Context(), attempt, issuer.LoginRequest{})
	answer(w, r, tokens, err)
}

func (a *api) refresh(w http.ResponseWriter, r *http.Request) {
	var req struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := read(w, r, &req); err != nil {
		refuse(w, r, err)
		return
	}
	tokens, err := a.issuer.Refresh(r.Context(), req.RefreshToken, issuer.RefreshRequest{})
	answer(w, r, tokens, err)
}

// logout takes the access token, also one that has expired, or the refresh token. Either
// ends the whole session, and the second time is as good as the first.
func (a *api) logout(w http.ResponseWriter, r *http.Request) {
	token, err := doorward.BearerHeader().Extract(r)
	if err == nil {
		err = a.issuer.Logout(r.Context(), token, issuer.Event{})
	}
	if err != nil {
		refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// orders is what the API is for. Nobody reaches it without the scope orders:read.
func orders(w http.ResponseWriter, r *http.Request) {
	claims, _ := doorward.ClaimsFrom(r.Context())
	write(w, map[string]any{"subject": claims.Subject, "orders": []string{"42 apples", "7 pears"}})
}

func answer(w http.ResponseWriter, r *http.Request, tokens issuer.TokenSet, err error) {
	if err != nil {
		refuse(w, r, err)
		return
	}
	_ = tokens.Respond(w) // The client may be gone; nobody is left to tell.
}

var errBody = errors.New("the body is not the JSON object that is wanted here")

// refusals says what a client reads for each error; the first that fits counts.
var refusals = []struct {
	err        error
	status     int
	code, text string
}{
	{errBody, 400, "invalid_request", "the body is not the JSON object that is wanted here"},
	{doorward.ErrRequest, 400, "invalid_request", "malformed credentials"},
	{doorward.ErrTwoTokens, 400, "invalid_request", "more than one token in the request"},
	{password.ErrMismatch, 401, "invalid_credentials", "wrong username or password"},
	{password.ErrTooLong, 401, "invalid_credentials", "wrong username or password"},
	{issuer.ErrEpoch, 401, "invalid_credentials", "wrong username or password"},
	{password.ErrBusy, 503, "unavailable", "too many logins at once; try again"},
	{issuer.ErrTooMany, 429, "too_many_requests", "this session is refreshed too often"},
	{issuer.ErrInvalidGrant, 401, "invalid_token", "log in again"},
}

// refuse answers in the one shape that the verifier's own refusals have. What is
// not in the table is a fault of this program: the log has it, the client does not.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	refusal := &doorward.Refusal{Status: 500, Code: "server_error", Description: "try again later", Err: err}
	for _, known := range refusals {
		if errors.Is(err, known.err) {
			refusal.Status, refusal.Code, refusal.Description = known.status, known.code, known.text
			break
		}
	}
	if refusal.Status == http.StatusInternalServerError {
		slog.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
	}
	doorward.WriteRefusal(w, r, refusal)
}

// read decodes a small JSON body.
func read(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10))
	decoder.DisallowUnknownFields()
	if decoder.Decode(into) != nil {
		return errBody
	}
	return nil
}

func write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // The client may be gone; nobody is left to tell.
}
