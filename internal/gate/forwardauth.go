package gate

import (
	"net/http"
	"slices"
	"strings"

	"github.com/doorward/doorward"
)

// Trusts reports whether the peer at an address, as net/http writes it, is one of Config.TrustedProxies.
func (g *Guard) Trusts(address string) bool { return g.proxies.Trust(address) }

// Blank writes every header that the gate owns, empty, into the answer of forward-auth. Tell then fills in those
// that have a value. So a proxy that copies the answer's headers overwrites whatever the client sent in them.
func (g *Guard) Blank(answer http.Header) {
	for _, name := range g.answerHeaders {
		answer[name] = emptyValue
	}
}

// Tell writes into the answer of forward-auth what the upstream has to read in the place of what the client
// sent: who is asking, the credentials that may be passed on, and the cookies that are not Doorward's. r is the
// request that v was decided on. It writes nothing if it refuses the request of a caller whom the upstream cannot be told.
func (g *Guard) Tell(answer http.Header, v *Verdict, r *http.Request) *doorward.Refusal {
	fields, refused := g.fields(v.Claims)
	if refused != nil {
		return refused
	}
	if lines := g.drops.foreignCookies(r.Header["Cookie"]); len(lines) > 0 {
		answer["Cookie"] = []string{strings.Join(lines, "; ")}
	}
	for _, f := range fields {
		answer[f.name] = f.values
	}
	g.passCredentials(answer, v, r)
	return nil
}

// emptyValue is the value of a header that is empty. It is shared: nobody writes to it.
var emptyValue = []string{""}

// answerHeaders returns the canonical names of all headers that Blank and Tell write.
func answerHeaders(cfg Config) []string {
	names := append(cfg.Names.owned(), "Authorization", "Cookie")
	for _, name := range []string{cfg.TokenHeader, cfg.KeyHeader} {
		if name != "" {
			names = append(names, name)
		}
	}
	if cfg.Token != nil {
		names = append(names, cfg.Token.Header)
	}
	for i, name := range names {
		names[i] = http.CanonicalHeaderKey(name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Disguised returns the name of a header that some upstreams take for another, although it is spelled differently: for
// one of the gate's own, such as Doorward_Subject or Grpc-Metadata-Doorward-Subject, or for one of another path or method,
// such as X_Original_URL or SCRIPT_NAME. It is "" if there is none. A proxy that overwrites or removes headers by their
// names would let it pass.
func (g *Guard) Disguised(h http.Header) string {
	for name := range h {
		if isPlainName(name) && !isMetadata(name) || g.isCredential(name) {
			continue
		}
		folded := foldName(name[:min(len(name), maxName)])
		if hasName(methodOverrides, folded) || g.drops.has(name) && (strings.HasPrefix(folded, "x-") || !hasName(alwaysDropped, folded)) {
			return name
		}
	}
	return ""
}

// isCredential reports whether a token or a key comes under this very name, which may be written as access_token is.
func (g *Guard) isCredential(name string) bool {
	return strings.EqualFold(name, g.cfg.TokenHeader) || strings.EqualFold(name, g.cfg.KeyHeader)
}

// isMetadata reports whether grpc-gateway makes metadata of another name from a header.
func isMetadata(name string) bool {
	return len(name) > len(grpcPrefix) && strings.EqualFold(name[:len(grpcPrefix)], grpcPrefix)
}

// isPlainName reports whether a name is written with letters, digits and hyphens alone.
func isPlainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '-' && folds[c] == '-' {
			return false
		}
	}
	return true
}

// Handshake decides on a WebSocket that forward-auth is asked about. It returns nil if the WebSocket
// may begin: the rule must allow it, and no page of another origin may ask for it. It refuses every
// upgrade to another protocol, since forward-auth never sees the connection.
func (g *Guard) Handshake(v *Verdict, r *http.Request) *doorward.Refusal {
	wished := r.Header["Upgrade"]
	if !v.Route.WebSocket || v.Preflight || r.Method != http.MethodGet || len(wished) != 1 || !strings.EqualFold(wished[0], "websocket") {
		return noSocket()
	}
	return g.foreignOrigin(v, r)
}
