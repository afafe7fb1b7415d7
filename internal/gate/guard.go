package gate

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/origin"
	"github.com/doorward/doorward/internal/strict"
)

// Guard decides which requests may pass. It dials nobody and may be used
// concurrently.
type Guard struct {
	cfg           Config
	log           *slog.Logger
	table         table
	own           *doorward.Verifier // of this issuer, for no rule: it tells whose a token is
	drops         dropSet
	identity      identities
	proxies       origin.Proxies
	answerHeaders []string // those of forward-auth, see Blank
	vary          string   // Verdict.Vary where credentials are looked at
	origins       *http.CrossOriginProtection
	login         *loginPage // nil if there is none
}

// NewGuard checks cfg as Config.Validate does, and more.
func NewGuard(cfg Config) (*Guard, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Issuer == nil {
		return nil, errors.New("gate: Config.Issuer is required")
	}
	if cfg.Audience == cfg.Issuer.URL() {
		return nil, errors.New("gate: Config.Audience must not be the issuer: the upstream could use what it is given against Doorward")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Guard{
		cfg: cfg, log: cfg.Logger, proxies: slices.Clone(cfg.TrustedProxies),
		answerHeaders: answerHeaders(cfg), vary: varyOf(cfg), origins: http.NewCrossOriginProtection(),
	}
	for _, origin := range cfg.TrustedOrigins {
		if err := g.origins.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("gate: Config.TrustedOrigins: %w", err)
		}
	}
	if err := g.makeTable(); err != nil {
		return nil, err
	}
	var err error
	if g.own, err = g.verifier(cfg.Issuer.URL(), nil); err != nil {
		return nil, err
	}
	if g.login, err = newLoginPage(cfg.LoginPage, cfg.LoginHosts); err != nil {
		return nil, err
	}
	g.drops = newDropSet(cfg, g.table.methods)
	if g.identity, err = newIdentities(cfg); err != nil {
		return nil, err
	}
	return g, nil
}

// Verdict is what becomes of a request.
type Verdict struct {
	// Route is the rule that decided; where none fits, it is Config.Default's.
	// It is nil if no rule was looked for, or none found since the path has several readings.
	Route *Route
	// Path is the path in the spelling that is forwarded, without the query.
	Path string
	// Claims are who is asking; nil means that nobody proved who they are.
	Claims *doorward.Claims
	// Preflight says that this is a CORS preflight, which asks for nothing and
	// carries no credentials. It passes without a token.
	Preflight bool
	// Vary names the headers on which the decision depends; empty means none.
	Vary string
	// Refusal is how the request is refused; nil lets it pass.
	Refusal *doorward.Refusal

	rule  *rule    // whose Route it is
	asked *url.URL // of the request that was decided on
	text  string   // Path decoded
	token string   // the access token that was put in the place of an API key
}

// Decide says what becomes of a request, by its method, its path and its headers.
// It changes nothing and writes nothing. Forward-auth builds the request from
// what the other proxy tells of it.
func (g *Guard) Decide(r *http.Request) Verdict {
	method := r.Method
	preflight := isPreflight(r)
	if preflight {
		method = r.Header.Get("Access-Control-Request-Method")
	}
	if r.Host != "" && !strict.Host(r.Host) { // net/http passes on what a client of HTTP/2 says.
		return Verdict{asked: r.URL, Refusal: NewRefusal(http.StatusBadRequest, "invalid_request", "this is no name of a host", errHost)}
	}
	found, path, err := g.table.find(wirePath(r.URL), method)
	if err != nil {
		return Verdict{asked: r.URL, Refusal: NewRefusal(http.StatusBadRequest, "invalid_request", "the path can be read in more than one way", err)}
	}
	v := Verdict{Route: &found.rule.Route, Path: path.wire, Preflight: preflight, rule: found.rule, asked: r.URL, text: path.text}
	switch {
	case found.rule.Access == AccessDeny:
		v.Refusal = NewRefusal(http.StatusNotFound, "not_found", "there is nothing at this address", errDenied)
	case found.wrongMethod:
		allow := strings.Join(g.table.allowed(path.text), ", ")
		v.Refusal = NewRefusal(http.StatusMethodNotAllowed, "method_not_allowed", "this address answers "+allow, errMethod)
		v.Refusal.Header.Set("Allow", allow)
	case !preflight && found.rule.verifier != nil:
		g.judge(&v, found.rule, r)
	}
	return v
}

