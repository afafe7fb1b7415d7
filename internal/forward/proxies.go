package forward

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/strict"
)

var (
	errProxy     = errors.New("forward: no proxy of this name is known")
	errStranger  = errors.New("forward: the peer is not one of the trusted proxies")
	errHeaders   = errors.New("forward: a header that this proxy sends is missing, empty or repeated")
	errForeign   = errors.New("forward: a header that another kind of proxy sends")
	errDisguised = errors.New("forward: a header that some upstream takes for one of the gate's own")
	errQuestion  = errors.New("forward: the proxy describes no request")
)

// proxy is one kind of proxy: what it sends and what it understands.
type proxy struct {
	name string
	// method, uri, host and scheme are the headers that describe the client's request. A proxy without them
	// asks with the client's own method and host, and with the URI after the address.
	method, uri, host, scheme string
	// foreign are headers that it never sends: with one of them, two proxies contradict each other,
	// or it is another one than the address says.
	foreign []string
	// three says that it knows 2xx, 401 and 403 alone.
	three bool
	// empties says that a header which is not in the answer is an empty one to it, so that it overwrites
	// the client's all the same. Half of the answer's headers are empty, and each costs both sides.
	empties bool
	// removes says that it can be told which headers to remove.
	removes bool
}

// Headers by which proxies describe a request's method and URI.
var (
	original  = []string{"X-Original-Method", "X-Original-Uri", "X-Original-Url", "X-Rewrite-Url"}
	forwarded = []string{"X-Forwarded-Method", "X-Forwarded-Uri"}
)

var proxies = []*proxy{
	{ // The headers that examples/nginx sets.
		name: "nginx", method: "X-Original-Method", uri: "X-Original-Uri", host: "X-Original-Host", scheme: "X-Original-Proto",
		foreign: append([]string{"X-Original-Url", "X-Rewrite-Url"}, forwarded...), three: true, empties: true,
	},
	{
		name: "caddy", method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host", scheme: "X-Forwarded-Proto",
		foreign: original,
	},
	{
		name: "traefik", method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host", scheme: "X-Forwarded-Proto",
		foreign: original,
	},
	{name: "envoy", foreign: slices.Concat(original, forwarded), removes: true},
}

// proxy returns the kind of proxy that r's address names, nil if it names none, and what follows the name. The
// address is taken as it was sent, for a request's path may follow it that has other spellings.
func (h *Handler) proxy(r *http.Request) (*proxy, string) {
	after, ok := strings.CutPrefix(r.RequestURI, h.path)
	if !ok {
		return nil, ""
	}
	end := strings.IndexAny(after, "/?")
	if end < 0 {
		end = len(after)
	}
	for _, p := range proxies {
		if after[:end] == p.name && (p.uri == "") == (end < len(after) && after[end] == '/') {
			return p, after[end:]
		}
	}
	return nil, ""
}

// read returns the client's request as the proxy describes it. It shares its headers with r, where it puts the Upgrade
// that the proxy has left out.
func (p *proxy) read(r *http.Request, rest string) (*http.Request, error) {
	for _, name := range p.foreign {
		if _, ok := r.Header[name]; ok {
			return nil, fmt.Errorf("%w: %s", errForeign, name)
		}
	}
	said := [...]string{r.Method, rest, r.Host, "https"}
	if p.uri != "" {
		for i, name := range [...]string{p.method, p.uri, p.host, p.scheme} {
			var err error
			if said[i], err = only(r.Header, name); err != nil {
				return nil, err
			}
		}
	}
	method, uri, host, scheme := said[0], said[1], said[2], said[3]
	u, err := url.ParseRequestURI(uri)
	if err != nil || uri[0] != '/' || !strict.Token(method) || !strict.Host(host) {
		return nil, errQuestion
	}
	switch scheme {
	case "http", "ws":
		u.Scheme = "http"
	case "https", "wss":
		u.Scheme = "https"
	default:
		return nil, errQuestion
	}
	asked := r.WithContext(r.Context())
	asked.Method, asked.URL, asked.Host, asked.RequestURI = method, u, host, uri
	// Proxies keep Upgrade to themselves, but not what else belongs to a handshake (RFC 6455 §4.1).
	if _, wanted := r.Header["Sec-Websocket-Key"]; wanted {
		asked.Header["Upgrade"] = []string{"websocket"}
	}
	return asked, nil
}

// only returns the value of a header that has to be there once.
func only(h http.Header, name string) (string, error) {
	if values := h[name]; len(values) == 1 && values[0] != "" {
		return values[0], nil
	}
	return "", fmt.Errorf("%w: %s", errHeaders, name)
}
