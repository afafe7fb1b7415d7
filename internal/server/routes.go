package server

import (
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/oauth"
)

// routes is every endpoint. The multiplexer, the Allow header and the
// preflight answers are all made from it.
func (s *Server) routes() []endpoint.Route {
	routes := []endpoint.Route{
		s.loginRoute(),
		s.refreshRoute(),
		s.logoutRoute(),
		s.passwordRoute(),
		s.resetRoute(),
		s.meRoute(),
		s.sessionsRoute(),
		s.sessionEndRoute(),
		s.jwksRoute(),
		s.metadataRoute(),
		s.livezRoute(),
		s.readyzRoute(),
	}
	if s.cfg.Registration {
		routes = append(routes, s.registerRoute())
	}
	if s.cfg.Clients != nil {
		routes = append(routes, s.revocationsRoute())
		routes = append(routes, oauth.New(oauth.Config{
			Issuer: s.cfg.Issuer, ClockOffset: s.cfg.ClockOffset, Clients: s.cfg.Clients, Keys: s.cfg.APIKeys, Refused: s.budgets.refresh, Inactive: s.cfg.Limits.Inactive,
		}).Routes()...)
	}
	if s.cfg.Upstream == nil || s.cfg.Prefix != "" {
		routes = append(routes, s.rootRoute())
	}
	if s.cfg.Upstream == nil && !s.cfg.AdminApart {
		routes = append(routes, s.cfg.Admin...)
	}
	if s.cfg.Upstream == nil && !s.cfg.NoSample {
		routes = append(routes, s.protectedRoute())
	}
	return append(routes, s.cfg.Endpoints...)
}

// Paths lists the paths at which this server itself answers, sorted, as patterns of
// http.ServeMux. What an upstream has there is hidden.
func (s *Server) Paths() []string {
	paths := slices.Collect(maps.Keys(s.main.resources))
	if s.cfg.ForwardAuth != nil {
		paths = append(paths, s.cfg.Prefix+ForwardAuthPath)
	}
	if s.cfg.Prefix != "" {
		paths = slices.DeleteFunc(paths, func(path string) bool { return s.reserves(path) })
		paths = append(paths, s.cfg.Prefix+"/")
	}
	slices.Sort(paths)
	return paths
}

// Hides returns what tells whether a server of this configuration answers at a path itself, or at all below it too, so
// that its Upstream is not asked. It needs the issuer's URL, and of the configuration what says where endpoints are.
func Hides(cfg Config, issuer string) func(path string, below bool) bool {
	s, mux, seen := &Server{cfg: cfg, issuer: issuer}, http.NewServeMux(), map[string]bool{}
	for _, rt := range s.routes() {
		if pattern := s.pattern(rt); !seen[pattern] {
			seen[pattern] = true
			mux.Handle(pattern, http.NotFoundHandler())
		}
	}
	return func(path string, below bool) bool {
		if below || s.reserves(path) {
			return s.reserves(path)
		}
		_, pattern := mux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}})
		return pattern != "" || cfg.ForwardAuth != nil && strings.HasPrefix(path, cfg.Prefix+ForwardAuthPath)
	}
}

// reserves reports whether a path is below the prefix, which is this server's as a whole.
func (s *Server) reserves(path string) bool {
	return s.cfg.Prefix != "" && (path == s.cfg.Prefix || strings.HasPrefix(path, s.cfg.Prefix+"/"))
}

// resource is what one path answers, method by method.
type resource struct {
	pattern string
	mux     *http.ServeMux // routes to it, and sets the values of its path
	routes  map[string]endpoint.Route
	guarded map[string]http.Handler
	allow   []string // the methods it knows, sorted
	cors    corsAnswers
}

// site is what one listener answers.
type site struct {
	mux       *http.ServeMux
	resources map[string]*resource // by pattern
	heads     map[string]bool      // the first segments of all patterns
}

// match returns the resource that serves the request's path, or nil. A path with // or
// /../ is not found: the multiplexer would redirect it, and the client send its
// credentials twice. The first segment, decoded as the multiplexer does, tells most paths
// of an upstream from ours at little cost.
func (t site) match(r *http.Request) *resource {
	if !t.heads[head(r.URL.Path)] {
		return nil
	}
	escaped := r.URL.EscapedPath()
	if !strings.HasPrefix(escaped, "/") || len(escaped) > 1 && path.Clean(escaped) != escaped {
		return nil
	}
	_, pattern := t.mux.Handler(r)
	return t.resources[pattern]
}

