package server

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/origin"
	"github.com/rs/cors"
)

// corsPolicy is which scripts of other origins may read answers. An origin is
// compared whole and byte for byte; there are no patterns. Without any origin
// CORS is off and no answer has a header of it.
type corsPolicy struct {
	plain, credentials []string
	headers            []string // that scripts may set
	kinds              map[string]corsKind
	actual             corsAnswers // what every answer tells that is not a preflight's
}

type corsKind int

const (
	corsPlain       corsKind = iota // may send a token of its own
	corsCredentials                 // may send the cookie too
)

// corsAnswers is what one resource tells origins of each kind.
type corsAnswers [2]*cors.Cors

// corsMaxAge is for how many seconds a browser may keep a preflight answer.
const corsMaxAge = 600

func newCORSPolicy(plain, credentials []string, tokenHeader string) (*corsPolicy, error) {
	p := &corsPolicy{
		plain: plain, credentials: credentials, kinds: map[string]corsKind{},
		headers: []string{"Authorization", "Content-Type", deviceHeader},
	}
	if tokenHeader != "" {
		p.headers = append(p.headers, tokenHeader)
	}
	for _, site := range plain {
		if err := origin.CheckWeb(site); err != nil {
			return nil, fmt.Errorf("server: origin %q: %w", site, err)
		}
		p.kinds[site] = corsPlain
	}
	for _, site := range credentials {
		if err := origin.CheckWeb(site); err != nil {
			return nil, fmt.Errorf("server: origin %q: %w", site, err)
		}
		p.kinds[site] = corsCredentials
	}
	p.actual = p.answers([]string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	})
	return p, nil
}

// answers prepares what a resource with these methods tells. What is changed by PATCH
// is changed under a condition, which a script must be able to send.
func (p *corsPolicy) answers(methods []string) corsAnswers {
	options := cors.Options{
		AllowedMethods: methods,
		AllowedHeaders: p.headers,
		ExposedHeaders: []string{"ETag", "Location", "Retry-After", "WWW-Authenticate"},
		MaxAge:         corsMaxAge,
	}
	if slices.Contains(methods, http.MethodPatch) {
		options.AllowedHeaders = append(slices.Clone(p.headers), "If-Match")
	}
	var answers corsAnswers
	if len(p.plain) > 0 { // An empty list means every origin to rs/cors.
		options.AllowedOrigins = p.plain
		answers[corsPlain] = cors.New(options)
	}
	if len(p.credentials) > 0 {
		options.AllowedOrigins, options.AllowCredentials = p.credentials, true
		answers[corsCredentials] = cors.New(options)
	}
	return answers
}

// write sets the CORS headers of an answer, whatever it will be. Vary is set for
// every origin and for none, so that a cache never hands one origin's answer to
// another. It reports whether it has answered: a preflight from an origin that is
// allowed needs no token, and no endpoint, so that the script reads the 404 of a wrong address.
func (p *corsPolicy) write(w http.ResponseWriter, r *http.Request, res *resource) bool {
	if len(p.kinds) == 0 {
		return false
	}
	preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	origin, once := endpoint.SingleHeader(r.Header, "Origin")
	kind, ok := p.kinds[origin]
	switch {
	case !once || !ok:
		w.Header().Set("Vary", "Origin")
		return false
	case preflight && len(res.allow) > 0:
		res.cors[kind].HandlerFunc(w, r)
		return true
	}
	p.actual[kind].HandlerFunc(w, r)
	return preflight
}
