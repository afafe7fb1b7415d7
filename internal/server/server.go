package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/internal/origin"
	"github.com/doorward/doorward/issuer"
)

// Config says what a [Server] is. Issuer and People are required.
type Config struct {
	// Issuer makes and ends sessions. Somebody else runs Issuer.Run.
	Issuer *issuer.Issuer
	// People are who can log in.
	People *account.People
	// Clients are the programs with a credential of their own: at /oauth/token, /oauth/introspect,
	// /oauth/revoke and /revocations. Nil, which needs a nil Feed, means that there are no such endpoints.
	Clients *account.Clients
	// Feed is what clients read at /revocations. The issuer's Config.Followed must be its Publish.
	Feed *feed.Feed

	// Audiences are those that tokens may have, beside the issuer's default audience.
	// Such tokens are accepted at /me and at the logout of their own session.
	Audiences []string
	// ClockOffset is that of doorward.Config; nil means that nobody knows. More than 30 s,
	// in either direction, turns /readyz to 503.
	ClockOffset func() time.Duration
	// MaxStaleness is the age of what is known of revocations at which /readyz
	// turns to 503: 60 seconds if zero. It should be the issuer's.
	MaxStaleness time.Duration
	// YoungWhenStale is that of doorward.Config. What wants a recent login or the role admin is
	// refused all the same.
	YoungWhenStale time.Duration
	// RecentLogin is how old a login may be that changes the password: 5 minutes if zero.
	RecentLogin time.Duration

	// TrustedProxies are the networks of proxies in front whose X-Forwarded-For counts.
	TrustedProxies []netip.Prefix
	// Limits bounds what strangers may do in a minute.
	Limits Limits

	// Prefix is the path before all endpoints, such as /auth; empty means none.
	// The metadata of RFC 8414 alone stays where that RFC puts it.
	Prefix string
	// TokenField is a second name for the access token in the answers of /login,
	// /refresh and /password; empty means none.
	TokenField string
	// TokenHeader is a header that may carry the access token, as its whole value,
	// in the place of "Authorization: Bearer": x-access-token for example. Empty means none.
	TokenHeader string
	// Registration lets anybody add themselves as a user, without a role, at /register.
	Registration bool
	// NoSample leaves out /protected, the sample resource.
	NoSample bool
	// Upstream answers for every address that is none of this server's; nil means 404. With it
	// there is no /protected, no / and, unless AdminApart is set, no /admin/v1, and no cookie mode: an
	// application behind Doorward shares an origin with it. It is given requests
	// without the limits of this server's own endpoints, those on headers excepted,
	// and tells who is asking by Identify.
	Upstream http.Handler
	// UpstreamReady is asked by /readyz too; nil means that there is nothing to ask.
	UpstreamReady func(context.Context) error
	// ForwardAuth answers below Prefix/forward-auth/; nil means 404. It is given requests as
	// Upstream is.
	ForwardAuth ForwardAuth
	// PublishLead is the issuer's: how long before it signs a key is published. Keys may be kept for half of it, at
	// most 5 min; zero means 5 min.
	PublishLead time.Duration
	// Assertions publishes the keys by which an upstream verifies what a gate tells it.
	Assertions bool
	// Origins are the origins whose scripts may call with a token of their own,
	// each written as browsers write it: https://app.example.com. Empty, together
	// with an empty CredentialOrigins, means no CORS at all.
	Origins []string
	// CredentialOrigins are the origins whose scripts may use the refresh cookie.
	CredentialOrigins []string

	// APIKeys are exchanged for access tokens at /oauth/token. Nil means that none is.
	APIKeys *account.APIKeys
	// KeyTokens exchanges an API key for an access token in a request to /me. Nil means that keys
	// are no credentials there.
	KeyTokens *apikey.Tokens
	// Endpoints are routes of other packages, which are mounted as this server's own are.
	Endpoints []endpoint.Route
	// Admin is the admin API. With AdminApart it is answered by ServeAdmin alone, on a listener of
	// its own; without it, beside all other endpoints, but not in front of an Upstream.
	Admin      []endpoint.Route
	AdminApart bool

	// TLS makes Serve speak TLS, version 1.2 or later. Nil means plain HTTP.
	TLS *tls.Config
	// H2C makes Serve speak HTTP/2 without TLS too, with clients that begin with it (RFC 9113 §3.3): a proxy that ends TLS
	// can pass gRPC on so. It excludes TLS, with which HTTP/2 is spoken anyway.
	H2C bool
	// Connections is how many connections may be open at once: 4,096 if zero.
	Connections int
	// Grace is how long Serve waits for requests under way when it stops: 15 seconds if zero.
	Grace time.Duration
	// Observer is told what happens. Nil means nobody.
	Observer Observer
	// Logger gets one record per request and one per refusal. Nil discards them.
	Logger *slog.Logger
}

// ForwardAuth answers proxies that ask whether a request may pass.
type ForwardAuth interface {
	http.Handler
	// Refuse writes a refusal in the way that the proxy understands.
	Refuse(w http.ResponseWriter, r *http.Request, refusal *doorward.Refusal)
}

// clockTolerance is how far off the clock of a node that is ready may be: the leeway of its verifiers.
const clockTolerance = 30 * time.Second

