package doorward

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/doorward/doorward/internal/peek"
	"github.com/doorward/doorward/internal/strict"
)

// Cookie finds the token in the named cookie. Since browsers send cookies also
// when another site's page makes the request, one with an unsafe method or a
// protocol upgrade (WebSocket) must not come from another origin, as
// http.CrossOriginProtection judges it; otherwise ErrCrossOrigin is returned.
// trustedOrigins ("https://app.example.com") may send them nevertheless. Give
// the cookie the prefix __Host-, Secure, HttpOnly and SameSite. Two cookies of
// the name are ErrTwoTokens, and so is one with a space in its name.
func Cookie(name string, trustedOrigins ...string) Extractor {
	p := &cookiePlace{name: name}
	for _, origin := range trustedOrigins {
		p.err = errors.Join(p.err, p.guard.AddTrustedOrigin(origin))
	}
	return p
}

type cookiePlace struct {
	name  string
	guard http.CrossOriginProtection
	err   error
}

func (p *cookiePlace) Extract(r *http.Request) (string, error) {
	value, ok := peek.Cookie(r, p.name)
	switch {
	case !ok:
		return "", fmt.Errorf("%w: two cookies %s, or one with a space in its name", ErrTwoTokens, p.name)
	case value == "":
		return "", nil
	}
	if r.Header.Get("Upgrade") != "" {
		// A WebSocket begins with GET, and no CORS stands in its way.
		unsafe := *r
		unsafe.Method = http.MethodPost
		r = &unsafe
	}
	if err := p.guard.Check(r); err != nil {
		return "", fmt.Errorf("%w: %w", ErrCrossOrigin, err)
	}
	return value, nil
}

func (p *cookiePlace) place() (string, error) {
	switch {
	case !strict.Token(p.name):
		return "", fmt.Errorf("%q is no cookie name", p.name)
	case p.err != nil:
		return "", fmt.Errorf("cookie %s: %w", p.name, p.err)
	}
	return "cookie " + p.name, nil
}

func (p *cookiePlace) vary() string { return "Cookie" }
