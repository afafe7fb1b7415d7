package config

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/gate"
	"github.com/goccy/go-yaml/ast"
)

// Route is one rule of the gate.
type Route struct {
	Path                 string
	Methods              []string
	Access               string // token if empty
	Roles                []string
	Scope                []string
	Recent               time.Duration
	YoungWhenStale       time.Duration
	RawPath              bool
	ForwardToken         bool
	ForwardAuthorization bool
	WebSocket            bool
	Timeout              time.Duration
	CORS                 *CORS

	Where string // file, line and column
	node  ast.Node
}

// CORS is what scripts of other origins may do on a route.
type CORS struct {
	Origins        []string
	Credentials    bool
	Methods        []string
	Headers        []string
	Expose         []string
	MaxAge         time.Duration
	PrivateNetwork bool
}

// UpstreamToken is the dialect of an upstream that checks tokens of its own.
type UpstreamToken struct {
	Header     string
	Scheme     string // Bearer in Authorization if empty
	Algorithm  string // HS256 if empty
	SecretFile string
	Claims     map[string]any
}

// Identity names the headers that tell the upstream who is asking; an empty one has its default name.
type Identity struct{ Subject, Username, ExternalID, Roles, Scope, Session, Assertion string }

var gateSettings = []Setting{
	{
		Key: "upstream", Flag: "upstream", Live: true, Usage: "guard the API at `URL`: what is not Doorward's goes there, with a good token",
		bind: func(c *Config) value { return text{&c.Upstream, gate.CheckUpstream} },
	},
	{
		Key: "upstream.audience", Live: true, Usage: "the upstream's name in assertions, and in tokens that are forwarded to it (default its URL)",
		bind: func(c *Config) value { return text{&c.UpstreamAudience, isWord} },
	},
	{
		Key: "upstream.timeout", Live: true, Usage: "how long the upstream may take to begin an answer",
		bind: func(c *Config) value { return span{&c.UpstreamTimeout, 10 * time.Millisecond, day} },
	},
	{
		Key: "upstream.connections", Live: true, Usage: "connections open to the upstream at once, WebSockets aside",
		bind: func(c *Config) value { return number{&c.UpstreamConnections, 1, 100_000} },
	},
	{
		Key: "upstream.ca_file", Live: true, Usage: "`FILE` with the certificates, PEM, that the upstream's is signed by (default those of the machine)", nonempty: true,
		bind: func(c *Config) value { return text{&c.UpstreamCAFile, isSomething} },
	},
	{
		Key: "upstream.token", Live: true, Usage: "a token in the upstream's own dialect; in the file alone",
		bind: func(c *Config) value { return optional[UpstreamToken]{&c.UpstreamToken, (*UpstreamToken).form} },
	},
	{
		Key: "routes", Live: true, Usage: "rules of the gate, first match wins; in the file alone",
		bind: func(c *Config) value {
			return objects[Route]{&c.Routes, (*Route).form, func(r *Route, n ast.Node) { r.node = n }}
		},
	},
	{
		Key: "routes.default", Live: true, Usage: "token or deny: what holds where no rule fits",
		bind: func(c *Config) value { return text{&c.RoutesDefault, isOneOf("token", "deny")} },
	},
	{
		Key: "routes.case", Live: true, Usage: "ignore or exact: whether rules heed case in paths",
		bind: func(c *Config) value { return text{&c.RoutesCase, isOneOf("ignore", "exact")} },
	},
	{Key: "identity.subject", Live: true, Usage: "header with the caller's id", bind: func(c *Config) value { return text{&c.Identity.Subject, isField} }},
	{Key: "identity.username", Live: true, Usage: "header with the user name", bind: func(c *Config) value { return text{&c.Identity.Username, isField} }},
	{Key: "identity.external_id", Live: true, Usage: "header with the user's ID at the API", bind: func(c *Config) value { return text{&c.Identity.ExternalID, isField} }},
	{Key: "identity.roles", Live: true, Usage: "header with the roles", bind: func(c *Config) value { return text{&c.Identity.Roles, isField} }},
	{Key: "identity.scope", Live: true, Usage: "header with the scope", bind: func(c *Config) value { return text{&c.Identity.Scope, isField} }},
	{Key: "identity.session", Live: true, Usage: "header with the session", bind: func(c *Config) value { return text{&c.Identity.Session, isField} }},
	{Key: "identity.assertion", Live: true, Usage: "header with the signed assertion", bind: func(c *Config) value { return text{&c.Identity.Assertion, isField} }},
	{
		Key: "trusted_proxies", Live: true, Usage: "addresses or networks of proxies in front: their X-Forwarded-* count, and they may use forward-auth",
		bind: func(c *Config) value { return list{&c.TrustedProxies, isNetwork} },
	},
}

func (r *Route) form() object {
	return object{
		{"path", text{&r.Path, isSomething}},
		{"methods", list{&r.Methods, isWord}},
		{"access", text{&r.Access, isOneOf("token", "optional", "public", "deny")}},
		{"require", object{
			{"roles", list{&r.Roles, isRole}},
			{"scope", list{&r.Scope, isWord}},
			{"recent", span{&r.Recent, time.Second, 365 * day}},
		}},
		{"young_when_stale", span{&r.YoungWhenStale, time.Second, 10 * time.Minute}},
		{"raw_path", toggle{&r.RawPath}},
		{"forward_token", toggle{&r.ForwardToken}},
		{"forward_authorization", toggle{&r.ForwardAuthorization}},
		{"websocket", toggle{&r.WebSocket}},
		{"timeout", span{&r.Timeout, 10 * time.Millisecond, day}},
		{"cors", optional[CORS]{&r.CORS, (*CORS).form}},
	}
}