// ForwardAuthPath is below Config.Prefix where Config.ForwardAuth answers.
const ForwardAuthPath = "/forward-auth/"

// Server answers HTTP requests. It is safe for concurrent use.
type Server struct {
	cfg         Config
	issuer      string // its URL
	origin      string // scheme and host of the issuer
	log         *slog.Logger
	main        site                   // what Serve answers
	admin       site                   // what ServeAdmin answers
	notFound    *resource              // stands for every address where nothing is
	upstream    *resource              // stands for every address that Config.Upstream answers
	forwardAuth *resource              // stands for every address that Config.ForwardAuth answers
	successor   atomic.Pointer[Server] // see Become; nil while this server answers itself
	cors        *corsPolicy
	csrf        *http.CrossOriginProtection
	guards      map[endpoint.Access]guard
	own         *doorward.Verifier // of tokens for this server itself
	draining    atomic.Bool
	ready       readiness
	proxies     origin.Proxies
	locate      func(*http.Request) origin.Origin // originOf, made once
	hidden      sync.Once                         // warns of a proxy that is not trusted
	budgets     budgets
}

// New checks cfg and builds the routes. It starts nothing.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(cfg.Issuer.URL())
	if err != nil {
		return nil, errors.New("server: the issuer's URL cannot be read")
	}
	s := &Server{cfg: cfg, issuer: cfg.Issuer.URL(), origin: u.Scheme + "://" + u.Host, log: cfg.Logger, proxies: cfg.TrustedProxies, budgets: newBudgets(cfg.Limits)}
	s.locate = s.originOf
	if s.cors, err = newCORSPolicy(cfg.Origins, cfg.CredentialOrigins, cfg.TokenHeader); err != nil {
		return nil, err
	}
	s.csrf = http.NewCrossOriginProtection()
	for _, origin := range append([]string{s.origin}, cfg.CredentialOrigins...) {
		if err := s.csrf.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("server: origin %q: %w", origin, err)
		}
	}
	if s.own, err = s.verifier(cfg.Issuer.URL()); err != nil {
		return nil, err
	}
	if s.guards, err = s.newGuards(); err != nil {
		return nil, err
	}
	s.build()
	return s, nil
}

// Become makes next answer all new requests in the place of this server, after its
// configuration was read again. This server finishes those under way. The listeners and
// their limits stay those of this server.
func (s *Server) Become(next *Server) {
	// Drain stores and loads in the other order, so that of two concurrent calls one sees the other.
	s.successor.Store(next)
	if s.draining.Load() {
		next.Drain()
	}
}

// Drain turns /readyz to 503, so that a load balancer sends no more. Requests
// are answered as before. Serve calls it first when it stops.
func (s *Server) Drain() {
	s.draining.Store(true)
	if next := s.successor.Load(); next != nil {
		next.Drain()
	}
}

var (
	prefixForm = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)
	fieldForm  = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_-]{0,63})?$`)
)

// CheckPrefix refuses what cannot be [Config.Prefix]. Like that of [CheckTokenField], its error completes a sentence that
// begins with the name of the setting.
func CheckPrefix(prefix string) error {
	if !prefixForm.MatchString(prefix) {
		return errors.New("want a path that begins with a slash and does not end with one, such as /auth, of letters, digits and . _ ~ -")
	}
	return nil
}

// CheckTokenField refuses what cannot be [Config.TokenField].
func CheckTokenField(name string) error {
	if !fieldForm.MatchString(name) {
		return errors.New("want a letter or _, then letters, digits, - and _ alone, 64 at most")
	}
	if isTokenMember(name) {
		return fmt.Errorf("%s is a member of the answer already", name)
	}
	return nil
}

func (c Config) withDefaults() (Config, error) {
	prefix, field := CheckPrefix(c.Prefix), CheckTokenField(c.TokenField)
	switch {
	case c.Issuer == nil:
		return c, errors.New("server: Config.Issuer is required")
	case c.People == nil:
		return c, errors.New("server: Config.People is required")
	case (c.Clients == nil) != (c.Feed == nil):
		return c, errors.New("server: Config.Clients and Config.Feed go together")
	case prefix != nil:
		return c, fmt.Errorf("server: Config.Prefix: %w", prefix)
	case field != nil:
		return c, fmt.Errorf("server: Config.TokenField: %w", field)
	case c.H2C && c.TLS != nil:
		return c, errors.New("server: Config.H2C excludes Config.TLS")
	case c.MaxStaleness < 0 || c.RecentLogin < 0 || c.Connections < 0 || c.Grace < 0:
		return c, errors.New("server: Config.MaxStaleness, RecentLogin, Connections and Grace must not be negative")
	}
	setDefault(&c.MaxStaleness, time.Minute)
	setDefault(&c.RecentLogin, 5*time.Minute)
	setDefault(&c.Connections, 4096)
	setDefault(&c.Grace, 15*time.Second)
	c.Limits = c.Limits.withDefaults()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ClockOffset == nil {
		c.ClockOffset = func() time.Duration { return 0 }
	}
	return c, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// afterCommit is the context for what must follow a change that has been made,
// although the client may be gone by now.
func afterCommit(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
