package apikey

import (
	"errors"
	"net/http"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

// place is where in a request a key was.
type place struct {
	header string
	bearer bool // the key stood after "Bearer"
	own    bool // in Config.Header, where no token is looked for
}

// find returns the API key in a request and where it is, or "". In Authorization and in the header
// for tokens, a text is a key if it begins like one; in the header for keys, any text is. It returns
// doorward.ErrTwoTokens for two keys, and for a key in its own header beside Authorization. It does not
// look for other tokens beside a key: the verifier does that. It does not allocate.
func (t *Tokens) find(r *http.Request) (key string, at place, err error) {
	if lines := r.Header["Authorization"]; len(lines) == 1 {
		if text, ok := afterBearer(lines[0]); ok && strings.HasPrefix(text, account.APIKeyPrefix) {
			key, at = text, place{header: "Authorization", bearer: true}
		}
	}
	if lines := r.Header[t.cfg.TokenHeader]; t.cfg.TokenHeader != "" && len(lines) == 1 && strings.HasPrefix(lines[0], account.APIKeyPrefix) {
		if key != "" {
			return "", place{}, doorward.ErrTwoTokens
		}
		key, at = lines[0], place{header: t.cfg.TokenHeader}
	}
	if lines := r.Header[t.cfg.Header]; t.cfg.Header != "" && len(lines) > 0 {
		if key != "" || len(lines) > 1 || len(r.Header["Authorization"]) > 0 {
			return "", place{}, doorward.ErrTwoTokens
		}
		key, at = lines[0], place{header: t.cfg.Header, own: true}
	}
	return key, at, nil
}

// put returns a request like r with a token where the key was.
func (p place) put(r *http.Request, token string) *http.Request {
	swapped := r.WithContext(r.Context())
	swapped.Header = r.Header.Clone()
	if p.own {
		swapped.Header.Del(p.header)
	}
	if p.bearer || p.own {
		swapped.Header["Authorization"] = []string{"Bearer " + token}
	} else {
		swapped.Header[p.header] = []string{token}
	}
	return swapped
}

// afterBearer returns what follows the scheme (RFC 6750 §2.1).
func afterBearer(line string) (string, bool) {
	const scheme = "Bearer "
	if len(line) < len(scheme) || !strings.EqualFold(line[:len(scheme)], scheme) {
		return "", false
	}
	return strings.TrimLeft(line[len(scheme):], " "), true
}

// Refuse makes the answer to an error of [Tokens.Swap].
func Refuse(err error) *doorward.Refusal {
	r := &doorward.Refusal{Header: http.Header{"Cache-Control": {"no-store"}}, Err: err}
	switch {
	case errors.Is(err, doorward.ErrTwoTokens):
		r.Status, r.Code, r.Description = http.StatusBadRequest, "invalid_request", "more than one token in the request"
	case errors.Is(err, account.ErrAPIKey), errors.Is(err, issuer.ErrAudience):
		r.Status, r.Code, r.Description = http.StatusUnauthorized, "invalid_token", "API key not valid"
		r.Header.Set("WWW-Authenticate", endpoint.Challenge("invalid_token", "API key not valid"))
	case errors.Is(err, account.ErrAPIKeyThrottled):
		r.Status, r.Code, r.Description = http.StatusTooManyRequests, "too_many_requests", "too many wrong API keys, or this one too often; wait, then try again"
		r.Header.Set("Retry-After", "60")
	default:
		r.Status, r.Code, r.Description = http.StatusServiceUnavailable, "unavailable", "API keys cannot be checked at the moment"
		r.Header.Set("Retry-After", "5")
	}
	return r
}
