package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/forward"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// guard makes what decides for the upstream and for forward-auth.
func (n *node) guard(cfg *config.Config, iss *issuer.Issuer, keys *apikey.Tokens) (*gate.Guard, error) {
	set, err := gateConfig(cfg)
	if err != nil {
		return nil, err
	}
	set.Issuer, set.Keys, set.Logger, set.ClockOffset = iss, keys, n.log, n.Store.ClockOffset
	if observer := n.metrics.observer(); observer != nil {
		set.Observe = observer.Verified
	}
	return gate.NewGuard(set)
}

// proxy makes what passes requests to the upstream, nil where there is none.
func (n *node) proxy(cfg *config.Config, guard *gate.Guard) (*gate.Proxy, error) {
	if cfg.Upstream == "" {
		return nil, nil
	}
	var err error
	up := gate.Upstream{URL: cfg.Upstream, Connections: cfg.UpstreamConnections, Timeout: cfg.UpstreamTimeout}
	if up.RootCAs, err = rootCAs(cfg); err != nil {
		return nil, err
	}
	return gate.NewProxy(gate.ProxyConfig{Guard: guard, Upstream: up, Streams: n.streams, Identified: server.Identify})
}

// forwardAuth makes what answers other proxies.
func (n *node) forwardAuth(cfg *config.Config, guard *gate.Guard) (*forward.Handler, error) {
	return forward.New(forward.Config{
		Guard: guard, Path: cfg.Prefix + server.ForwardAuthPath,
		Failures: quota.NewBudget[netip.Prefix](cfg.ForwardFailures.Limits()),
		Logger:   n.log, Identified: server.Identify,
	})
}

// checkFiles says what is wrong with the files that settings name, and with the rules of the gate.
func checkFiles(cfg *config.Config) error {
	if err := cfg.CheckSecrets(); err != nil {
		return err
	}
	var faults config.Problems
	_, wrong := gateConfig(cfg)
	_, missing := rootCAs(cfg)
	for _, err := range []error{checkApplied(cfg), wrong, checkHidden(cfg), missing} {
		problems := config.AsProblems(err)
		if err != nil && problems == nil {
			return err
		}
		faults = append(faults, problems...)
	}
	return faults.Err()
}

// checkApplied refuses rules that nobody is judged by.
func checkApplied(cfg *config.Config) error {
	if len(cfg.Routes) == 0 || cfg.Upstream != "" || len(cfg.TrustedProxies) > 0 {
		return nil
	}
	return cfg.Problem("routes", "name the API in upstream or, where a proxy asks about requests (forward-auth), the proxy in trusted_proxies",
		"mean nothing without upstream or trusted_proxies")
}

// checkHidden refuses rules and a login page for an address where Doorward itself answers, so that the gate is never asked. Where there are
// trusted proxies they may ask about that address of another host.
func checkHidden(cfg *config.Config) error {
	if cfg.Upstream == "" || len(cfg.TrustedProxies) > 0 {
		return nil
	}
	hides := server.Hides(server.Config{
		Prefix: cfg.Prefix, Registration: cfg.Registration == "open", Clients: &account.Clients{}, Endpoints: apikey.Routes(nil, nil, nil, ""),
		Upstream: http.NotFoundHandler(), ForwardAuth: &forward.Handler{},
	}, cfg.Issuer)
	const hint = "server.prefix moves Doorward's addresses"
	var faults config.Problems
	if page, err := url.Parse(cfg.LoginPage); err == nil && page.Host == "" && hides(page.Path, false) {
		faults = append(faults, cfg.Problem("login.page", hint, "cannot be there: Doorward itself answers at %s", page.Path)...)
	}
	for _, route := range cfg.Routes {
		base, below := strings.CutSuffix(route.Path, "/**")
		path, err := url.PathUnescape(base)
		if err != nil || !hides(path, below) {
			continue
		}
		hint := hint
		if !below && !hides(path+"/", below) {
			hint += "; if the upstream's address is " + path + "/, write it so"
		}
		faults = append(faults, config.Problem{Where: route.Where, Key: "routes", Text: route.Path + ": is never reached: Doorward itself answers there", Hint: hint})
	}
	return faults.Err()
}

