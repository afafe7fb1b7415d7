package gate_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/issuer"
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

// TestStreamOfGRPC ends with its session, but when the server stops it has as long as any other request.
func TestStreamOfGRPC(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, server := newHTTP2(w, gate.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc+proto")
		echoLines(w, r)
	}))
	set := w.login("u_alice")
	listen := func() (*io.PipeWriter, *bufio.Reader) {
		body, questions := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/pkg.Service/Watch", body)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+set.AccessToken)
		res, err := server.Client().Do(req)
		must(t, err)
		t.Cleanup(func() { _, _ = questions.Close(), res.Body.Close() })
		if f.streams.Len() != 1 {
			t.Fatalf("%d streams", f.streams.Len())
		}
		return questions, bufio.NewReader(res.Body)
	}
	_, answers := listen()
	must(t, w.Logout(t.Context(), set.AccessToken, issuer.Event{}))
	if line, err := answers.ReadString('\n'); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after the logout: %q, %v", line, err)
	}

	set = w.login("u_alice")
	within(t, 5*time.Second, "the stream is gone", func() bool { return f.streams.Len() == 0 })
	questions, answers := listen()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	f.streams.Run(stopped)
	_, err := io.WriteString(questions, "still\n")
	must(t, err)
	if line, err := answers.ReadString('\n'); err != nil {
		t.Errorf("when the server stops: %q, %v", line, err)
	}
}
