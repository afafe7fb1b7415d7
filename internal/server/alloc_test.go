//go:build !race

package server_test

import (
	"net/http"
	"testing"

	"github.com/doorward/doorward/internal/server"
)

// nowhere is a ResponseWriter that keeps nothing.
type nowhere struct{ header http.Header }

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w *nowhere) WriteHeader(int)             {}

// TestAllocsUpstream is what each request for an upstream allocates before the upstream has it, and after, if it is not logged.
func TestAllocsUpstream(t *testing.T) {
	w := newWorld(t, func(s *settings) {
		s.direct = true
		s.server.Upstream = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/orders/17", http.NoBody)
	must(t, err)
	r.RequestURI, r.RemoteAddr = "/orders/17", "192.0.2.1:4000"
	answer := &nowhere{http.Header{}}
	w.server.ServeHTTP(answer, r) // Each world wants something logged.
	set := w.set.server
	set.Logger = nil
	quiet, err := server.New(set)
	must(t, err)
	got := testing.AllocsPerRun(200, func() { quiet.ServeHTTP(answer, r) })
	if t.Logf("%v allocations", got); got > 7 {
		t.Errorf("%v allocations, want at most 7", got)
	}
}
