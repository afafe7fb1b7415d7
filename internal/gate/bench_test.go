package gate_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/doorward/doorward/internal/gate"
)

// BenchmarkProxy compares one proxied request with the same one through httputil.ReverseProxy
// alone, in front of the same upstream. Compare rows of one run.
func BenchmarkProxy(b *testing.B) {
	w := newWorld(b)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ok":true}`) }))
	b.Cleanup(api.Close)
	target, err := url.Parse(api.URL)
	must(b, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	alone := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}}
	g := w.guard(gate.Config{Audience: apiName, Routes: []gate.Route{{Path: "/open", Access: gate.AccessPublic}}})
	proxy, err := gate.NewProxy(gate.ProxyConfig{Guard: g, Upstream: gate.Upstream{URL: api.URL}, Streams: gate.NewStreams(w.Issuer, nil)})
	must(b, err)
	b.Cleanup(proxy.Close)
	token := w.token("u_alice")
	for _, row := range []struct {
		name, path string
		handler    http.Handler
	}{{"ReverseProxy", "/orders", alone}, {"public", "/open", proxy}, {"token", "/orders", proxy}} {
		b.Run(row.name, func(b *testing.B) {
			front := httptest.NewServer(row.handler)
			defer front.Close()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
				defer client.CloseIdleConnections()
				for pb.Next() {
					req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, front.URL+row.path, nil)
					req.Header.Set("Authorization", "Bearer "+token)
					res, err := client.Do(req)
					if err != nil || res.StatusCode != http.StatusOK {
						b.Errorf("%v %v", err, res)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
			})
		})
	}
}

// BenchmarkDecide is the decision alone, with a token that was seen before.
func BenchmarkDecide(b *testing.B) {
	w := newWorld(b)
	g := w.guard(gate.Config{Routes: mixed})
	r := ask(b, http.MethodGet, "/orders/17", bearer(w.token("u_alice"))...)
	b.ReportAllocs()
	for b.Loop() {
		if v := g.Decide(r); v.Refusal != nil {
			b.Fatal(v.Refusal.Err)
		}
	}
}
