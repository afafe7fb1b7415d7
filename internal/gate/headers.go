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

// newDropSet returns what cfg wants dropped. methods says that some rule names methods: then nothing may override them.
func newDropSet(cfg Config, methods bool) dropSet {
	d := dropSet{
		names:    map[string]bool{foldName("Authorization"): true},
		prefixes: []string{foldName("Doorward-"), foldName("X-Forwarded-")},
		owned:    map[string]bool{},
		cookie:   cfg.TokenCookie,
	}
	names := slices.Concat(cfg.Names.owned(), alwaysDropped, mountHeaders)
	for _, name := range cfg.Names.owned() {
		d.owned[http.CanonicalHeaderKey(name)] = true
	}
	if methods {
		names = append(names, methodOverrides...)
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
	return strings.HasPrefix(string(folded), grpcPrefix) && d.identifies(string(folded[len(grpcPrefix):]))
}

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
		if len(name) <= maxName && hasName(methodOverrides, foldName(name)) {
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
