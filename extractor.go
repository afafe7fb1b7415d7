package doorward

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/doorward/doorward/internal/strict"
)

// Extractor looks for a token in one place of a request. It returns "" if
// there is none. An error for which errors.Is finds ErrTwoTokens, ErrRequest,
// ErrTooLarge or ErrCrossOrigin is answered accordingly, any other with 400.
// Extract may be called concurrently; it may replace r.Body by a reader of the
// same bytes.
type Extractor interface {
	Extract(r *http.Request) (token string, err error)
}

// placed is an Extractor of this package, which knows the place that it looks in.
type placed interface {
	// place returns the name of the place, which is the same for two extractors that
	// look at the same thing, or what is wrong with it.
	place() (string, error)
	// vary returns the header that answers vary by, or "".
	vary() string
}

// inHeader is a place whose token must have the form of token68 (RFC 9110 §11.2). A
// Verifier calls find, not Extract: no text without that form is a good token, so
// only a token that was refused has to be checked for it, to answer 400 and not 401.
type inHeader interface {
	// find is Extract without the check of the form.
	find(r *http.Request) (token string, err error)
}

// BearerHeader finds the token in "Authorization: Bearer TOKEN" (RFC 6750
// §2.1). The scheme's case does not matter and more than one space may follow
// it. Another scheme is no token. ErrRequest is returned for a tab, for nothing
// or more than one word after Bearer, for a list, and for characters outside
// the grammar; ErrTwoTokens for a second Authorization line of any scheme.
func BearerHeader() Extractor { return SchemeHeader("Authorization", "Bearer") }

// SchemeHeader is BearerHeader for another header or another scheme, for
// clients that write "JWT TOKEN". The challenge still says Bearer.
func SchemeHeader(name, scheme string) Extractor {
	return schemePlace{header: textproto.CanonicalMIMEHeaderKey(name), scheme: scheme}
}

// Header finds the token as the whole value of the named header, for clients
// that write "x-access-token: TOKEN". Two lines of it are ErrTwoTokens.
func Header(name string) Extractor {
	return headerPlace{header: textproto.CanonicalMIMEHeaderKey(name)}
}

type schemePlace struct{ header, scheme string }

func (p schemePlace) Extract(r *http.Request) (string, error) { return extractChecked(p, r) }

func (p schemePlace) find(r *http.Request) (string, error) {
	value, err := only(r.Header[p.header], "lines of the header", p.header)
	if value == "" || err != nil {
		return "", err
	}
	token, err := strict.Credentials(value, p.scheme)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return token, nil
}

func (p schemePlace) place() (string, error) {
	if !strict.Token(p.header) || !strict.Token(p.scheme) {
		return "", fmt.Errorf("%q, %q is no header name and scheme", p.header, p.scheme)
	}
	return "header " + p.header + " with scheme " + strings.ToLower(p.scheme), nil
}

func (p schemePlace) vary() string { return p.header }

type headerPlace struct{ header string }

func (p headerPlace) Extract(r *http.Request) (string, error) { return extractChecked(p, r) }

func (p headerPlace) find(r *http.Request) (string, error) {
	return only(r.Header[p.header], "lines of the header", p.header)
}

func (p headerPlace) place() (string, error) {
	if !strict.Token(p.header) {
		return "", fmt.Errorf("%q is no header name", p.header)
	}
	return "header " + p.header, nil
}

func (p headerPlace) vary() string { return p.header }

var errGrammar = fmt.Errorf("%w: the header is not one token", ErrRequest)

func extractChecked(p inHeader, r *http.Request) (string, error) {
	token, err := p.find(r)
	if token != "" && !strict.Token68(token) {
		return "", errGrammar
	}
	return token, err
}

// only returns the one value, or "" if there is none.
func only(values []string, what, name string) (string, error) {
	if len(values) > 1 {
		return "", fmt.Errorf("%w: %d %s %q", ErrTwoTokens, len(values), what, name)
	}
	return strings.Join(values, ""), nil
}
