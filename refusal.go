package doorward

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/cause"
	"github.com/doorward/doorward/internal/peek"
	"github.com/doorward/doorward/jwt"
)

// Refusal is why a request was refused and how it is answered.
type Refusal struct {
	// Status is 400, 401, 403, 413 or 503.
	Status int
	// Code is the stable word in the body: invalid_request, invalid_token,
	// insufficient_scope (RFC 6750 §3.1), insufficient_user_authentication (RFC 9470),
	// missing_token, cross_origin, too_large or unavailable. The challenge of
	// missing_token carries no code (RFC 6750 §3.1, last paragraph).
	Code string
	// Description is for people. It tells an outsider nothing that helps to forge a token.
	Description string
	// Header holds Cache-Control: no-store and, where they apply, WWW-Authenticate and Retry-After.
	Header http.Header
	// Err is the precise reason: for logs and decisions, never for the client.
	Err error
	// RequestID names the request in the answer and in the log.
	RequestID string

	params []param // of the challenge
}

// param is one attribute of a challenge. Its value needs no escapes.
type param struct{ name, value string }

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
)

// The three texts about a token.
const (
	textExpired = "token expired"
	textEnded   = "session ended"
	textInvalid = "token not valid"
)

const textUnavailable = "tokens cannot be checked at the moment"

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
	{ErrCrossOrigin, "cross_origin", 403, codeCrossOrigin, "a page of another site sent this request"},
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
}

// WriteRefusal answers with the status, the headers and the one error shape:
// {"error", "error_description", "request_id"}. It makes a request id if there is
// none, and a challenge for a 401 that has none (RFC 9110 §15.5.2).
func WriteRefusal(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	id := cmp.Or(refusal.RequestID, requestID(r.Context()))
	body, _ := json.Marshal(struct { // strings always encode
		Error       string `json:"error"`
		Description string `json:"error_description"`
		RequestID   string `json:"request_id"`
	}{refusal.Code, refusal.Description, id})
	h := w.Header()
	maps.Copy(h, refusal.Header)
	if refusal.Status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", challenge(defaultRealm, nil))
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(refusal.Status)
	_, _ = w.Write(append(body, '\n')) // the client has gone
}

// newRefusal applies the verdict on err.
func newRefusal(err error, params ...param) *Refusal {
	v := verdictOn(err)
	return &Refusal{Status: v.status, Code: v.code, Description: v.text, Err: err, params: params}
}

func verdictOn(err error) verdict {
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			return v
		}
	}
	return verdict{reason: "unknown", status: 503, code: codeUnavailable, text: textUnavailable}
}

// finish completes the refusal with what its answer needs, and logs it. c, which may be
// nil, is for the log alone.
func (v *Verifier) finish(refusal *Refusal, r *http.Request, c *Claims) {
	if c != nil {
		refusal.Err = cause.With(refusal.Err, "sub", c.Subject, "sid", c.SessionID, "client_id", c.ClientID, "jti", c.ID, "kid", c.KeyID)
	}
	refusal.RequestID = requestID(r.Context())
	refusal.Header = v.refusalHeader(refusal)
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
		h.Set("WWW-Authenticate", challenge(v.realm, append([]param{
			{"error", refusal.Code}, {"error_description", refusal.Description},
		}, refusal.params...)))
	case codeMissing:
		h.Set("WWW-Authenticate", challenge(v.realm, nil))
	case codeUnavailable:
		h.Set("Retry-After", retryAfter)
	}
	return h
}

// challenge writes RFC 6750 §3. All values are ours or the configuration's and
// hold no quote, so none needs an escape.
func challenge(realm string, params []param) string {
	var b strings.Builder
	b.WriteString(`Bearer realm="` + realm + `"`)
	for _, p := range params {
		if p.value != "" {
			b.WriteString(`, ` + p.name + `="` + p.value + `"`)
		}
	}
	return b.String()
}

// log writes the one record of a refusal. It holds the path but never the
// query, where a token may be.
func (v *Verifier) log(r *http.Request, refusal *Refusal) {
	level := slog.LevelInfo
	if refusal.Status >= 500 {
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
