package gate

import (
	"net/http"
	"strings"

	"github.com/doorward/doorward/internal/strict"
)

// setForwarded tells the upstream where the request came from. What a trusted proxy
// says of its own client is passed on; what anybody else says has been dropped.
func (g *Guard) setForwarded(out http.Header, in *http.Request) {
	peer, trusted := g.proxies.Peer(in.RemoteAddr)
	proto, host := addressed(in, trusted)
	if trusted {
		if before := strings.Join(in.Header["X-Forwarded-For"], ", "); before != "" {
			peer = before + ", " + peer
		}
		if said := in.Header["X-Forwarded-Prefix"]; len(said) == 1 {
			out["X-Forwarded-Prefix"] = said
		}
	}
	said := []string{peer, proto, host}
	out["X-Forwarded-For"], out["X-Forwarded-Proto"], out["X-Forwarded-Host"] = said[:1:1], said[1:2:2], said[2:]
}

// addressed returns the scheme and the host, or hosts, of the address that a client asked for, which its proxy knows better.
func addressed(in *http.Request, trusted bool) (proto, host string) {
	proto, host = "http", in.Host
	if in.TLS != nil {
		proto = "https"
	}
	if !trusted {
		return proto, host
	}
	if said := in.Header["X-Forwarded-Proto"]; len(said) == 1 && (said[0] == "http" || said[0] == "https") {
		proto = said[0]
	}
	if said := in.Header["X-Forwarded-Host"]; len(said) == 1 && areHosts(said[0]) {
		host = said[0]
	}
	return proto, host
}

// areHosts reports whether said is one host, or several as a chain of proxies lists them. A proxy may pass on what its
// client says, as net/http does with HTTP/2.
func areHosts(said string) bool {
	for host := range strings.SplitSeq(said, ",") {
		if !strict.Host(strings.TrimSpace(host)) {
			return false
		}
	}
	return true
}
