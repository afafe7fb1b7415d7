package main

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rs/cors"

	"github.com/doorward/doorward"
)

// step is one endpoint. What it returns as an error is written by fail; then it has written nothing itself.
type step func(w http.ResponseWriter, r *http.Request) error

// resource is what one path answers, method by method.
type resource struct {
	methods map[string]http.Handler
	allow   []string
}

// handler is the whole API. A path is compared as a whole, byte for byte, after its
// escapes are decoded: "//login" or "/LOGIN" is nobody's.
func (a *app) handler() http.Handler {
	guarded := map[string]http.Handler{}
	for path, methods := range a.routes() {
		res := newResource(methods)
		guarded[path] = a.shared(res.allow, a.dispatch(res))
	}
	missing := a.public(func(http.ResponseWriter, *http.Request) error { return errNotFound })
	readable := a.shared([]string{http.MethodGet}, missing)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ok := guarded[r.URL.Path]
		switch {
		case ok:
			h.ServeHTTP(w, r)
		case r.Method == http.MethodOptions: // There is nothing that a preflight could allow.
			missing.ServeHTTP(w, r)
		default:
			readable.ServeHTTP(w, r)
		}
	})
}

// routes is every endpoint. The first four are the tutorials' own; the others are what
// they leave as an exercise.
func (a *app) routes() map[string]map[string]http.Handler {
	routes := map[string]map[string]http.Handler{
		"/":          {"GET": a.public(a.welcome)},
		"/login":     {"POST": a.public(a.login)},
		"/protected": {"GET": a.guarded(a.protected)},

		"/refresh":  {"POST": a.public(a.refresh)},
		"/logout":   {"DELETE": a.public(a.logout)},
		"/admin":    {"GET": a.guarded(a.admin, doorward.HasRole(roleAdmin))},
		"/me":       {"GET": a.guarded(a.me)},
		"/fresh":    {"GET": a.guarded(a.fresh, doorward.LoggedInWithin(5*time.Minute))},
		"/optional": {"GET": a.verifier.Optional()(a.known(a.optional))},
	}
	if a.locations {
		routes["/protected"]["POST"] = routes["/protected"]["GET"] // a body can carry the token
		routes["/login_cookie"] = map[string]http.Handler{"POST": a.public(a.loginCookie)}
		routes["/logout_cookie"] = map[string]http.Handler{"POST": a.public(a.logoutCookie)}
	}
	return routes
}

// public asks for no token.
func (a *app) public(h step) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

// guarded asks for a good token that meets the needs, of someone who still exists.
func (a *app) guarded(h step, needs ...doorward.Need) http.Handler {
	return a.verifier.Require(needs...)(a.known(h))
}

func newResource(methods map[string]http.Handler) resource {
	res := resource{methods: methods, allow: []string{http.MethodOptions}}
	for method := range methods {
		res.allow = append(res.allow, method)
		if method == http.MethodGet {
			res.allow = append(res.allow, http.MethodHead)
		}
	}
	slices.Sort(res.allow)
	return res
}

// dispatch picks the method. HEAD is GET whose body net/http does not send.
func (a *app) dispatch(res resource) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if h, ok := res.methods[method]; ok {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(res.allow, ", "))
		if method != http.MethodOptions {
			a.fail(w, r, errMethod)
		}
	})
}

// shared lets scripts of the one named origin call, with the methods that the path has. Without
// an origin no answer has a header of CORS. It stands outside of the verifier, since
// a preflight carries no token.
func (a *app) shared(methods []string, next http.Handler) http.Handler {
	if a.origin == "" {
		return next // An empty list would mean every origin.
	}
	return cors.New(cors.Options{
		AllowedOrigins: []string{a.origin},
		AllowedMethods: methods,
		AllowedHeaders: []string{"Authorization", "Content-Type", "X-Access-Token"},
		ExposedHeaders: []string{"WWW-Authenticate", "Retry-After"},
		MaxAge:         600,
	}).Handler(next)
}
