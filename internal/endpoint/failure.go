package endpoint

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/challenge"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/password"
)

// Realm is the one protection space of this server (RFC 9110 §11.5).
const Realm = "doorward"

const textServerError = "the request could not be answered; the log has the reason under this request id"

// Failure is a refusal: what the client reads and, apart from it, what the log reads.
type Failure struct {
	Status int
	// Code and Description are for the client. Both are constants of ours, so that they fit WWW-Authenticate (RFC 6750
	// §3). The only text from outside in them is the name of a member or a parameter, if it is a plain word.
	Code, Description string
	// Reason is the "reason" member; empty leaves it out.
	Reason string
	// Challenge is WWW-Authenticate of a 401 or 403; empty means the bare challenge on a 401.
	Challenge  string
	RetryAfter time.Duration
	Header     http.Header
	// Cause is the precise reason, for the log alone.
	Cause error
}

// Error is for the log.
func (f *Failure) Error() string {
	if f.Cause != nil {
		return f.Cause.Error()
	}
	return f.Description
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// ErrorBody is the one shape of every refusal (RFC 6749 §5.2).
type ErrorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Reason      string `json:"reason,omitzero"`
	RequestID   string `json:"request_id"`
}

// ErrNotFound is 404 for an address at which nothing is.
var ErrNotFound = &Failure{Status: http.StatusNotFound, Code: "not_found", Description: "there is nothing at this address"}

// NotFound is 404 for an address that is known, but names something that does not exist.
func NotFound(description string) error {
	return &Failure{Status: http.StatusNotFound, Code: "not_found", Description: description}
}

// InvalidRequest is 400 for a request that is wrong in itself.
func InvalidRequest(description string, cause error) error {
	return &Failure{Status: http.StatusBadRequest, Code: "invalid_request", Description: description, Cause: cause}
}

// known says what the client reads for the errors of other packages, if they do not say it themselves as those of
// issuer do. The first that errors.Is finds counts.
var known = []struct {
	err     error
	failure Failure
}{
	{account.ErrClient, Failure{
		Status: http.StatusUnauthorized, Code: "invalid_client", Description: "the client credentials are wrong",
		Challenge: basicChallenge,
	}},
	{account.ErrCredentials, Failure{
		Status: http.StatusUnauthorized, Code: "invalid_credentials", Description: "the user name or the password is wrong",
	}},
	{account.ErrReset, Failure{
		Status: http.StatusBadRequest, Code: "invalid_reset", Description: "the link was used, has expired, or never was one; ask for another",
	}},
	{account.ErrClientThrottled, Failure{
		Status: http.StatusTooManyRequests, Code: "too_many_requests",
		Description: "too many wrong client credentials; wait, then try again", RetryAfter: time.Minute,
	}},
	{feed.ErrFull, Failure{
		Status: http.StatusServiceUnavailable, Code: "busy", Description: "no more streams here; ask, or try another node", RetryAfter: 10 * time.Second,
	}},
	{password.ErrBusy, Failure{
		Status: http.StatusServiceUnavailable, Code: "busy", Description: "too many logins at once; try again shortly", RetryAfter: 2 * time.Second,
	}},
	{password.ErrTooLong, Failure{
		Status: http.StatusBadRequest, Code: "invalid_request", Description: "the password is longer than 1024 bytes",
	}},
	{password.ErrText, Failure{
		Status: http.StatusBadRequest, Code: "invalid_request", Description: "the password is not text in UTF-8",
	}},
	{doorward.ErrScopeSyntax, Failure{
		Status: http.StatusBadRequest, Code: "invalid_scope", Description: "scope must be words with one space between them (RFC 6749 section 3.3)",
	}},
	{context.Canceled, Failure{
		Status: http.StatusServiceUnavailable, Code: "unavailable", Description: "the request was given up", RetryAfter: time.Second,
	}},
	{context.DeadlineExceeded, Failure{
		Status: http.StatusServiceUnavailable, Code: "unavailable", Description: "the answer took too long", RetryAfter: time.Second,
	}},
}

// FailureOf turns any error into a refusal. An error that is not known is a 500.
func FailureOf(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if throttled, ok := errors.AsType[*account.ThrottledError](err); ok {
		return &Failure{
			Status: http.StatusTooManyRequests, Code: "too_many_requests",
			Description: "too many wrong passwords; wait, then try again",
			RetryAfter:  throttled.RetryAfter, Cause: err,
		}
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			f := k.failure
			f.Cause = err
			return &f
		}
	}
	var own interface{ Refusal() *doorward.Refusal } // After known: ErrClient may wrap issuer.ErrEpoch.
	if errors.As(err, &own) {
		r := own.Refusal()
		return &Failure{Status: r.Status, Code: r.Code, Description: r.Description, Reason: r.Reason, Header: r.Header, Cause: err}
	}
	return &Failure{Status: http.StatusInternalServerError, Code: "server_error", Description: textServerError, Cause: err}
}

// Challenge is WWW-Authenticate (RFC 6750 §3). Both texts are constants of ours
// without quote and backslash.
func Challenge(code, description string) string {
	return challenge.Bearer(Realm, "error", code, "error_description", description)
}
