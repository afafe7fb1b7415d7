package forward_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkForwardAuth compares the answer to a question, over a connection, with that of a handler that does nothing.
func BenchmarkForwardAuth(b *testing.B) {
	w := newWorld(b)
	for _, test := range []struct {
		name    string
		handler http.Handler
	}{
		{"bare", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})},
		{"caddy", w.asked},
	} {
		b.Run(test.name, func(b *testing.B) {
			s := httptest.NewServer(test.handler)
			b.Cleanup(s.Close)
			header := http.Header{
				"Authorization": {"Bearer " + w.alice}, "X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/orders/7?x=1"},
				"X-Forwarded-Host": {"api.example.com"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"203.0.113.9"},
			}
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL+path+"caddy", nil)
					must(b, err)
					req.Header = header
					res, err := client.Do(req)
					must(b, err)
					_, _ = io.Copy(io.Discard, res.Body)
					must(b, res.Body.Close())
					if res.StatusCode != http.StatusOK {
						b.Fatal(res.Status)
					}
				}
			})
		})
	}
}
