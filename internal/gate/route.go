package gate

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward"
)

// Access says whose requests a rule lets pass.
type Access int

// The kinds of Access.
const (
	AccessToken    Access = iota // those with a good token
	AccessOptional               // those with a good token, and those with none
	AccessPublic                 // all; credentials are not looked at
	AccessDeny                   // none: the answer is 404
)

// Route is one rule. The first whose path and method fit a request decides.
type Route struct {
	// Path is a whole path, such as /reports, or one and all below it: /admin/**.
	// It fits without regard to one slash at the end and, unless
	// Config.ExactCase is set, to case.
	Path string
	// Methods are those that the rule is for; GET stands for HEAD too. None means
	// GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS. A path that fits the rules
	// with a method that none of them names is answered with 405.
	Methods []string
	Access  Access
	// Roles are those of which the token must have one. Empty asks for none. Like
	// Scope and Recent it needs AccessToken.
	Roles []string
	// Scope is the words that the token must have, all of them. Empty asks for none.
	Scope []string
	// Recent is the greatest age of the login. Zero means any age.
	Recent time.Duration
	// RawPath lets paths pass that can be read in several ways, byte for byte, if
	// every reading falls under this rule. Dots that climb never pass.
	RawPath bool
	// ForwardToken passes the token on. Then it must be for Config.Audience, which is
	// the upstream's own name, and one for Doorward is refused.
	ForwardToken bool
	// YoungWhenStale is how long ago a token may have been issued that passes although it
	// cannot be known whether its session has ended since. 0 means that none does: 503.
	YoungWhenStale time.Duration

	// ForwardAuthorization passes the Authorization header of a public route on,
	// unless it holds a token of ours.
	ForwardAuthorization bool
	// WebSocket allows the upgrade to a WebSocket, whose handshake is a GET.
	WebSocket bool

	// The rest is for the reverse proxy alone.

	// Timeout is how long the upstream may take to begin its answer. 0 means the upstream's.
	Timeout time.Duration
	// CORS answers for the upstream; nil leaves CORS to it.
	CORS *CORS
}

// usualMethods are what a rule without methods is for.
var usualMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// rule is a Route made ready.
type rule struct {
	Route
	keys     [2]string // the folded path, without /**: as it is, and as a lenient reader has it
	below    bool      // everything below it too
	methods  []string
	verifier *doorward.Verifier // of the token; nil where none is looked at
	require  []doorward.Need
	// audience is what the token must be for.
	audience string
	cors     *corsPolicy // nil leaves CORS to the upstream
}

func newRule(route Route, exact bool) (rule, error) {
	if err := cmp.Or(checkPath(route.Path), route.validate()); err != nil {
		return rule{}, err
	}
	r := rule{Route: route, methods: slices.Clone(route.Methods)}
	var path string
	path, r.below = strings.CutSuffix(route.Path, "/**")
	if path == "" && r.below || path == "/" && !r.below {
		path = "/"
	} else {
		path = strings.TrimSuffix(path, "/") + "/"
	}
	s, err := parsePath(strings.ReplaceAll(path, " ", "%20"))
	lax, laxErr := lenient(s.text)
	if err != nil || laxErr != nil || strings.Contains(s.text, "*") {
		return rule{}, errors.New("want a path such as /reports, or /admin/** for all below /admin, without other stars, //, dot segments, ; and \\")
	}
	for i, text := range []string{s.text, lax} {
		r.keys[i] = foldPath(text, exact)
		if r.keys[i] == "/" && r.below {
			r.keys[i] = ""
		}
	}
	if len(r.methods) == 0 {
		r.methods = usualMethods
	} else if slices.Contains(r.methods, http.MethodGet) && !slices.Contains(r.methods, http.MethodHead) {
		r.methods = append(r.methods, http.MethodHead)
	}
	if r.cors, err = newCORSPolicy(route.CORS, r.methods); err != nil {
		return rule{}, err
	}
	return r, nil
}

