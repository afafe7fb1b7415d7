package gate

import (
	"net/http"
	"net/netip"
	"strings"
)

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
	if g.proxies.Trust(in.RemoteAddr) {
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
