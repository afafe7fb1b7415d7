package doorward

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/cause"
	"github.com/doorward/doorward/internal/challenge"
	"github.com/doorward/doorward/internal/peek"
	"github.com/doorward/doorward/jwt"
)

// Refusal is why a request was refused and how it is answered.
type Refusal struct {
	// Status is 400, 401, 403, 413 or 503, and with an error of others ([Verifier.Refuse]) any.
	Status int
	// Code is the stable word in the body: invalid_request, invalid_token,
	// insufficient_scope (RFC 6750 §3.1), insufficient_user_authentication (RFC 9470),
	// missing_token, cross_origin, too_large or unavailable; with an error of others also
	// server_error or what it says. The challenge of missing_token carries no code (RFC 6750
	// §3.1, last paragraph).
	Code string
	// Description is for people. It tells an outsider nothing that helps to forge a token.
	Description string
	// Reason is one more word for the client, such as issuer.RefreshReason. "" leaves it out.
	Reason string
	// Header holds Cache-Control: no-store and, where they apply, WWW-Authenticate and Retry-After.
	Header http.Header
	// Err is the precise reason: for logs and decisions, never for the client.
	Err error
	// RequestID names the request in the answer and in the log.
	RequestID string

	params []string // of the challenge: names and values in turn
}

// Values of Refusal.Code.
const (
	codeRequest     = "invalid_request"
	codeToken       = "invalid_token"
	codeScope       = "insufficient_scope"
	codeLogin       = "insufficient_user_authentication"
	codeMissing     = "missing_token"
	codeCrossOrigin = "cross_origin"
	codeTooLarge    = "too_large"
	codeUnavailable = "unavailable"
	codeServer      = "server_error"
)

// The three texts about a token.
const (
	textExpired = "token expired"
	textEnded   = "session ended"
	textInvalid = "token not valid"
)

const textUnavailable = "tokens cannot be checked at the moment"

const textServer = "the request could not be answered; the log has the reason under this request id"

// reasonUnknown is the verdict on an error that is not in the table: to be safe, nobody is let in.
const reasonUnknown = "unknown"

const defaultRealm = "api"

// retryAfter is in seconds, and longer than a follower of revocations usually loses contact.
const retryAfter = "5"

// verdict is what becomes of an error.
type verdict struct {
	err        error
	reason     string // Outcome.Reason
	status     int
	code, text string
}

// errAnonymous is no refusal but an outcome: there is no token, and none is required.
var errAnonymous = errors.New("doorward: anonymous")

// verdicts are tried in order: the first whose err errors.Is finds counts.
var verdicts = []verdict{
	{err: nil, reason: "ok"},
	{err: errAnonymous, reason: "anonymous"},
	{ErrNoToken, "no_token", 401, codeMissing, "a token is required"},
	{ErrTwoTokens, "two_tokens", 400, codeRequest, "more than one token in the request"},
	{ErrTooLarge, "too_large", 413, codeTooLarge, "the body is too large"},
	{ErrCrossOrigin, "cross_origin", 403, codeCrossOrigin, "a page of another origin sent this request"},
	{ErrRequest, "bad_request", 400, codeRequest, "malformed credentials"},
	{ErrExpired, "expired", 401, codeToken, textExpired},
	{ErrRevoked, "revoked", 401, codeToken, textEnded},
	{err: errYoung, reason: "young"},
	{ErrClock, "clock", 503, codeUnavailable, textUnavailable},
	{ErrStale, "stale", 503, codeUnavailable, textUnavailable},
	{ErrNotYet, "not_yet", 401, codeToken, textInvalid},
	{ErrIssuer, "issuer", 401, codeToken, textInvalid},
	{ErrAudience, "audience", 401, codeToken, textInvalid},
	{ErrClaims, "claims", 401, codeToken, textInvalid},
	{ErrNoKeys, "keys_unavailable", 503, codeUnavailable, textUnavailable},
	{jwt.ErrMalformed, "malformed", 401, codeToken, textInvalid},
	{jwt.ErrKey, "key", 401, codeToken, textInvalid},
	{jwt.ErrSignature, "signature", 401, codeToken, textInvalid},
	{jwt.ErrType, "type", 401, codeToken, textInvalid},
	{ErrScope, "scope", 403, codeScope, "the token does not have the scope"},
	{ErrRole, "role", 403, codeScope, "the token does not have the role"},
	{ErrLoginAge, "login_age", 401, codeLogin, "a more recent login is required"},
	{ErrScopeSyntax, "scope_syntax", 400, "invalid_scope", "scope must be words with one space between them"},
	{context.Canceled, "canceled", 503, codeUnavailable, "the request was given up"},
	{context.DeadlineExceeded, "timeout", 503, codeUnavailable, "the answer took too long"},
}

