package gate

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/issuer"
)

// Config says what a [Guard] lets pass and what it tells. Issuer is required.
type Config struct {
	// Issuer made the tokens, and signs assertions.
	Issuer *issuer.Issuer
	// Routes are the rules; the first that fits decides.
	Routes []Route
	// Default is for what no rule fits: AccessToken or AccessDeny.
	Default Access
	// ExactCase compares paths with regard to case, for upstreams that do.
	ExactCase bool

	// TokenHeader is a header that may carry the access token as its whole value,
	// beside Authorization; empty means none.
	TokenHeader string
	// TokenCookie is a cookie that may carry it; empty means none. A request that a
	// page of another origin made is refused, TrustedOrigins excepted.
	TokenCookie    string
	TrustedOrigins []string
	// Keys exchanges an API key in a request for an access token. Nil means that keys are no
	// credentials here.
	Keys *apikey.Tokens
	// KeyHeader is a header in which a key may come, beside the places of tokens; empty means none.
	KeyHeader string

	// Audience is the upstream's name: the aud of assertions and of tokens that
	// are forwarded. It is never the issuer's. Empty means that there are neither.
	Audience string
	// Names are the headers that tell the upstream who is asking.
	Names Names
	// Token makes a token in the upstream's own dialect; nil means none.
	Token *Dialect
	// LoginPage is where a browser that opens a page without a good token is sent: a path on
	// the host that it asked for, or a URL. Empty means nowhere: it reads a 401 as everybody does.
	LoginPage string
	// LoginHosts are hosts, with the port where browsers write one, to which the login page is
	// told to return. On any other host it is told the path alone.
	LoginHosts []string
	// TrustedProxies are the peers whose X-Forwarded-* headers count, and that may use
	// forward-auth. Nil means none.
	TrustedProxies []netip.Prefix

	// Logger gets one record for each refusal. Nil discards them.
	Logger *slog.Logger
	// Observe, if set, is called with the outcome of each check of a token.
	Observe func(doorward.Outcome)
	// YoungWhenStale and ClockOffset are those of doorward.Config.
	YoungWhenStale time.Duration
	ClockOffset    func() time.Duration
}

// Validate checks everything that can be checked without an issuer. Its error is a FieldError or
// RouteErrors.
func (c Config) Validate() error {
	if c.Default != AccessToken && c.Default != AccessDeny {
		return &FieldError{"Default", errors.New("want AccessToken or AccessDeny")}
	}
	credentials := []header{{"TokenHeader", c.TokenHeader}, {"KeyHeader", c.KeyHeader}}
	if err := c.Names.check(credentials...); err != nil {
		return err
	}
	for _, h := range credentials {
		if h.isTaken() {
			return &FieldError{h.field, fmt.Errorf("the header %q has another meaning already", h.name)}
		}
	}
	var rules []rule
	var wrong RouteErrors
	for i, route := range c.Routes {
		r, err := newRule(route, c.ExactCase)
		if err == nil {
			err = checkReach(rules, &r)
		}
		switch {
		case err == nil && route.ForwardToken && c.Audience == "":
			err = errors.New("forwarding the token needs a name of the upstream's own")
		case err == nil && route.ForwardToken && c.Token != nil && foldName(c.Token.Header) == "authorization":
			err = errors.New("the token and the upstream's own dialect cannot both be in Authorization")
		}
		if err != nil {
			wrong = append(wrong, &RouteError{i, fmt.Errorf("%s: %w", cmp.Or(route.Path, "rule"), err)})
		}
		rules = append(rules, r) // also one that is wrong: the zero rule covers nothing
	}
	if wrong != nil {
		return wrong
	}
	if _, err := newLoginPage(c.LoginPage, c.LoginHosts); err != nil {
		return &FieldError{"LoginPage", err}
	}
	_, err := newDialect(c.Token, c.Names)
	return err
}

// RouteError says which of Config.Routes is wrong.
type RouteError struct {
	Index int
	Err   error
}

// Error says what is wrong.
func (e *RouteError) Error() string { return "gate: " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *RouteError) Unwrap() error { return e.Err }

// RouteErrors is all rules that are wrong, in order.
type RouteErrors []*RouteError

// Error says what is wrong, a line for each.
func (es RouteErrors) Error() string { return errors.Join(es.Unwrap()...).Error() }

// Unwrap returns each of them.
func (es RouteErrors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// FieldError says which field of a Config is wrong: its path, such as Names.Subject.
type FieldError struct {
	Field string
	Err   error
}

// Error says what is wrong.
func (e *FieldError) Error() string { return "gate: Config." + e.Field + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *FieldError) Unwrap() error { return e.Err }

// varyOf names the headers that credentials are looked for in.
func varyOf(cfg Config) string {
	names := []string{"Authorization"}
	if cfg.TokenHeader != "" {
		names = append(names, cfg.TokenHeader)
	}
	if cfg.TokenCookie != "" {
		names = append(names, "Cookie")
	}
	if cfg.KeyHeader != "" {
		names = append(names, cfg.KeyHeader)
	}
	return strings.Join(names, ", ")
}
