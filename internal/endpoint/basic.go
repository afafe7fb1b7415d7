package endpoint

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/account"
)

var (
	errScheme = errors.New("endpoint: Authorization is not Basic")
	errBasic  = errors.New("endpoint: Basic credentials that cannot be read")
)

const basicChallenge = `Basic realm="` + Realm + `", charset="UTF-8"`

var errNoCredentials = errors.New("endpoint: no client credentials were sent")

// NoClient is 401 for a client that sends no credentials. send says which it could send.
func NoClient(send string) error {
	return &Failure{
		Status: http.StatusUnauthorized, Code: "invalid_client", Description: "the client credentials are missing: send " + send,
		Challenge: basicChallenge, Cause: fmt.Errorf("%w: %w", account.ErrClient, errNoCredentials),
	}
}

// Basic returns the credentials of a client in the header Authorization (RFC 7617), both of which are
// form-encoded before they are joined (RFC 6749 §2.3.1), and whether there is such a header. What
// cannot be read is [account.ErrClient], as a wrong secret is.
func Basic(r *http.Request) (id, secret string, given bool, err error) {
	value, once := SingleHeader(r.Header, "Authorization")
	if !once {
		return "", "", true, InvalidRequest("there are two Authorization lines", nil)
	}
	if value == "" {
		return "", "", false, nil
	}
	scheme, credentials, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", true, fmt.Errorf("%w: %w", account.ErrClient, errScheme)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(credentials, " "))
	if err != nil {
		return "", "", true, fmt.Errorf("%w: %w", account.ErrClient, errBasic)
	}
	// The first colon ends the ID, which cannot hold one (RFC 7617 §2).
	first, second, colon := strings.Cut(string(raw), ":")
	id, err = url.QueryUnescape(first)
	if err == nil {
		secret, err = url.QueryUnescape(second)
	}
	if err != nil || !colon || id == "" || secret == "" {
		return "", "", true, fmt.Errorf("%w: %w", account.ErrClient, errBasic)
	}
	return id, secret, true, nil
}
