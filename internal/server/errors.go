package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// realm is the one protection space of this server (RFC 9110 §11.5).
const realm = "doorward"

const textServerError = "the request could not be answered; the log has the reason under this request id"

// failure is a refusal: what the client reads and, apart from it, what the log reads.
type failure struct {
	status int
	// code and description are the client's. Both are constants of ours, never
	// text from outside, so that they fit WWW-Authenticate (RFC 6750 §3).
	code, description string
	// reason is the "reason" member; empty leaves it out.
	reason string
	// challenge is WWW-Authenticate of a 401 or 403; empty means the bare challenge on a 401.
	challenge  string
	retryAfter time.Duration
	header     http.Header
	// cause is the precise reason, for the log alone.
	cause error
}

// Error is for the log.
func (f *failure) Error() string {
	if f.cause != nil {
		return f.cause.Error()
	}
	return f.code + ": " + f.description
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

// errorBody is the one shape of every refusal (RFC 6749 §5.2).
type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Reason      string `json:"reason,omitzero"`
	RequestID   string `json:"request_id"`
}

var errNotFound = &failure{status: http.StatusNotFound, code: "not_found", description: "there is nothing at this address"}

// invalidRequest is 400 for a request that is wrong in itself.
func invalidRequest(description string, cause error) error {
	return &failure{status: http.StatusBadRequest, code: "invalid_request", description: description, cause: cause}
}

// known says what the client reads for an error of the packages below.
var known = []struct {
	err     error
	failure failure
}{
	{account.ErrCredentials, failure{
		status: http.StatusUnauthorized, code: "invalid_credentials", description: "the user name or the password is wrong",
	}},
	{issuer.ErrEpoch, failure{
		status: http.StatusUnauthorized, code: "invalid_credentials", description: "the user name or the password is wrong",
	}},
	{account.ErrReset, failure{
		status: http.StatusBadRequest, code: "invalid_reset", description: "the link was used, has expired, or never was one; ask for another",
	}},
	{account.ErrClient, failure{
		status: http.StatusUnauthorized, code: "invalid_client", description: "the client credentials are wrong",
		challenge: `Basic realm="` + realm + `", charset="UTF-8"`,
	}},
	{account.ErrClientThrottled, failure{
		status: http.StatusTooManyRequests, code: "too_many_requests",
		description: "too many wrong client credentials; wait, then try again", retryAfter: time.Minute,
	}},
	{feed.ErrFull, failure{
		status: http.StatusServiceUnavailable, code: "busy", description: "no more streams here; ask, or try another node", retryAfter: 10 * time.Second,
	}},
	{password.ErrBusy, failure{
		status: http.StatusServiceUnavailable, code: "busy", description: "too many logins at once; try again shortly", retryAfter: 2 * time.Second,
	}},
	{password.ErrTooLong, failure{
		status: http.StatusBadRequest, code: "invalid_request", description: "the password is longer than 1024 bytes",
	}},
	{password.ErrText, failure{
		status: http.StatusBadRequest, code: "invalid_request", description: "the password is not text in UTF-8",
	}},
	{issuer.ErrScope, failure{
		status: http.StatusBadRequest, code: "invalid_scope", description: "a scope was asked for that the user does not have",
	}},
	{doorward.ErrScopeSyntax, failure{
		status: http.StatusBadRequest, code: "invalid_scope", description: "scope must be words with one space between them (RFC 6749 section 3.3)",
	}},
	{issuer.ErrAudience, failure{
		status: http.StatusBadRequest, code: "invalid_target", description: "this server makes no tokens for that audience",
	}},
	{issuer.ErrTooMany, failure{
		status: http.StatusTooManyRequests, code: "too_many_requests", description: "this session is refreshed too often", retryAfter: time.Minute,
	}},
	{issuer.ErrTwoCookies, failure{
		status: http.StatusBadRequest, code: "invalid_request", description: "the refresh cookie came twice",
	}},
	{issuer.ErrInvalidGrant, failure{
		status: http.StatusBadRequest, code: "invalid_grant", description: "the refresh token is not valid; log in again",
	}},
	{issuer.ErrUnavailable, failure{
		status: http.StatusServiceUnavailable, code: "unavailable", description: "the store does not answer; try again shortly", retryAfter: 5 * time.Second,
	}},
	{context.Canceled, failure{
		status: http.StatusServiceUnavailable, code: "unavailable", description: "the request was given up", retryAfter: time.Second,
	}},
	{context.DeadlineExceeded, failure{
		status: http.StatusServiceUnavailable, code: "unavailable", description: "the answer took too long", retryAfter: time.Second,
	}},
}

// failureOf turns any error into a refusal. What nobody has foreseen is a 500.
func failureOf(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if throttled, ok := errors.AsType[*account.ThrottledError](err); ok {
		return &failure{
			status: http.StatusTooManyRequests, code: "too_many_requests",
			description: "too many wrong passwords; wait, then try again",
			retryAfter:  throttled.RetryAfter, cause: err,
		}
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			f := k.failure
			f.cause = err
			if errors.Is(k.err, issuer.ErrInvalidGrant) { // No other refusal tells who is disabled.
				f.reason = issuer.RefreshReason(err)
			}
			return &f
		}
	}
	return &failure{status: http.StatusInternalServerError, code: "server_error", description: textServerError, cause: err}
}

// fail is the one place that writes a refusal, and that logs its reason.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(err)
	exchangeOf(r).refusal = cmp.Or(f.reason, f.code)
	id := doorward.RequestID(r.Context())
	level := slog.LevelInfo
	if f.status >= http.StatusInternalServerError && f.status != http.StatusNotImplemented { // 501 is the client's doing.
		level = slog.LevelError
	}
	s.log.LogAttrs(r.Context(), level, "refused",
		slog.String("request_id", id), slog.Int("status", f.status),
		slog.String("error", f.code), slog.String("reason", capped(f.Error())))

	h := w.Header()
	for name, values := range f.header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("Cache-Control", "no-store")
	h.Del("ETag")
	if f.challenge != "" {
		h.Set("WWW-Authenticate", f.challenge)
	} else if f.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="`+realm+`"`)
	}
	if f.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.retryAfter.Seconds()))))
	}
	writeJSON(w, f.status, errorBody{Error: f.code, Description: f.description, Reason: f.reason, RequestID: id})
}