func (r Route) validate() error {
	needs := len(r.Roles) > 0 || len(r.Scope) > 0 || r.Recent != 0 || r.YoungWhenStale != 0
	switch {
	case needs && r.Access != AccessToken:
		return errors.New("what is required of a token needs access: token")
	case r.ForwardToken && r.Access != AccessToken:
		return errors.New("forwarding the token needs access: token")
	case r.ForwardAuthorization && r.Access != AccessPublic:
		return errors.New("forwarding a foreign Authorization needs access: public")
	case r.Recent < 0 || r.Timeout < 0 || r.YoungWhenStale < 0:
		return errors.New("a time is negative")
	case r.Recent > 0 && r.Recent < time.Second:
		return errors.New("recent is less than a second")
	case r.WebSocket && len(r.Methods) > 0 && !slices.Contains(r.Methods, http.MethodGet):
		return errors.New("websocket needs GET among the methods: every WebSocket begins with it")
	case slices.Contains(r.Roles, "") || slices.Contains(r.Scope, ""):
		return errors.New("a role or a word of the scope is empty")
	}
	if _, err := doorward.Scope(r.Scope).MarshalText(); err != nil {
		return fmt.Errorf("scope %q: want words of printable ASCII without space, quote and backslash", r.Scope)
	}
	return checkMethods(r.Methods)
}

func checkMethods(methods []string) error {
	for _, method := range methods {
		if method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" || method == http.MethodConnect || method == http.MethodTrace {
			return fmt.Errorf("method %q: want names in capitals, and neither CONNECT nor TRACE", method)
		}
	}
	return nil
}

func (r *rule) needs() []doorward.Need {
	var needs []doorward.Need
	if len(r.Roles) > 0 {
		needs = append(needs, doorward.HasRole(r.Roles...))
	}
	if len(r.Scope) > 0 {
		needs = append(needs, doorward.HasScope(r.Scope...))
	}
	if r.Recent > 0 {
		needs = append(needs, doorward.LoggedInWithin(r.Recent))
	}
	if r.YoungWhenStale > 0 {
		needs = append(needs, doorward.YoungWhenStale(r.YoungWhenStale))
	}
	return needs
}

// fits reports whether the rule is for a path, as this kind of reader takes it and foldPath has folded it.
func (r *rule) fits(key string, as reader) bool {
	if !r.below {
		return key == r.keys[as]
	}
	rest, ok := strings.CutPrefix(key, r.keys[as])
	return ok && (rest == "" || rest[0] == '/')
}

// reader is a kind of reader of paths.
type reader int

const (
	plainReader   reader = iota // takes each letter as it is
	lenientReader               // takes the path as the function lenient says
)

// table is the rules in order.
type table struct {
	rules    []rule
	fallback rule
	exact    bool
	raw      bool // some rule has RawPath
	methods  bool // some rule names methods
}

// choice is the rule that a request falls under.
type choice struct {
	rule *rule
	// wrongMethod says that rules fit the path and none of them the method; rule is the first of them.
	wrongMethod bool
}

// choose returns the rule for a decoded path.
func (t *table) choose(text, method string, as reader) choice {
	key := foldPath(text, t.exact)
	var first *rule
	for i := range t.rules {
		r := &t.rules[i]
		if !r.fits(key, as) {
			continue
		}
		if slices.Contains(r.methods, method) {
			return choice{rule: r}
		}
		if first == nil {
			first = r
		}
	}
	if first != nil {
		return choice{first, true}
	}
	return choice{&t.fallback, !slices.Contains(t.fallback.methods, method)}
}

// allowed is what the rules that fit a path answer to, sorted.
func (t *table) allowed(text string) []string {
	key := foldPath(text, t.exact)
	var methods []string
	for i := range t.rules {
		if t.rules[i].fits(key, plainReader) {
			methods = append(methods, t.rules[i].methods...)
		}
	}
	if methods == nil {
		methods = slices.Clone(t.fallback.methods)
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// find reads a path as it was sent and returns the rule for it and how it is forwarded.
func (t *table) find(wire, method string) (choice, spelling, error) {
	s, err := parsePath(wire)
	if err != nil {
		return t.findRaw(wire, method)
	}
	found := t.choose(s.text, method, plainReader)
	if !suspicious(s.text) {
		return found, s, nil
	}
	lax, err := lenient(s.text)
	if err != nil || t.choose(lax, method, lenientReader) != found {
		return t.findRaw(wire, method)
	}
	return found, s, nil
}

// findRaw lets a path pass as it is if every reading of it falls under one rule that allows that.
func (t *table) findRaw(wire, method string) (choice, spelling, error) {
	if !t.raw {
		return choice{}, spelling{}, errPath
	}
	all, err := readings(wire)
	if err != nil {
		return choice{}, spelling{}, err
	}
	found := t.choose(all[0], method, plainReader)
	if !found.rule.RawPath {
		return choice{}, spelling{}, errPath
	}
	for _, text := range all {
		lax, err := lenient(text)
		if err != nil || t.choose(text, method, plainReader) != found || t.choose(lax, method, lenientReader) != found {
			return choice{}, spelling{}, errPath
		}
	}
	text, _ := decoded(wire)
	return found, spelling{wire, text}, nil
}
