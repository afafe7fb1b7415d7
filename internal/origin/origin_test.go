package origin_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/origin"
)

// ASVS_15.3.4.
func TestOf_Attack_E08(t *testing.T) {
	t.Parallel()
	trusted := origin.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	for _, tt := range []struct {
		name, peer string
		forwarded  []string
		proxies    origin.Proxies
		address    string
		network    string // "" for none
		hidden     bool
	}{
		{"a client", "192.0.2.77:1", nil, nil, "192.0.2.77", "192.0.2.0/24", false},
		{"IPv6", "[2001:db8:7:1::9]:1", nil, nil, "2001:db8:7:1::9", "2001:db8:7::/48", false},
		{"IPv6 with a zone", "[fe80::1%eth0]:1", nil, nil, "fe80::1", "fe80::/48", false},
		{"IPv4 in IPv6", "[::ffff:192.0.2.77]:1", nil, nil, "192.0.2.77", "192.0.2.0/24", false},
		{"Attack_E08 a client that makes up a name", "192.0.2.77:1", []string{"6.6.6.6"}, trusted, "192.0.2.77", "192.0.2.0/24", false},
		{"a private client", "10.1.2.3:1", nil, nil, "10.1.2.3", "10.1.2.0/24", false},
		{"a proxy on this machine that is not trusted", "127.0.0.1:1", []string{"6.6.6.6"}, nil, "127.0.0.1", "", true},
		{"a private proxy that is not trusted", "192.168.1.1:1", []string{""}, trusted, "192.168.1.1", "", true},
		{"a trusted proxy", "10.0.0.1:1", []string{"192.0.2.77"}, trusted, "192.0.2.77", "192.0.2.0/24", false},
		{"a trusted proxy that names nobody", "10.0.0.1:1", nil, trusted, "10.0.0.1", "10.0.0.0/24", false},
		{"two trusted proxies", "127.0.0.1:1", []string{"6.6.6.6, 192.0.2.77, 10.9.9.9"}, trusted, "192.0.2.77", "192.0.2.0/24", false},
		{"in several lines", "127.0.0.1:1", []string{"6.6.6.6", "192.0.2.77", "10.9.9.9"}, trusted, "192.0.2.77", "192.0.2.0/24", false},
		{"with a port", "10.0.0.1:1", []string{"192.0.2.77:4711"}, trusted, "192.0.2.77", "192.0.2.0/24", false},
		{"IPv6 with a port", "10.0.0.1:1", []string{"[2001:db8:7::1]:4711"}, trusted, "2001:db8:7::1", "2001:db8:7::/48", false},
		{"IPv6 in brackets", "10.0.0.1:1", []string{"[2001:db8:7::1]"}, trusted, "2001:db8:7::1", "2001:db8:7::/48", false},
		{"no address", "10.0.0.1:1", []string{"6.6.6.6, unknown"}, trusted, "10.0.0.1", "10.0.0.0/24", false},
		{"trusted proxies alone", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, trusted, "10.0.0.3", "10.0.0.0/24", false},
		{"a long list", "10.0.0.1:1", []string{strings.Repeat("6.6.6.6,", 1000) + "192.0.2.77"}, trusted, "192.0.2.77", "192.0.2.0/24", false},
		{"a Unix socket", "@", []string{"6.6.6.6"}, trusted, "@", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{}}
			if tt.forwarded != nil {
				r.Header["X-Forwarded-For"] = tt.forwarded
			}
			got := tt.proxies.Of(r)
			network := ""
			if got.Network().IsValid() {
				network = got.Network().String()
			}
			if got.Address() != tt.address || network != tt.network || got.Hidden != tt.hidden {
				t.Errorf("got %s of %q, hidden %v; want %s of %q, hidden %v", got.Address(), network, got.Hidden, tt.address, tt.network, tt.hidden)
			}
		})
	}
}

func TestPeer(t *testing.T) {
	t.Parallel()
	trusted := origin.Proxies{netip.MustParsePrefix("127.0.0.1/32")}
	for _, tt := range []struct {
		address string
		proxies origin.Proxies
		peer    string
		trusted bool
	}{
		{"192.0.2.77:4711", nil, "192.0.2.77", false},
		{"192.0.2.77:4711", trusted, "192.0.2.77", false},
		{"127.0.0.1:4711", trusted, "127.0.0.1", true},
		{"[2001:db8::1]:4711", nil, "2001:db8::1", false},
		{"[fe80::1%eth0]:4711", nil, "fe80::1", false},
		{"[::ffff:127.0.0.1]:4711", trusted, "127.0.0.1", true},
		{"[::ffff:192.0.2.77]:4711", nil, "192.0.2.77", false},
		{"@", nil, "@", false},
		{"@", trusted, "@", false},
	} {
		if peer, is := tt.proxies.Peer(tt.address); peer != tt.peer || is != tt.trusted {
			t.Errorf("%s of %v: got %q, trusted %v", tt.address, tt.proxies, peer, is)
		}
	}
}

// FuzzOf compares with the rule in its plainest form: from the end, the first that is no trusted proxy's.
func FuzzOf(f *testing.F) {
	trusted := origin.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	const peer = "10.0.0.1"
	for _, seed := range []string{"", "192.0.2.77", "6.6.6.6, 192.0.2.77, 10.9.9.9", "6.6.6.6,,10.0.0.2", "[2001:db8:ffff::1]:80,::ffff:10.0.0.7", "fe80::1%eth0", "unknown\n10.0.0.2"} {
		f.Add(seed, "10.0.0.3")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		got := trusted.Of(&http.Request{RemoteAddr: peer + ":1", Header: http.Header{"X-Forwarded-For": {first, second}}})
		if got.Hidden || !got.Network().IsValid() {
			t.Errorf("%q, %q: %+v", first, second, got)
		}
		want := netip.MustParseAddr(peer)
		for _, text := range slices.Backward(strings.Split(first+","+second, ",")) {
			next, ok := address(strings.TrimSpace(text))
			if !ok || !trusted.Trust(netip.AddrPortFrom(want, 1).String()) {
				break
			}
			want = next
		}
		if got.Address() != want.String() {
			t.Errorf("%q, %q: %s, want %s", first, second, got.Address(), want)
		}
	})
}

// address reads an address with or without a port and brackets.
func address(text string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		var both netip.AddrPort
		both, err = netip.ParseAddrPort(text)
		ip = both.Addr()
	}
	return ip.Unmap().WithZone(""), err == nil
}