func (c *CORS) form() object {
	return object{
		{"origins", list{&c.Origins, isWord}},
		{"credentials", toggle{&c.Credentials}},
		{"methods", list{&c.Methods, isWord}},
		{"headers", list{&c.Headers, isField}},
		{"expose", list{&c.Expose, isField}},
		{"max_age", span{&c.MaxAge, 0, day}},
		{"private_network", toggle{&c.PrivateNetwork}},
	}
}

func (t *UpstreamToken) form() object {
	return object{
		{"header", text{&t.Header, isField}},
		{"scheme", text{&t.Scheme, isWord}},
		{"alg", text{&t.Algorithm, isOneOf("HS256", "HS384", "HS512")}},
		{"secret_file", text{&t.SecretFile, isSomething}},
		{"claims", literals{&t.Claims}},
	}
}

// Networks returns the trusted proxies.
func (c *Config) Networks() []netip.Prefix {
	var networks []netip.Prefix
	for _, text := range c.TrustedProxies {
		if prefix, err := parseNetwork(text); err == nil {
			networks = append(networks, prefix)
		}
	}
	return networks
}

// checkGate finds what does not go together with an upstream.
func (c *Config) checkGate(faults *Problems) {
	c.checkIdentity(faults)
	c.checkForwarded(faults)
	c.checkNothing(faults)
	if c.Upstream == "" {
		return
	}
	if c.Audience != "" && c.Audience != c.Issuer {
		c.fault(faults, "audience", "is not the issuer, and with an upstream it must be: the gate takes tokens for Doorward alone")
		faults.hint("remove it; put " + c.Audience + " under audiences, and let the clients of that service ask for it at /login")
	}
	if u, err := url.Parse(c.Upstream); err == nil && u.Host == c.Listen {
		c.fault(faults, "upstream", "is where Doorward itself listens")
	}
}

// checkIdentity finds what is wrong with what an upstream is told, which is guarded here or by a proxy that asks.
func (c *Config) checkIdentity(faults *Problems) {
	if c.Upstream == "" && c.origin["upstream.ca_file"] != "" {
		c.fault(faults, "upstream.ca_file", "means nothing without upstream")
	}
	for _, key := range []string{"upstream.audience", "upstream.token", "tokens.cookie", "login.page", "login.hosts"} {
		if c.Upstream == "" && len(c.TrustedProxies) == 0 && c.origin[key] != "" {
			c.fault(faults, key, "means nothing without upstream or trusted_proxies")
		}
	}
	if c.UpstreamAudience == c.Issuer && c.Issuer != "" {
		c.fault(faults, "upstream.audience", "must not be the issuer: the upstream could use what it is given against Doorward")
	}
	if c.UpstreamToken != nil && (c.UpstreamToken.Header == "" || c.UpstreamToken.SecretFile == "") {
		c.fault(faults, "upstream.token", "header and secret_file are required")
	}
}

// checkForwarded finds rules that want tokens for a name that nobody can ask for.
func (c *Config) checkForwarded(faults *Problems) {
	name := cmp.Or(c.UpstreamAudience, strings.TrimSuffix(c.Upstream, "/"))
	if name != "" && (name == c.Audience || slices.Contains(c.Audiences, name)) {
		return
	}
	for _, r := range c.Routes {
		if !r.ForwardToken {
			continue
		}
		faults.add(r.Where, "routes.forward_token", "%s: a token that is forwarded is for upstream.audience, which has to be one of audiences", r.Path)
		faults.hint("name it in both, upstream.audience: orders and audiences: [orders]; clients ask for it at /login")
	}
}

// checkNothing finds lists in rules that name nothing: "one of no roles" could be meant to let nobody in.
func (c *Config) checkNothing(faults *Problems) {
	for _, r := range c.Routes {
		for key, words := range map[string][]string{"methods": r.Methods, "require.roles": r.Roles, "require.scope": r.Scope} {
			if words != nil && len(words) == 0 {
				faults.add(r.Where, "routes."+key, "%s: is an empty list; leave it out where everything will do, access: deny where nothing will", r.Path)
			}
		}
	}
}

// ForwardAuth reports whether proxies that ask are given assertions.
func (c *Config) ForwardAuth() bool { return len(c.TrustedProxies) > 0 && c.UpstreamAudience != "" }

func isNetwork(s string) error {
	_, err := parseNetwork(s)
	return err
}

// parseNetwork reads an address or a network such as 10.0.0.0/8.
func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil || prefix.Masked() != prefix {
		return netip.Prefix{}, errors.New("want addresses, or networks such as 10.0.0.0/8")
	}
	if _, _, err := net.ParseCIDR(s); err != nil || strings.HasSuffix(s, "/0") {
		return netip.Prefix{}, errors.New("a network that holds every address would trust everybody")
	}
	return prefix, nil
}
