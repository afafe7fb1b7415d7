package gate

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/origin"
)

// CORS says which scripts of other origins may read a route's answers. The gate then
// answers preflights, and what the upstream says of CORS is dropped.
type CORS struct {
	// Origins are compared whole and byte for byte, as browsers write them:
	// https://app.example.com. There are no patterns; "*" alone is every origin.
	Origins []string
	// Credentials lets these scripts send cookies; never together with "*".
	Credentials bool
	// Methods that scripts may use; none means those of the route.
	Methods []string
	// Headers that scripts may set; none means Authorization and Content-Type.
	Headers []string
	// Expose are headers of answers that scripts may read.
	Expose []string
	// MaxAge is how long a browser may keep the answer to a preflight, in whole
	// seconds; 0 leaves it to the browser.
	MaxAge time.Duration
	// PrivateNetwork lets pages of public networks call here, on a private one.
	PrivateNetwork bool
}

// corsPolicy is a CORS made ready.
type corsPolicy struct {
	CORS
	methods string
	headers map[string]bool // canonical
	expose  string
	refusal string // what a refusal exposes
}

// maxRequestHeaders bounds the list of headers in a preflight, in bytes.
const maxRequestHeaders = 4 << 10

func newCORSPolicy(c *CORS, methods []string) (*corsPolicy, error) {
	if c == nil {
		return nil, nil
	}
	if len(c.Origins) == 0 {
		return nil, errors.New("cors: no origin is named")
	}
	every := slices.Contains(c.Origins, "*")
	if every && (len(c.Origins) > 1 || c.Credentials) {
		return nil, errors.New(`cors: "*" stands alone and excludes credentials`)
	}
	for _, site := range c.Origins {
		if err := origin.CheckWeb(site); !every && err != nil {
			return nil, fmt.Errorf("cors: origin %q: %w", site, err)
		}
	}
	if err := checkMethods(c.Methods); err != nil { // a preflight names them as they are, and is compared byte for byte
		return nil, fmt.Errorf("cors: %w", err)
	}
	p := &corsPolicy{CORS: *c, headers: map[string]bool{}}
	if len(c.Methods) > 0 {
		methods = c.Methods
	}
	p.methods = sortedList(slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return m == http.MethodOptions }))
	p.expose = sortedList(c.Expose)
	p.refusal = sortedList(append(slices.Clone(c.Expose), "Retry-After", "WWW-Authenticate"))
	names := c.Headers
	if len(names) == 0 {
		names = []string{"Authorization", "Content-Type"}
	}
	for _, name := range names {
		if name == "*" {
			return nil, errors.New("cors: name each header; there are no patterns")
		}
		p.headers[textproto.CanonicalMIMEHeaderKey(name)] = true
	}
	return p, nil
}

func sortedList(words []string) string {
	words = slices.Clone(words)
	slices.Sort(words)
	return strings.Join(slices.Compact(words), ", ")
}

// answer replaces what h says of CORS by the policy's own.
func (p *corsPolicy) answer(h http.Header, r *http.Request) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
	addVary(h, "Origin")
	origin, ok := p.allowed(r)
	if !ok {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if p.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if p.expose != "" {
		h.Set("Access-Control-Expose-Headers", p.expose)
	}
}

// refuse is answer for a refusal of the gate's own: a script reads all that it says.
func (p *corsPolicy) refuse(h http.Header, r *http.Request) {
	p.answer(h, r)
	if h.Get("Access-Control-Allow-Origin") != "" {
		h.Set("Access-Control-Expose-Headers", p.refusal)
	}
}

// preflight answers a preflight: 204, with what is allowed.
func (p *corsPolicy) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	p.answer(h, r)
	h.Del("Access-Control-Expose-Headers")
	h.Set("Cache-Control", "no-store")
	addVary(h, "Access-Control-Request-Method, Access-Control-Request-Headers")
	if h.Get("Access-Control-Allow-Origin") != "" {
		p.grant(h, r)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (p *corsPolicy) grant(h http.Header, r *http.Request) {
	if slices.Contains(strings.Split(p.methods, ", "), r.Header.Get("Access-Control-Request-Method")) {
		h.Set("Access-Control-Allow-Methods", p.methods)
	}
	if names := p.granted(r.Header.Values("Access-Control-Request-Headers")); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
	if p.MaxAge > 0 {
		h.Set("Access-Control-Max-Age", strconv.Itoa(int(p.MaxAge/time.Second)))
	}
	if p.PrivateNetwork && r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
}

// granted returns those of the requested headers that scripts may set, as the browser wrote them.
func (p *corsPolicy) granted(lines []string) string {
	asked := strings.Join(lines, ",")
	if len(asked) > maxRequestHeaders {
		return ""
	}
	var names []string
	for name := range strings.SplitSeq(asked, ",") {
		name = strings.TrimSpace(name)
		if p.headers[textproto.CanonicalMIMEHeaderKey(name)] {
			names = append(names, name)
		}
	}
	return sortedList(names)
}

// allowed returns what Access-Control-Allow-Origin says to r, and whether it says anything.
func (p *corsPolicy) allowed(r *http.Request) (string, bool) {
	origins := r.Header["Origin"]
	switch {
	case len(origins) != 1:
		return "", false
	case p.Origins[0] == "*":
		return "*", origins[0] != "null"
	}
	return origins[0], slices.Contains(p.Origins, origins[0])
}

// addVary adds names to Vary, as one line, unless they are there.
func addVary(h http.Header, names string) {
	lines := h["Vary"]
	if len(lines) == 0 && names != "" {
		h["Vary"] = []string{names}
		return
	}
	known := strings.ToLower(strings.Join(lines, ","))
	var missing []string
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		if name != "" && !slices.ContainsFunc(strings.Split(known, ","), func(k string) bool {
			return strings.TrimSpace(k) == strings.ToLower(name)
		}) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		h["Vary"] = []string{strings.Join(append(slices.Clone(lines), missing...), ", ")}
	}
}
