package gate

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/strict"
	"github.com/doorward/doorward/issuer"
)

// Names are the headers that tell the upstream who is asking. An empty one means
// the default.
type Names struct {
	Subject  string // the id that never changes: Doorward-Subject
	Username string // Doorward-Username; bytes beyond printable ASCII, and %, are percent-encoded
	// ExternalID is the user's ID at the upstream, percent-encoded as Username is: Doorward-External-Id.
	ExternalID string
	Roles      string // separated by commas: Doorward-Roles
	Scope      string // separated by spaces: Doorward-Scope
	Session    string // Doorward-Session
	Assertion  string // a signed token that says all of it: Doorward-Assertion
}

// withDefaults names what is not named, and writes each name as net/http does.
func (n Names) withDefaults() Names {
	name := func(given, otherwise string) string {
		return textproto.CanonicalMIMEHeaderKey(cmp.Or(given, otherwise))
	}
	return Names{
		Subject: name(n.Subject, "Doorward-Subject"), Username: name(n.Username, "Doorward-Username"),
		ExternalID: name(n.ExternalID, "Doorward-External-Id"), Roles: name(n.Roles, "Doorward-Roles"), Scope: name(n.Scope, "Doorward-Scope"),
		Session: name(n.Session, "Doorward-Session"), Assertion: name(n.Assertion, "Doorward-Assertion"),
	}
}

// header is a field of Config and the header that it names, "" for none.
type header struct{ field, name string }

// headers are all fields.
func (n Names) headers() []header {
	return []header{
		{"Names.Subject", n.Subject},
		{"Names.Username", n.Username},
		{"Names.ExternalID", n.ExternalID},
		{"Names.Roles", n.Roles},
		{"Names.Scope", n.Scope},
		{"Names.Session", n.Session},
		{"Names.Assertion", n.Assertion},
	}
}

// owned is all names.
func (n Names) owned() (names []string) {
	for _, h := range n.withDefaults().headers() {
		names = append(names, h.name)
	}
	return names
}

// check refuses names that would break a request or hide one another. Of two that are alike
// it blames the last one that was given: never a default.
func (n Names) check(others ...header) error {
	seen := map[string]bool{}
	given := n.headers()
	for i, name := range n.owned() {
		if given[i].name == "" {
			seen[foldName(name)] = true
		}
	}
	for _, h := range append(given, others...) {
		if h.name == "" {
			continue
		}
		folded := foldName(h.name)
		if !strict.Token(h.name) || len(h.name) > maxName {
			return &FieldError{h.field, fmt.Errorf("%q cannot be the name of a header", h.name)}
		}
		if seen[folded] || hasName(structural, folded) {
			return &FieldError{h.field, fmt.Errorf("the header %q has another meaning already", h.name)}
		}
		seen[folded] = true
	}
	return nil
}

// assertionLifetime is how long an assertion and a token in the upstream's dialect are
// good. They are used again for half of it.
const assertionLifetime = time.Minute

// identities makes the headers that tell the upstream who is asking. They are cached for each
// access token, since a signature costs a third of a proxied request.
type identities struct {
	issuer   *issuer.Issuer
	audience string
	names    Names // canonical
	dialect  *dialect
	cache    *fieldCache
}

func newIdentities(cfg Config) (identities, error) {
	made, err := newDialect(cfg.Token, cfg.Names)
	if err != nil {
		return identities{}, err
	}
	return identities{issuer: cfg.Issuer, audience: cfg.Audience, names: cfg.Names.withDefaults(), dialect: made, cache: newFieldCache()}, nil
}

// field is one header. Its values are shared between requests.
type field struct {
	name   string
	values []string
}

// identify replaces what the client must not tell the upstream by the fields. For a caller who has
// not proved who they are there are no fields, and so no identity headers.
func (g *Guard) identify(h http.Header, fields []field) {
	g.drops.clean(h)
	for _, f := range fields {
		h[f.name] = f.values
	}
}

// fields returns the headers that tell the upstream who is asking, or none for nil. It refuses the request of a caller
// whom the upstream cannot be told.
func (g *Guard) fields(c *doorward.Claims) ([]field, *doorward.Refusal) {
	if c == nil {
		return nil, nil
	}
	fields, err := g.identity.of(c, time.Now())
	switch {
	case errors.Is(err, errExternalID):
		return nil, NewRefusal(http.StatusForbidden, "unknown_user", "the API knows no user of this token", err)
	case err != nil:
		return nil, NewRefusal(http.StatusInternalServerError, "server_error", "the request could not be passed on; the log has the reason under this request id", err)
	}
	return fields, nil
}

// of returns the headers for a token.
func (i *identities) of(c *doorward.Claims, now time.Time) ([]field, error) {
	if fields := i.cache.get(c, now); fields != nil {
		return fields, nil
	}
	fields, err := i.make(c, now)
	if err != nil {
		return nil, err
	}
	i.cache.put(c, fields, now)
	return fields, nil
}

// caller is who is asking, by their token.
type caller struct {
	*doorward.Claims
	username, externalID string // empty if the token has none
}

func (i *identities) make(claims *doorward.Claims, now time.Time) ([]field, error) {
	c := caller{Claims: claims}
	if _, err := c.Extra("preferred_username", &c.username); err != nil {
		return nil, fmt.Errorf("read the user name: %w", err)
	}
	if _, err := c.Extra("external_id", &c.externalID); err != nil {
		return nil, fmt.Errorf("read the external ID: %w", err)
	}
	fields := []field{{i.names.Subject, []string{c.Subject}}}
	for _, f := range []struct{ name, value string }{
		{i.names.Username, printable(c.username)},
		{i.names.ExternalID, printable(c.externalID)},
		{i.names.Roles, printable(strings.Join(c.Roles, ","))},
		{i.names.Scope, c.Scope.String()},
		{i.names.Session, c.SessionID},
	} {
		if f.value != "" {
			fields = append(fields, field{f.name, []string{f.value}})
		}
	}
	if i.dialect != nil { // first: it may refuse the caller, and the assertion costs much more
		f, err := i.dialect.sign(c, now)
		if err != nil {
			return nil, fmt.Errorf("sign the upstream's token: %w", err)
		}
		fields = append(fields, f)
	}
	if i.audience != "" {
		assertion, err := i.issuer.Assert(i.assertionClaims(c, now))
		if err != nil {
			return nil, fmt.Errorf("sign the assertion: %w", err)
		}
		fields = append(fields, field{i.names.Assertion, []string{assertion}})
	}
	return fields, nil
}

// printable returns a text in a form that every server reads alike in a header: bytes outside
// printable ASCII, and percent signs, are percent-encoded.
func printable(text string) string {
	plain := func(c byte) bool { return ' ' <= c && c < 0x7f && c != '%' }
	for i := range len(text) {
		if plain(text[i]) {
			continue
		}
		out := make([]byte, 0, 2*len(text))
		for _, c := range []byte(text) {
			if plain(c) {
				out = append(out, c)
				continue
			}
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
		}
		return string(out)
	}
	return text
}