var (
	errHost   = errors.New("gate: the host is none: some frameworks would take a path from it")
	errDenied = errors.New("gate: no rule lets it pass")
	errMethod = errors.New("gate: no rule names the method")
	errSocket = errors.New("gate: the rule allows no WebSocket")
)

// makeTable makes the rules ready, each with the check of its tokens.
func (g *Guard) makeTable() error {
	g.table.exact = g.cfg.ExactCase
	verifiers := map[string]*doorward.Verifier{} // by audience
	for _, route := range g.cfg.Routes {
		r, err := newRule(route, g.cfg.ExactCase)
		if err != nil {
			return err
		}
		if err := g.guardRule(&r, verifiers); err != nil {
			return err
		}
		g.table.rules = append(g.table.rules, r)
		g.table.raw = g.table.raw || route.RawPath
		g.table.methods = g.table.methods || len(route.Methods) > 0
	}
	g.table.fallback = rule{Route: Route{Access: g.cfg.Default}, methods: usualMethods}
	return g.guardRule(&g.table.fallback, verifiers)
}

// guardRule gives a rule the check of its tokens. Rules that check alike share a verifier and its cache.
func (g *Guard) guardRule(r *rule, verifiers map[string]*doorward.Verifier) error {
	if r.Access != AccessToken && r.Access != AccessOptional {
		return nil
	}
	audience := g.cfg.Issuer.URL()
	if r.ForwardToken {
		audience = g.cfg.Audience
	}
	v, ok := verifiers[audience]
	if !ok {
		var err error
		if v, err = g.verifier(audience, g.cfg.Observe); err != nil {
			return err
		}
		verifiers[audience] = v
	}
	r.verifier, r.audience, r.require = v, audience, r.needs()
	return nil
}

func (g *Guard) verifier(audience string, observe func(doorward.Outcome)) (*doorward.Verifier, error) {
	places := []doorward.Extractor{doorward.BearerHeader()}
	if g.cfg.TokenHeader != "" {
		places = append(places, doorward.Header(g.cfg.TokenHeader))
	}
	if g.cfg.TokenCookie != "" {
		places = append(places, doorward.Cookie(g.cfg.TokenCookie, g.cfg.TrustedOrigins...))
	}
	return doorward.NewVerifier(doorward.Config{
		Issuer: g.cfg.Issuer.URL(), Audience: audience,
		Keys: g.cfg.Issuer.Keys(), Revocations: g.cfg.Issuer.Revocations(), YoungWhenStale: g.cfg.YoungWhenStale, ClockOffset: g.cfg.ClockOffset,
		Extractors: places, Realm: realm,
		Logger:  slog.New(slog.DiscardHandler), // Whoever acts on the verdict logs it.
		Observe: observe,
	})
}

// realm is the protection space that Doorward's own endpoints name too (RFC 9110 §11.5).
const realm = "doorward"

// judge checks the token of a request as its rule demands.
func (g *Guard) judge(v *Verdict, r *rule, req *http.Request) {
	v.Vary = g.vary
	if g.cfg.Keys != nil {
		swapped, token, err := g.cfg.Keys.Swap(req, r.audience)
		if err != nil {
			v.Refusal = apikey.Refuse(err)
			if g.cfg.Observe != nil {
				g.cfg.Observe(doorward.Outcome{Reason: "api_key"})
			}
			return
		}
		req, v.token = swapped, token
	}
	v.Claims, v.Refusal = r.verifier.Check(req, r.Access == AccessOptional, r.require...)
}

// NewRefusal makes a refusal for another reason than the token. Caches do not keep it. code and description must be
// constants of ours, never text from outside; cause is for the log.
func NewRefusal(status int, code, description string, cause error) *doorward.Refusal {
	return &doorward.Refusal{
		Status: status, Code: code, Description: description, Err: cause,
		Header: http.Header{"Cache-Control": {"no-store"}},
	}
}
