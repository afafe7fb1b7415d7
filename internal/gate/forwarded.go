package gate

import (
	"net/http"
	"net/netip"
	"strings"
)

// trusts reports whether the peer at address, as net/http writes it, is one of the trusted proxies.
func (g *Guard) trusts(address string) bool {
	if len(g.proxies) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(address)
	if err != nil {
		return false // a Unix socket: whoever may open it is not named
	}
	ip := peer.Addr().Unmap().WithZone("")
	for _, prefix := range g.proxies {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// setForwarded tells the upstream where the request came from. What a trusted proxy
// says of its own client is passed on; what anybody else says has been dropped.
func (g *Guard) setForwarded(out http.Header, in *http.Request) {
	peer := in.RemoteAddr
	if address, err := netip.ParseAddrPort(peer); err == nil {
		peer = address.Addr().Unmap().WithZone("").String()
	}
	proto, host := "http", in.Host
	if in.TLS != nil {
		proto = "https"
	}
	if g.trusts(in.RemoteAddr) {
		if before := strings.Join(in.Header["X-Forwarded-For"], ", "); before != "" {
			peer = before + ", " + peer
		}
		if said := in.Header["X-Forwarded-Proto"]; len(said) == 1 && (said[0] == "http" || said[0] == "https") {
			proto = said[0]
		}
		if said := in.Header["X-Forwarded-Host"]; len(said) == 1 && said[0] != "" {
			host = said[0]
		}
		if said := in.Header["X-Forwarded-Prefix"]; len(said) == 1 {
			out["X-Forwarded-Prefix"] = said
		}
	}
	out["X-Forwarded-For"] = []string{peer}
	out["X-Forwarded-Proto"] = []string{proto}
	out["X-Forwarded-Host"] = []string{host}
}
