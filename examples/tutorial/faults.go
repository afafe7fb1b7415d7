package main

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/password"
)

// realm is the one protection space of this server (RFC 9110 §11.5).
const realm = "tutorial"

var (
	errNotFound  = errors.New("tutorial: no such path")
	errMethod    = errors.New("tutorial: no such method here")
	errNotJSON   = errors.New("tutorial: not JSON by its content type")
	errBody      = errors.New("tutorial: the body is no JSON object of the right form")
	errTooLarge  = errors.New("tutorial: the body is too large")
	errFields    = errors.New("tutorial: username or password missing")
	errThrottled = errors.New("tutorial: too many tries for one name")
)

// The error codes of challenges (RFC 6750 §3.1, RFC 9470 §3).
const (
	codeRequest = "invalid_request"
	codeToken   = "invalid_token"
	codeScope   = "insufficient_scope"
	codeLogin   = "insufficient_user_authentication"
)

// fault is how one error is answered.
type fault struct {
	err    error
	status int
	code   string // in the challenge; empty for none
	first  string // what clients of the first tutorial read
	second string // what those of the second read; empty for the same
}

// faults is every refusal; the first whose error fits counts. Those of package doorward
// have the status that the verifier gives them.
var faults = []fault{
	{errNotFound, 404, "", "Not found", ""},
	{errMethod, 405, "", "Method not allowed", ""},
	{errNotJSON, 0, "", "Missing JSON in request", ""}, // status by dialect
	{errBody, 400, "", "The body is not the JSON object that is wanted here", ""},
	{errTooLarge, 413, "", "The body is longer than 16 KiB", ""},
	{errFields, 400, "", "Missing username or password", ""},
	{errThrottled, 429, "", "Too many tries; wait ten minutes", ""},

	{password.ErrMismatch, 401, "", "Bad username or password", "Invalid credentials!"},
	{password.ErrTooLong, 401, "", "Bad username or password", "Invalid credentials!"},
	{issuer.ErrCredentials, 401, "", "Bad username or password", "Invalid credentials!"}, // the user is gone since
	{issuer.ErrEpoch, 401, "", "Bad username or password", "Invalid credentials!"},
	{password.ErrBusy, 503, "", "Too many logins at once; try again", ""},

	{doorward.ErrNoToken, 401, "", "Missing Authorization Header", "Token is missing!"},
	{doorward.ErrTwoTokens, 400, codeRequest, "More than one token", ""},
	{doorward.ErrTooLarge, 413, "", "The body is too long to look for a token in it", ""},
	{doorward.ErrRequest, 400, codeRequest, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'", "Token is malformed!"},
	{doorward.ErrCrossOrigin, 403, "", "A page of another site sent this request", ""},
	{doorward.ErrRole, 403, codeScope, "admins only!", ""},
	{doorward.ErrLoginAge, 401, codeLogin, "Fresh token required", ""},

	{doorward.ErrExpired, 401, codeToken, "Token has expired", "Token has expired!"},
	{doorward.ErrRevoked, 401, codeToken, "Token has been revoked", "Token has been revoked!"},
	{doorward.ErrStale, 503, "", "Tokens cannot be checked at the moment", ""},
	{doorward.ErrNoKeys, 503, "", "Tokens cannot be checked at the moment", ""},
	{doorward.ErrNotYet, 401, codeToken, "Token is not valid", "Token is invalid!"},
	{doorward.ErrIssuer, 401, codeToken, "Token is not valid", "Token is invalid!"},
	{doorward.ErrAudience, 401, codeToken, "Token is not valid", "Token is invalid!"},
	{jwt.ErrMalformed, 401, codeToken, "Token is not valid", "Token is invalid!"},
	{jwt.ErrKey, 401, codeToken, "Token is not valid", "Token is invalid!"},
	{jwt.ErrSignature, 401, codeToken, "Token is not valid", "Token is invalid!"},
	{jwt.ErrType, 401, codeToken, "Token is not valid", "Token is invalid!"},

	{issuer.ErrTooMany, 429, "", "Too many refreshes; wait a minute", ""},
	{issuer.ErrInactive, 401, codeToken, "Token is not valid", "Token is invalid!"}, // the user is gone
	{issuer.ErrToken, 401, codeToken, "Token is not valid", "Token is invalid!"},
	{issuer.ErrSessionLapsed, 401, codeToken, "Token has expired", "Token has expired!"},
	{issuer.ErrInvalidGrant, 401, codeToken, "Token has been revoked", "Token has been revoked!"},
}

// fail writes every refusal of this program, the verifier's too, in the tutorial's own shape.
func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := a.faultOf(err)
	h := w.Header()
	switch {
	case h.Get("WWW-Authenticate") != "": // The verifier has said it better.
	case f.code != "":
		h.Set("WWW-Authenticate", `Bearer realm="`+realm+`", error="`+f.code+`"`)
	case f.status == http.StatusUnauthorized: // RFC 9110 §15.5.2
		h.Set("WWW-Authenticate", `Bearer realm="`+realm+`"`)
	}
	switch {
	case f.err == nil:
		a.logger.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
	case errors.Is(f.err, errThrottled):
		h.Set("Retry-After", seconds(throttleWindow))
	case errors.Is(f.err, issuer.ErrTooMany):
		h.Set("Retry-After", seconds(time.Minute))
	}
	_ = writeJSON(w, f.status, map[string]string{a.dialect.message: f.text(a.dialect)})
}

func (a *app) faultOf(err error) fault {
	for _, f := range faults {
		if !errors.Is(err, f.err) {
			continue
		}
		switch {
		case errors.Is(f.err, errNotJSON):
			f.status = a.dialect.notJSON
		case a.locations && errors.Is(f.err, doorward.ErrNoToken):
			f.first = "Missing JWT in headers, cookies, json or query_string"
		case a.locations && errors.Is(f.err, doorward.ErrRequest):
			f.first = "Malformed credentials"
		}
		return f
	}
	return fault{status: http.StatusInternalServerError, first: "This is the server's fault"}
}

func (f fault) text(d dialect) string {
	if d.index == second.index && f.second != "" {
		return f.second
	}
	return f.first
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