// WriteRefusal answers with the status, the headers and the one error shape:
// {"error", "error_description", "reason", "request_id"}, without an empty reason. It makes a request id if there is
// none, and a challenge for a 401 that has none (RFC 9110 §15.5.2).
func WriteRefusal(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	id := cmp.Or(refusal.RequestID, requestID(r.Context()))
	body, _ := json.Marshal(struct { // strings always encode
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Reason      string `json:"reason,omitempty"`
		RequestID   string `json:"request_id"`
	}{refusal.Code, refusal.Description, refusal.Reason, id})
	h := w.Header()
	maps.Copy(h, refusal.Header)
	if refusal.Status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", challenge.Bearer(defaultRealm))
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(refusal.Status)
	_, _ = w.Write(append(body, '\n')) // the client has gone
}

// newRefusal applies the verdict on err.
func newRefusal(err error, params ...string) *Refusal {
	v := verdictOn(err)
	return &Refusal{Status: v.status, Code: v.code, Description: v.text, Err: err, params: params}
}

// answerTo is newRefusal for an error that may be of others. It tells the observer of those
// that are not.
func (v *Verifier) answerTo(err error) *Refusal {
	if verdictOn(err).reason != reasonUnknown {
		v.observed(err, false)
		return newRefusal(err)
	}
	var own interface{ Refusal() *Refusal }
	var answer *Refusal
	if errors.As(err, &own) {
		answer = own.Refusal()
	}
	if answer == nil || answer.Status < 400 || answer.Status > 599 {
		err = fmt.Errorf("doorward: Refuse has no answer to this error: give it a method Refusal, with a status from 400 to 599, or answer it yourself: %w", err)
		return &Refusal{Status: 500, Code: codeServer, Description: textServer, Err: err}
	}
	refusal, header := *answer, http.Header{"Cache-Control": {"no-store"}}
	if refusal.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", challenge.Bearer(v.realm))
	}
	maps.Copy(header, refusal.Header)
	refusal.Err, refusal.Header = err, header
	return &refusal
}

func verdictOn(err error) verdict {
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			return v
		}
	}
	return verdict{reason: reasonUnknown, status: 503, code: codeUnavailable, text: textUnavailable}
}

// finish completes the refusal with what its answer needs, and logs it. c, which may be
// nil, is for the log alone.
func (v *Verifier) finish(refusal *Refusal, r *http.Request, c *Claims) {
	if c != nil {
		refusal.Err = cause.With(refusal.Err, "sub", c.Subject, "sid", c.SessionID, "client_id", c.ClientID, "jti", c.ID, "kid", c.KeyID)
	}
	refusal.RequestID = requestID(r.Context())
	if refusal.Header == nil {
		refusal.Header = v.refusalHeader(refusal)
	}
	v.log(r, refusal)
}

// refuse completes the refusal and answers with it.
func (v *Verifier) refuse(w http.ResponseWriter, r *http.Request, refusal *Refusal, c *Claims) {
	v.finish(refusal, r, c)
	maps.Copy(w.Header(), refusal.Header)
	watch := &peek.Writer{ResponseWriter: w}
	v.errorHandler(watch, r, refusal)
	if !watch.Wrote {
		WriteRefusal(w, r, refusal) // an empty 200 would look like success
	}
}

func (v *Verifier) refusalHeader(refusal *Refusal) http.Header {
	h := http.Header{"Cache-Control": {"no-store"}}
	switch refusal.Code {
	case codeRequest, codeToken, codeScope, codeLogin:
		params := append([]string{"error", refusal.Code, "error_description", refusal.Description}, refusal.params...)
		h.Set("WWW-Authenticate", challenge.Bearer(v.realm, params...))
	case codeMissing:
		h.Set("WWW-Authenticate", challenge.Bearer(v.realm))
	case codeUnavailable:
		h.Set("Retry-After", retryAfter)
	}
	return h
}

// log writes the one record of a refusal. It holds the path but never the
// query, where a token may be.
func (v *Verifier) log(r *http.Request, refusal *Refusal) {
	level := slog.LevelInfo
	switch {
	case refusal.Code == codeServer:
		level = slog.LevelError
	case refusal.Status >= 500:
		level = slog.LevelWarn
	}
	if !v.logger.Enabled(r.Context(), level) {
		return
	}
	v.logger.LogAttrs(r.Context(), level, "request refused", append(
		cause.Attrs(refusal.Err),
		slog.Int("status", refusal.Status),
		slog.String("method", clip(r.Method)),
		slog.String("path", clip(cmp.Or(r.URL, &url.URL{}).Path)), // A request that came by another protocol has no URL.
		slog.String("request_id", clip(refusal.RequestID)),
	)...)
}

func clip(s string) string { return cause.Clip(s, 200) }

func requestID(ctx context.Context) string {
	if id := RequestID(ctx); id != "" {
		return id
	}
	return rand.Text()
}

// varyOf returns the value of Vary for answers that depend on the places, as
// the one element of a slice, or nil.
func varyOf(extractors []Extractor) []string {
	var names []string
	for _, e := range extractors {
		p, ok := e.(placed)
		if !ok {
			return []string{"*"} // nobody knows what it looks at
		}
		if name := p.vary(); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{strings.Join(names, ", ")}
}
