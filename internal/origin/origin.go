// Package origin tells from which address a request comes, behind trusted proxies too, and checks
// the web origins that a setting may name.
package origin

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of proxies in front whose X-Forwarded-* count.
type Proxies []netip.Prefix

// Origin is where one request comes from. Its texts are made only when they are asked for.
type Origin struct {
	// Hidden says that the client is behind a proxy of one's own that is not trusted: a
	// loopback or private peer that sends X-Forwarded-For. It has no Network, since
	// everybody would share it.
	Hidden bool

	client netip.Addr // invalid if the peer has no IP address
	peer   string     // the peer's name, if it has no IP address
}

// Address returns the address of the client, or of a proxy that is not trusted.
func (o Origin) Address() string {
	if !o.client.IsValid() {
		return o.peer
	}
	return o.client.String()
}

// Network returns the network that one customer of a provider has: a /24, or a /48 of
// IPv6. It is zero if the address says nothing about the client.
func (o Origin) Network() netip.Prefix {
	if o.Hidden || !o.client.IsValid() {
		return netip.Prefix{}
	}
	bits := 48
	if o.client.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(o.client, bits).Masked()
}

// Trust reports whether the peer at address, as net/http writes it, is a trusted proxy.
// A Unix socket is not: whoever may open it is not named.
func (p Proxies) Trust(address string) bool {
	if len(p) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(address)
	return err == nil && p.contains(plain(peer.Addr()))
}

// Peer returns the peer at address, as net/http writes it, without its port, and whether it is a trusted proxy.
func (p Proxies) Peer(address string) (peer string, trusted bool) {
	if len(p) == 0 && !strings.HasPrefix(address, "[") { // an IPv4 address has only one spelling
		peer, _, _ = strings.Cut(address, ":")
		return peer, false
	}
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return address, false
	}
	ip := plain(parsed.Addr())
	return ip.String(), p.contains(ip)
}

// Of returns where r comes from. X-Forwarded-For is read from its end, where the nearest
// proxy writes: the client is the first address that is no trusted proxy's. What stands
// before it, the client may have made up.
func (p Proxies) Of(r *http.Request) Origin {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		return Origin{peer: host}
	}
	client, said := plain(peer.Addr()), r.Header["X-Forwarded-For"]
	if len(said) == 0 || !p.contains(client) {
		hidden := len(said) > 0 && (client.IsLoopback() || client.IsPrivate())
		return Origin{client: client, Hidden: hidden}
	}
	return Origin{client: p.behind(client, said)}
}

// behind returns the first address that is no trusted proxy's: nearest, or one in the lines, which are read
// from their end. If an address cannot be read it returns the one before it.
func (p Proxies) behind(nearest netip.Addr, lines []string) netip.Addr {
	for _, line := range slices.Backward(lines) {
		for comma := len(line); comma >= 0 && p.contains(nearest); {
			line = line[:comma]
			comma = strings.LastIndexByte(line, ',')
			next, ok := parse(line[comma+1:])
			if !ok {
				return nearest
			}
			nearest = next
		}
	}
	return nearest
}

func (p Proxies) contains(ip netip.Addr) bool {
	for _, network := range p {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}

// parse reads one address, which some proxies write with a port.
func parse(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")); err == nil {
		return plain(ip), true
	}
	peer, err := netip.ParseAddrPort(text)
	return plain(peer.Addr()), err == nil
}

// plain returns an address in the one form that is compared: no IPv4 in IPv6, and no zone.
func plain(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }
