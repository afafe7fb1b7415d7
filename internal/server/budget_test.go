package server_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/internal/server"
)

// behindProxy trusts the peer of every request, which names the client.
func behindProxy(limits server.Limits) func(*settings) {
	return func(s *settings) {
		s.direct = true
		s.server.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		s.server.Limits = limits
	}
}

func from(address string) with { return header("X-Forwarded-For", address) }

// ASVS_2.4.1: Ten thousand wrong passwords for one name from a thousand networks: ten are looked at, the owner's
// device gets in, and so does everybody else.
func TestAttack_E06_E07_ThousandNetworks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, behindProxy(server.Limits{}))
	known := header("Doorward-Device", w.login("alice", aliceWord).text("device"))
	var looked, throttled atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 1250 {
				n := worker*125 + i%125
				switch a := w.guess("alice", from(fmt.Sprintf("100.%d.%d.7", n/250, n%250))); a.status {
				case 401:
					looked.Add(1)
				case 429:
					throttled.Add(1)
				default:
					t.Errorf("%d: %s", a.status, a.body)
				}
			}
		})
	}
	wg.Wait()
	if looked.Load() != account.TryLimit || throttled.Load() != 10_000-account.TryLimit {
		t.Errorf("%d passwords were looked at and %d not, want %d of 10,000", looked.Load(), throttled.Load(), account.TryLimit)
	}
	right := map[string]any{"username": "alice", "password": aliceWord}
	w.do("POST", "/login", right, from("100.0.0.7")).want(t, 429, "too_many_requests")
	w.do("POST", "/login", right, known, from("100.0.0.7")).want(t, 200, "")
	w.do("POST", "/login", map[string]any{"username": "bob", "password": bobWord}, from("100.0.0.7")).want(t, 200, "")
}

// One password over many names: the network has a limit, and others have none of it.
func TestAttack_E06_Spraying(t *testing.T) {
	t.Parallel()
	for name, networks := range map[string][2][]string{
		"IPv4": {{"192.0.2.1", "192.0.2.77", "192.0.2.255"}, {"192.0.3.1"}},
		"IPv6": {{"2001:db8:7::1", "2001:db8:7:8:9::2", "2001:db8:7:ffff::"}, {"2001:db8:8::1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, behindProxy(server.Limits{Login: quota.Limits{Each: 6}}))
			known := header("Doorward-Device", w.login("alice", aliceWord).text("device"))
			own, other := networks[0], networks[1][0]
			for i := range 6 { // Attack_E01: names that exist and names that do not.
				w.guess([]string{"bob", "nobody"}[i%2]+strings.Repeat("x", i/2), from(own[i%3])).want(t, 401, "invalid_credentials")
			}
			right := map[string]any{"username": "alice", "password": aliceWord}
			a := w.do("POST", "/login", right, from(own[1])).want(t, 429, "too_many_requests")
			if a.header.Get("Cache-Control") != "no-store" {
				t.Error("Standard_H04: a 429 that may be cached")
			}
			w.do("POST", "/login", right, from(own[2]), known).want(t, 200, "")
			w.do("POST", "/login", right, from(other)).want(t, 200, "")
		})
	}
}

// Guesses from many networks use up the limit for all together: strangers wait, and a known device does not.
func TestAttack_E06_EverybodyTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, behindProxy(server.Limits{Login: quota.Limits{All: 6}}))
	known := header("Doorward-Device", w.login("alice", aliceWord).text("device"))
	for i := range 6 {
		w.guess(fmt.Sprint("nobody", i), from(fmt.Sprintf("100.0.%d.1", i))).want(t, 401, "invalid_credentials")
	}
	right := map[string]any{"username": "alice", "password": aliceWord}
	w.do("POST", "/login", right, from("100.1.1.1")).want(t, 429, "too_many_requests")
	w.do("POST", "/login", right, from("100.1.1.1"), known).want(t, 200, "")
}

// A success takes nothing of the limit, and neither does a try that was not looked at.
func TestNetworkLimitIsOfFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, behindProxy(server.Limits{Login: quota.Limits{Each: account.TryLimit + 1}}))
	for range account.TryLimit {
		w.guess("bob", from("192.0.2.1")).want(t, 401, "invalid_credentials")
	}
	for range 3 {
		w.guess("bob", from("192.0.2.1")).want(t, 429, "too_many_requests")
		w.do("POST", "/login", map[string]any{"username": "alice", "password": aliceWord}, from("192.0.2.1")).want(t, 200, "")
	}
}

// Behind a proxy that is not trusted everybody has one address: it has no limit, and the log says what to set.
func TestUntrustedProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) {
		s.direct, s.server.Limits = true, server.Limits{Login: quota.Limits{Each: 2}}
	})
	for i := range 5 {
		w.guess(fmt.Sprint("nobody", i), from("192.0.2.1")).want(t, 401, "invalid_credentials")
	}
	said := 0
	for _, line := range w.logs.lines() {
		said += strings.Count(string(line), "trusted_proxies")
	}
	if said != 1 {
		t.Errorf("the log says %d times what to set, want once", said)
	}
	for i := range 3 { // Without the header it is a client of this machine.
		want := [2]int{401, 429}[i/2]
		if a := w.guess(fmt.Sprint("nobody too", i)); a.status != want {
			t.Errorf("try %d of a loopback client: %d, want %d", i, a.status, want)
		}
	}
}

// Forged refresh tokens use up the limit of a network, and take nothing from who has a real one.
func TestRefreshFailures_Attack_E06(t *testing.T) {
	t.Parallel()
	w := newWorld(t, behindProxy(server.Limits{Refresh: quota.Limits{Each: 3}}))
	live, over := w.login("alice", aliceWord).text("refresh_token"), w.login("bob", bobWord).text("refresh_token")
	w.do("POST", "/logout", map[string]any{"refresh_token": over}).want(t, 204, "")
	forged := live[:len(live)-8] + "AAAAAAAA"
	refresh := func(token string) answer {
		return w.do("POST", "/refresh", map[string]any{"refresh_token": token}, from("192.0.2.1"))
	}
	for range 3 {
		refresh(forged).want(t, 400, "invalid_grant")
	}
	refresh(forged).want(t, 429, "too_many_requests")
	refresh(live).want(t, 200, "")
	if a := refresh(over).want(t, 400, "invalid_grant"); a.text("reason") == "" {
		t.Errorf("a session that ended has no reason: %s", a.body)
	}
	w.do("POST", "/refresh", map[string]any{"refresh_token": forged}, from("192.0.3.1")).want(t, 400, "invalid_grant")
}