// head is the first segment of a path.
func head(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// site makes the multiplexer of routes. Patterns hold no method, so that
// the multiplexer itself refuses nothing: its refusals are plain text.
func (s *Server) site(routes []endpoint.Route) site {
	t := site{http.NewServeMux(), map[string]*resource{}, map[string]bool{}}
	for _, rt := range routes {
		pattern := s.pattern(rt)
		res, ok := t.resources[pattern]
		if !ok {
			res = &resource{pattern: pattern, mux: t.mux, routes: map[string]endpoint.Route{}, guarded: map[string]http.Handler{}}
			t.resources[pattern], t.heads[head(strings.TrimSuffix(pattern, "{$}"))] = res, true
		}
		res.routes[rt.Method] = rt
		res.guarded[rt.Method] = s.guards[rt.Access](s.handler(rt.Handle))
	}
	for pattern, res := range t.resources {
		res.allow = allowed(res.routes)
		res.cors = s.cors.answers(res.allow)
		t.mux.Handle(pattern, s.dispatch(res))
	}
	return t
}

// build makes the sites of the listeners.
func (s *Server) build() {
	var apart []endpoint.Route
	if s.cfg.AdminApart {
		apart = s.cfg.Admin
	}
	s.main, s.admin = s.site(s.routes()), s.site(apart)
	s.notFound, s.upstream, s.forwardAuth = &resource{pattern: "none"}, &resource{pattern: "upstream"}, &resource{pattern: "forward-auth"}
}

// pattern is where a route is, in the form of http.ServeMux.
func (s *Server) pattern(rt endpoint.Route) string {
	switch {
	case rt.Fixed:
		return rt.Path
	case rt.Path == rootPath && s.cfg.Prefix != "":
		return s.cfg.Prefix
	}
	return s.cfg.Prefix + rt.Path
}

// handler makes an http.Handler that answers a returned error.
func (s *Server) handler(h endpoint.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
			return
		}
		if endpoint.ExchangeOf(r).Status == 0 { // of HEAD, whose answer has no body
			w.WriteHeader(http.StatusOK)
		}
	})
}

// dispatch picks the method. HEAD is GET whose body net/http does not send.
func (s *Server) dispatch(res *resource) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if rt, ok := res.routes[method]; ok {
			x := endpoint.ExchangeOf(r)
			x.Quiet, x.Act = rt.Quiet, rt.Act
			if rt.Cached {
				w.Header().Del("Cache-Control")
			}
			res.guarded[method].ServeHTTP(w, r)
			return
		}
		if method == http.MethodOptions {
			w.Header().Set("Allow", strings.Join(res.allow, ", "))
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.fail(w, r, wrongMethod(method, res.allow))
	})
}

// find returns the resource that serves the request's path. It is never nil: upstream or
// notFound stand for paths that are none of this server's. What follows ForwardAuthPath may
// be the path of another request, and is not looked at here.
func (s *Server) find(r *http.Request) *resource {
	if s.cfg.ForwardAuth != nil && strings.HasPrefix(r.RequestURI, s.cfg.Prefix+ForwardAuthPath) {
		return s.forwardAuth
	}
	if res := s.main.match(r); res != nil {
		return res
	}
	if s.cfg.Upstream != nil && !s.reserves(r.URL.EscapedPath()) {
		return s.upstream
	}
	return s.notFound
}

// findAdmin is find for the listener of the admin API.
func (s *Server) findAdmin(r *http.Request) *resource {
	if res := s.admin.match(r); res != nil {
		return res
	}
	return s.notFound
}

func allowed(routes map[string]endpoint.Route) []string {
	methods := []string{http.MethodOptions}
	for method := range routes {
		methods = append(methods, method)
		if method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return methods
}

// wrongMethod is 405 for a method that HTTP knows and 501 for one that it does
// not (RFC 9110 §9.1, §15.5.6).
func wrongMethod(method string, allow []string) error {
	known := []string{
		http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodTrace,
	}
	if !slices.Contains(known, method) {
		return &endpoint.Failure{Status: http.StatusNotImplemented, Code: "not_implemented", Description: "the method is not known here"}
	}
	list := strings.Join(allow, ", ")
	return &endpoint.Failure{
		Status: http.StatusMethodNotAllowed, Code: "method_not_allowed",
		Description: "this address answers " + list,
		Header:      http.Header{"Allow": {list}},
	}
}
