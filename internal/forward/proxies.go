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
	// method, uri, host and scheme are the headers that describe the client's request. A proxy that has none
	// asks with the client's own method and host, and with the client's URI behind its own name in the path.
	method, uri, host, scheme string
	// foreign are headers that it never sends. A request with one of them comes from another kind of proxy
	// than its path says, or through two that contradict each other.
	foreign []string
	// authRequest says that it understands 2xx, 401 and 403 alone, as nginx's auth_request does.
	authRequest bool
	// absentIsEmpty says that it takes a header which is not in the answer for an empty one, and overwrites the
	// client's with that. Then the empty headers, which are half of an answer, need not be sent.
	absentIsEmpty bool
	// removesNamed says that an answer can name headers for it to remove.
	removesNamed bool
}

// Headers by which proxies describe a request's method and URI.
var (
	original  = []string{"X-Original-Method", "X-Original-Uri", "X-Original-Url", "X-Rewrite-Url"}
	forwarded = []string{"X-Forwarded-Method", "X-Forwarded-Uri"}
)

var proxies = []*proxy{
	{ // The headers that examples/nginx sets.
		name: "nginx", method: "X-Original-Method", uri: "X-Original-Uri", host: "X-Original-Host", scheme: "X-Original-Proto",
		foreign: append([]string{"X-Original-Url", "X-Rewrite-Url"}, forwarded...), authRequest: true, absentIsEmpty: true,
	},
	{
		name: "caddy", method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host", scheme: "X-Forwarded-Proto",
		foreign: original,
	},
	{
		name: "traefik", method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host", scheme: "X-Forwarded-Proto",
		foreign: original,
	},
	{name: "envoy", foreign: slices.Concat(original, forwarded), removesNamed: true},
}

// proxy returns the kind of proxy that r's path names, nil if it names none, and what follows the name. The path is
// read as it was sent: the client's own path may follow, which must not be cleaned or decoded here.
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

// read returns the client's request as the proxy describes it. The request shares its header with r; read adds the
// Upgrade that proxies leave out.
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
	// Most proxies keep Upgrade to themselves, but not what else belongs to a handshake (RFC 6455 §4.1).
	if _, wanted := r.Header["Sec-Websocket-Key"]; wanted && len(r.Header["Upgrade"]) == 0 {
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
