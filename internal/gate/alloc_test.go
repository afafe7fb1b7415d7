//go:build !race

package gate_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/doorward/doorward/internal/gate"
)

func TestAllocsDecide(t *testing.T) {
	w := newWorldAlone(t) // Whoever followed the store would allocate, too.
	g := w.guard(gate.Config{Routes: mixed})
	r := ask(t, http.MethodGet, "/orders/17", bearer(w.token("u_alice"))...)
	got := testing.AllocsPerRun(200, func() {
		if v := g.Decide(r); v.Refusal != nil {
			t.Fatal(v.Refusal.Err)
		}
	})
	if t.Logf("%v allocations", got); got > 2 {
		t.Errorf("%v allocations, want at most 2", got)
	}
}

// TestAllocsProxy bounds what the gate allocates more than httputil.ReverseProxy alone, for the check, the limits, and
// the headers that tell who is asking, which the upstream here reads as well.
func TestAllocsProxy(t *testing.T) {
	w := newWorldAlone(t) // Whoever followed the store would allocate, too.
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ok":true}`) }))
	t.Cleanup(api.Close)
	target, err := url.Parse(api.URL)
	must(t, err)
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	alone := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
	}}
	proxy, err := gate.NewProxy(gate.ProxyConfig{
		Guard:    w.guard(gate.Config{Audience: apiName, Routes: []gate.Route{{Path: "/open", Access: gate.AccessPublic}}}),
		Upstream: gate.Upstream{URL: api.URL}, Streams: gate.NewStreams(w.Issuer, nil),
	})
	must(t, err)
	t.Cleanup(proxy.Close)
	token := w.token("u_alice")
	floor := allocsOver(t, alone, "/orders", token) // The collector empties pools now and then, so it may differ by one or two.
	for path, most := range map[string]float64{"/open": 8, "/orders": 34} {
		got := allocsOver(t, proxy, path, token) - floor
		if t.Logf("%s: %.1f allocations more than %.1f", path, got, floor); got > most {
			t.Errorf("%s: %.1f allocations more than ReverseProxy, want at most %.0f", path, got, most)
		}
	}
}

// allocsOver is what a whole request allocates, on a connection that stays open.
func allocsOver(t *testing.T, h http.Handler, path, token string) float64 {
	t.Helper()
	front := httptest.NewServer(h)
	defer front.Close()
	conn, err := net.Dial("tcp", front.Listener.Addr().String())
	must(t, err)
	defer conn.Close()
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token + "\r\n\r\n")
	r := bufio.NewReader(conn)
	return testing.AllocsPerRun(300, func() {
		_, err := conn.Write(request)
		must(t, err)
		res, err := http.ReadResponse(r, nil)
		must(t, err)
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res.Status, err)
		}
	})
}