// gateConfig translates the settings of the gate, and checks them.
func gateConfig(cfg *config.Config) (gate.Config, error) {
	set := gate.Config{
		ExactCase:      cfg.RoutesCase == "exact",
		YoungWhenStale: cfg.YoungWhenStale(),
		TokenHeader:    cfg.TokensHeader, TokenCookie: cfg.TokensCookie, KeyHeader: cfg.APIKeysHeader, TrustedOrigins: cfg.CORSCredentials,
		Audience: cfg.UpstreamAudience, Names: gate.Names(cfg.Identity), TrustedProxies: cfg.Networks(),
		LoginPage: cfg.LoginPage, LoginHosts: cfg.LoginHosts,
	}
	if set.Audience == "" {
		set.Audience = strings.TrimSuffix(cfg.Upstream, "/")
	}
	if cfg.RoutesDefault == "deny" {
		set.Default = gate.AccessDeny
	}
	for _, route := range cfg.Routes {
		set.Routes = append(set.Routes, gateRoute(route))
	}
	var err error
	if set.Token, err = dialect(cfg); err != nil {
		return gate.Config{}, err
	}
	err = set.Validate()
	if wrong, ok := errors.AsType[gate.RouteErrors](err); ok {
		var faults config.Problems
		for _, e := range wrong {
			faults = append(faults, config.Problem{Where: cfg.Routes[e.Index].Where, Key: "routes", Text: e.Err.Error()})
		}
		return gate.Config{}, faults
	}
	if wrong, ok := errors.AsType[*gate.FieldError](err); ok {
		return gate.Config{}, gateProblem(cfg, wrong)
	}
	if err != nil {
		return gate.Config{}, err
	}
	return set, nil
}

// gateKeys are the settings that the fields of the gate's configuration come from.
var gateKeys = map[string]string{
	"Names.Subject": "identity.subject", "Names.Username": "identity.username",
	"Names.ExternalID": "identity.external_id", "Names.Roles": "identity.roles",
	"Names.Scope": "identity.scope", "Names.Session": "identity.session", "Names.Assertion": "identity.assertion",
	"LoginPage": "login.page", "TokenHeader": "tokens.header", "KeyHeader": "api_keys.header", "Default": "routes.default",
	"Token.Header": "upstream.token.header", "Token.Scheme": "upstream.token.scheme", "Token.Claims": "upstream.token.claims",
	"Token.Algorithm": "upstream.token.alg", "Token.Secret": "upstream.token.secret_file",
}

func gateProblem(cfg *config.Config, wrong *gate.FieldError) error {
	text, hint := wrong.Err.Error(), ""
	if errors.Is(wrong.Err, jwt.ErrKey) {
		text = strings.TrimSuffix(strings.TrimPrefix(text, jwt.ErrKey.Error()+": "), ": make one with GenerateKey")
		hint = fmt.Sprintf("openssl rand -base64 48 > %[1]s; chmod 600 %[1]s; then give the API the same secret", cfg.UpstreamToken.SecretFile)
	}
	return cfg.Problem(gateKeys[wrong.Field], hint, "%s", text)
}

func gateRoute(r config.Route) gate.Route {
	route := gate.Route{
		Path: r.Path, Methods: r.Methods, Roles: r.Roles, Scope: r.Scope, Recent: r.Recent,
		Access: map[string]gate.Access{
			"": gate.AccessToken, "token": gate.AccessToken, "optional": gate.AccessOptional,
			"public": gate.AccessPublic, "deny": gate.AccessDeny,
		}[r.Access],
		RawPath: r.RawPath, ForwardToken: r.ForwardToken, ForwardAuthorization: r.ForwardAuthorization,
		WebSocket: r.WebSocket, Timeout: r.Timeout, YoungWhenStale: r.YoungWhenStale,
	}
	if r.CORS != nil {
		cors := gate.CORS(*r.CORS)
		route.CORS = &cors
	}
	return route
}

// dialect reads the secret that is shared with the upstream.
func dialect(cfg *config.Config) (*gate.Dialect, error) {
	t := cfg.UpstreamToken
	if t == nil {
		return nil, nil
	}
	secret, err := readSmall(t.SecretFile)
	if err != nil {
		return nil, cfg.Problem("upstream.token.secret_file", "", "%v", err)
	}
	secret = bytes.TrimRight(secret, "\r\n")
	return &gate.Dialect{Header: t.Header, Scheme: t.Scheme, Algorithm: jwt.Algorithm(t.Algorithm), Secret: secret, Claims: t.Claims}, nil
}

func rootCAs(cfg *config.Config) (*x509.CertPool, error) {
	if cfg.UpstreamCAFile == "" {
		return nil, nil
	}
	text, err := readSmall(cfg.UpstreamCAFile)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s holds no certificate in PEM", cfg.UpstreamCAFile)
	}
	if err != nil {
		return nil, cfg.Problem("upstream.ca_file", "", "%v", err)
	}
	return pool, nil
}

// readSmall reads a file of at most 1 MiB.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.Tried(path), shell.WithoutPath(err))
	}
	defer func() { _ = f.Close() }()
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return text, err
}
