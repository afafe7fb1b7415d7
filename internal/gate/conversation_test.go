package gate_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
)

// hasty is a writer whose deadlines for reading come sixty times as fast.
type hasty struct{ http.ResponseWriter }

func (h hasty) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h hasty) SetReadDeadline(at time.Time) error {
	if !at.IsZero() {
		at = time.Now().Add(time.Until(at) / 60)
	}
	return http.NewResponseController(h.ResponseWriter).SetReadDeadline(at)
}

// newHTTP2 is an API that speaks HTTP/2 without TLS, with a Proxy in front of it that speaks HTTP/2.
func newHTTP2(w *world, cfg gate.Config, api http.Handler) (*front, *httptest.Server) {
	w.t.Helper()
	behind := httptest.NewUnstartedServer(api)
	behind.Config.Protocols = new(http.Protocols)
	behind.Config.Protocols.SetUnencryptedHTTP2(true)
	behind.Start()
	w.t.Cleanup(behind.Close)
	f := newFront(w, cfg, nil, func(c *gate.ProxyConfig) { c.Upstream.URL = strings.Replace(behind.URL, "http", "h2c", 1) })
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.proxy.ServeHTTP(hasty{w}, r) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	w.t.Cleanup(server.Close)
	return f, server
}

// TestConversation listens for more than the minute that a client has for a piece of its body, then asks again.
func TestConversation(t *testing.T) {
	t.Parallel()
	_, server := newHTTP2(newWorld(t), public, http.HandlerFunc(echoLines))
	body, questions := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/pkg.Service/Watch", body)
	must(t, err)
	res, err := server.Client().Do(req)
	must(t, err)
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	for i := range 2 {
		if i == 1 {
			<-time.NewTimer(1500 * time.Millisecond).C
		}
		_, err := fmt.Fprintf(questions, "%d\n", i)
		must(t, err)
		if line, err := answers.ReadString('\n'); err != nil || line != fmt.Sprintf("%d\n", i) {
			t.Fatalf("%q, %v", line, err)
		}
	}
	must(t, questions.Close())
}

// TestSilentQuestion gives the body of a request up that has no answer yet, over HTTP/2 too.
func TestSilentQuestion(t *testing.T) {
	t.Parallel()
	_, server := newHTTP2(newWorld(t), public, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	body, questions := io.Pipe()
	defer questions.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/", body)
	must(t, err)
	begun := time.Now()
	res, err := server.Client().Do(req)
	must(t, err)
	defer res.Body.Close()
	if took := time.Since(begun); res.StatusCode != http.StatusBadRequest || took > 20*time.Second {
		t.Errorf("%s after %v", res.Status, took)
	}
}
