package gate

import (
	"net/http"
	"slices"
	"strings"
)

// dropSet is the headers that never reach the upstream as a client sent them. Names
// are compared as the laxest servers do, those of CGI and WSGI: all characters that
// are neither letter nor digit are the same.
type dropSet struct {
	names    map[string]bool // folded
	prefixes []string        // folded
	owned    map[string]bool // canonical names that the gate itself sets
	cookie   string          // that holds the access token; empty if there is none
}

// always are the headers that are dropped whatever the rules: some servers take from
// them another path, method or address than was decided on, or another client.
var always = []string{
	"Forwarded", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Client-Ip",
	"X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Original-Host", "X-Rewrite-Url",
	"Http2-Settings", "Proxy-Authorization", "Proxy-Connection",
}

// rebases are headers by which servers of Python and their middleware take the beginning off the path, as gunicorn, daphne
// and the ReverseProxied of many Flask apps do: /open/admin becomes /admin after it was decided on. They have no other use.
var rebases = []string{"Script-Name", "Path-Info", "X-Script-Name", "Daphne-Root-Path"}

// written are headers in which browsers, proxies and HTTP itself say something of their own, and spoken are the beginnings
// of the names of more. In one of them a token or a key would be taken for that, and that for a token.
var (
	written = []string{
		"Accept", "Cache-Control", "Cookie2", "Date", "Dnt", "Early-Data", "From", "Last-Event-Id", "Link", "Max-Forwards", "Origin",
		"Pragma", "Prefer", "Priority", "Range", "Referer", "Save-Data", "Traceparent", "Tracestate", "Upgrade-Insecure-Requests",
		"User-Agent", "Via", "Warning", "X-Request-Id", "X-Requested-With",
		"X-Forwarded-By", "X-Forwarded-Client-Cert", "X-Forwarded-Method", "X-Forwarded-Path", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Protocol", "X-Forwarded-Scheme", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-Uri",
	}
	spoken = []string{"Accept-", "Access-Control-", "Content-", "Doorward-", "If-", "Proxy-", "Sec-"}
)

// isWritten reports whether something else than a token or a key stands in a header.
func (h header) isWritten() bool {
	name := foldName(h.name)
	return hasName(written, name) || hasName(always, name) || hasName(rebases, name) || hasName(overrides, name) ||
		slices.ContainsFunc(spoken, func(prefix string) bool { return strings.HasPrefix(name, foldName(prefix)) })
}

// hasName reports whether a folded name is one of names.
func hasName(names []string, folded string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return foldName(name) == folded })
}

// overrides are headers by which some frameworks take another method than the request's.
var overrides = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// maxName bounds the names that are compared, in bytes. No header that is dropped has a longer one.
const maxName = 128

func newDropSet(cfg Config, methods bool) dropSet {
	d := dropSet{
		names:    map[string]bool{foldName("Authorization"): true},
		prefixes: []string{foldName("Doorward-"), foldName("X-Forwarded-")},
		owned:    map[string]bool{},
		cookie:   cfg.TokenCookie,
	}
	names := slices.Concat(cfg.Names.owned(), always, rebases)
	for _, name := range cfg.Names.owned() {
		d.owned[http.CanonicalHeaderKey(name)] = true
	}
	if methods {
		names = append(names, overrides...)
	}
	for _, name := range []string{cfg.TokenHeader, cfg.KeyHeader} {
		if name != "" {
			names = append(names, name)
		}
	}
	if cfg.Token != nil {
		names = append(names, cfg.Token.Header)
	}
	for _, name := range names {
		d.names[foldName(name)] = true
	}
	return d
}

// has reports whether a header of this name is dropped. It does not allocate.
func (d *dropSet) has(name string) bool {
	var room [maxName]byte
	folded := appendFolded(room[:0], name[:min(len(name), maxName)])
	if len(name) <= maxName && d.names[string(folded)] {
		return true
	}
	for _, prefix := range d.prefixes {
		if strings.HasPrefix(string(folded), prefix) {
			return true
		}
	}
	return strings.HasPrefix(string(folded), metadata) && d.identifies(string(folded[len(metadata):]))
}

// metadata begins the names of headers from which grpc-gateway makes gRPC metadata without it: to the API
// Grpc-Metadata-Doorward-Subject is Doorward-Subject.
const metadata = "grpc-metadata-"

// identifies reports whether a folded name is of a header that says who is asking.
func (d *dropSet) identifies(folded string) bool {
	if strings.HasPrefix(folded, "doorward-") {
		return true
	}
	for name := range d.owned {
		if foldName(name) == folded {
			return true
		}
	}
	return false
}

// clean removes from h what the client must not tell the upstream, Doorward's cookies included.
func (d *dropSet) clean(h http.Header) {
	for name := range h {
		if d.has(name) {
			delete(h, name)
		}
	}
	if lines, ok := h["Cookie"]; ok {
		h["Cookie"] = d.foreignCookies(lines)
		if len(h["Cookie"]) == 0 {
			delete(h, "Cookie")
		}
	}
}

// dropOverrides removes the headers that override the method. A preflight has none: it carries no token, and by such a
// header it would become the request that it announces.
func dropOverrides(h http.Header) {
	for name := range h {
		if len(name) <= maxName && hasName(overrides, foldName(name)) {
			delete(h, name)
		}
	}
}

// foreignCookies returns the lines without the cookies of ours.
func (d *dropSet) foreignCookies(lines []string) []string {
	var kept []string
	for _, line := range lines {
		var pairs []string
		dropped := false
		for pair := range strings.SplitSeq(line, ";") {
			if d.ownCookie(cookieName(pair)) {
				dropped = true
				continue
			}
			pairs = append(pairs, strings.TrimSpace(pair))
		}
		switch {
		case !dropped:
			kept = append(kept, line)
		case len(pairs) > 0:
			kept = append(kept, strings.Join(pairs, "; "))
		}
	}
	return kept
}

// cookiePrefix begins the names of Doorward's cookies.
const cookiePrefix = "__host-dw"

// cookieName returns the name of a cookie in lower case. An equals sign before the name does not count: what was set
// as "=name=value" some browsers send back as "name=value".
func cookieName(pair string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(pair, "= \t\""), "=")
	return strings.ToLower(strings.TrimRight(name, " \t\""))
}

func (d *dropSet) ownCookie(name string) bool {
	return strings.HasPrefix(name, cookiePrefix) || d.cookie != "" && name == strings.ToLower(d.cookie)
}

func foldName(name string) string { return string(appendFolded(nil, name)) }

func appendFolded(dst []byte, name string) []byte {
	for i := range len(name) {
		dst = append(dst, folds[name[i]])
	}
	return dst
}

// folds is foldByte as a table, since it is asked for each byte of each header's name.
var folds = func() (t [256]byte) {
	for i := range t {
		t[i] = foldByte(byte(i))
	}
	return t
}()

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c >= 0x80:
		return c
	}
	return '-'
}
