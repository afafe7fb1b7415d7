package gate_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/issuer"
)

// hourglass wraps the writer of one request. A test turns it instead of waiting for a deadline for reading.
type hourglass struct {
	http.ResponseWriter
	mu     sync.Mutex
	at     time.Time // the deadline that holds
	turned bool
	over   chan struct{} // if not nil, is closed when the request has been served
	late   bool          // a deadline was set after that
}

func (h *hourglass) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *hourglass) SetReadDeadline(at time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = at
	select {
	case <-h.over:
		h.late = true
		return http.ErrNotSupported // The writer of net/http would panic.
	default:
		return h.apply()
	}
}

// turn lets the deadline that holds pass, and any that is still to come.
func (h *hourglass) turn() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turned = true
	return h.apply()
}

func (h *hourglass) apply() error {
	at := h.at
	if h.turned && !at.IsZero() {
		at = time.Now()
	}
	return http.NewResponseController(h.ResponseWriter).SetReadDeadline(at)
}

// newHTTP2 is an API that speaks HTTP/2 without TLS, with a Proxy in front of it that speaks HTTP/2. The glass wraps the writers of
// its requests, if there is one.
func newHTTP2(w *world, cfg gate.Config, glass *hourglass, api http.Handler, adjust ...func(*gate.ProxyConfig)) (*front, *httptest.Server) {
	w.t.Helper()
	behind := httptest.NewUnstartedServer(api)
	behind.Config.Protocols = new(http.Protocols)
	behind.Config.Protocols.SetUnencryptedHTTP2(true)
	behind.Start()
	w.t.Cleanup(behind.Close)
	adjust = append(adjust, func(c *gate.ProxyConfig) { c.Upstream.URL = strings.Replace(behind.URL, "http", "h2c", 1) })
	f := newFront(w, cfg, nil, adjust...)
	handler := http.HandlerFunc(f.proxy.ServeHTTP)
	if glass != nil {
		handler = func(w http.ResponseWriter, r *http.Request) {
			glass.ResponseWriter = w
			f.proxy.ServeHTTP(glass, r)
			if glass.over != nil {
				close(glass.over)
			}
		}
	}
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	w.t.Cleanup(server.Close)
	return f, server
}

// TestConversation listens for more than the minute that a client has for a piece of its body, then asks again.
func TestConversation(t *testing.T) {
	t.Parallel()
	var glass hourglass
	_, server := newHTTP2(newWorld(t), public, &glass, http.HandlerFunc(echoLines))
	body, questions := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/pkg.Service/Watch", body)
	must(t, err)
	res, err := server.Client().Do(req)
	must(t, err)
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	for i := range 2 {
		_, err := fmt.Fprintf(questions, "%d\n", i)
		must(t, err)
		if line, err := answers.ReadString('\n'); err != nil || line != fmt.Sprintf("%d\n", i) {
			t.Fatalf("%q, %v", line, err)
		}
		must(t, glass.turn())
	}
	must(t, questions.Close())
}

// TestSilentQuestion gives the body of a request up that has no answer yet, over HTTP/2 too.
func TestSilentQuestion(t *testing.T) {
	t.Parallel()
	glass := hourglass{turned: true}
	_, server := newHTTP2(newWorld(t), public, &glass, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	body, questions := io.Pipe()
	defer questions.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/", body)
	must(t, err)
	res, err := server.Client().Do(req)
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Error(res.Status)
	}
}

// TestStreamOfGRPC ends with its session, but when the server stops it has as long as any other request.
func TestStreamOfGRPC(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, server := newHTTP2(w, gate.Config{}, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc+proto")
		echoLines(w, r)
	}))
	set := w.login("u_alice")
	listen := func() (*io.PipeWriter, *bufio.Reader, *http.Response) {
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
		return questions, bufio.NewReader(res.Body), res
	}
	_, answers, res := listen()
	must(t, w.Logout(t.Context(), set.AccessToken, issuer.Event{}))
	if line, err := answers.ReadString('\n'); !errors.Is(err, io.EOF) || line != "" || res.Trailer.Get("Grpc-Status") != "16" {
		t.Errorf("after the logout: %q, %v, and the trailer %v", line, err, res.Trailer)
	}

	set = w.login("u_alice")
	within(t, 5*time.Second, "the stream is gone", func() bool { return f.streams.Len() == 0 })
	questions, answers, _ := listen()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	f.streams.Run(stopped)
	_, err := io.WriteString(questions, "still\n")
	must(t, err)
	if line, err := answers.ReadString('\n'); err != nil {
		t.Errorf("when the server stops: %q, %v", line, err)
	}
}

// TestCallIsEnded tells a client of gRPC why, whatever trailers the API has promised. For others the answer is not whole.
func TestCallIsEnded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, kind, promised string
		stale                bool
		want                 string // Grpc-Status
	}{
		{"logged out", "application/grpc", "", false, "16"},
		{"logged out, two trailers promised", "application/grpc+json", "Grpc-Status, X-Sum", false, "16"},
		{"stale", "application/grpc", "Grpc-Status, Grpc-Message", true, "14"},
		{"in a browser", "application/grpc-web+proto", "", false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			adjust := func(c *issuer.Config) {}
			if test.stale {
				adjust = func(c *issuer.Config) { c.MaxStaleness = 2 * time.Second }
			}
			w := newWorldAlone(t, adjust)
			_, server := newHTTP2(w, gate.Config{}, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", test.kind)
				if test.promised != "" {
					w.Header().Set("Trailer", test.promised)
				}
				_, _ = io.WriteString(w, "one\n")
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}))
			set := w.login("u_alice")
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/pkg.Service/Watch", http.NoBody)
			must(t, err)
			req.Header.Set("Authorization", "Bearer "+set.AccessToken)
			res, err := server.Client().Do(req)
			must(t, err)
			defer res.Body.Close()
			if !test.stale {
				must(t, w.Logout(t.Context(), set.AccessToken, issuer.Event{}))
			}
			text, err := io.ReadAll(res.Body)
			if string(text) != "one\n" || (err == nil) != (test.want != "") || res.Trailer.Get("Grpc-Status") != test.want {
				t.Errorf("%q, %v, and the trailer %v", text, err, res.Trailer)
			}
		})
	}
}

// heldLog stops whoever says that a stream was ended, until it is released.
type heldLog struct {
	slog.Handler
	said, released chan struct{}
}

func (h heldLog) Enabled(context.Context, slog.Level) bool { return true }

func (h heldLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "a stream was ended" {
		close(h.said)
		<-h.released
	}
	return nil
}

// TestStreamThatEndsMeanwhile ends by itself while it is about to be ended, which then must not touch the writer any more.
func TestStreamThatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	log := heldLog{slog.DiscardHandler, make(chan struct{}), make(chan struct{})}
	streams := gate.NewStreams(w.Issuer, slog.New(log))
	glass, enough := hourglass{over: make(chan struct{})}, make(chan struct{})
	_, server := newHTTP2(w, gate.Config{}, &glass, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		_ = http.NewResponseController(w).Flush()
		<-enough
	}), func(c *gate.ProxyConfig) { c.Streams = streams })
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { streams.Run(ctx) })

	set := w.login("u_alice")
	body, questions := io.Pipe()
	defer questions.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/pkg.Service/Watch", body)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+set.AccessToken)
	res, err := server.Client().Do(req)
	must(t, err)
	defer res.Body.Close()
	must(t, w.Logout(t.Context(), set.AccessToken, issuer.Event{}))
	<-log.said
	close(enough)
	<-glass.over
	close(log.released)
	stop()
	running.Wait()
	if glass.late {
		t.Error("a deadline was set for a request that was over")
	}
}

// flood is a body without end. It says when so much was read of it that a server of HTTP/2 that reads nothing takes no more.
type flood struct {
	read int
	full chan struct{}
}

func (f *flood) Read(p []byte) (int, error) {
	const window = 1 << 20
	if f.read <= window && f.read+len(p) > window {
		close(f.full)
	}
	f.read += len(p)
	return len(p), nil
}

func (f *flood) Close() error { return nil }

// TestStreamOfDeafAPI ends also while the API takes no more of the request.
func TestStreamOfDeafAPI(t *testing.T) {
	t.Parallel()
	enough := make(chan struct{})
	defer close(enough)
	f, _ := newHTTP2(newWorld(t), public, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-enough
	}))
	body := &flood{full: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body, r.ContentLength = body, -1
		f.proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	client := &http.Client{Timeout: 5 * time.Second}
	res, err := client.Get(server.URL)
	must(t, err)
	defer res.Body.Close()
	<-body.full
	stopped, stop := context.WithCancel(t.Context())
	stop()
	f.streams.Run(stopped)
	if text, err := io.ReadAll(res.Body); len(text) != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", text, err)
	}
}

// TestEarlyAnswerOfHTTP2 reaches a client of HTTP/1.1 that reads it before it sends the rest of its body.
func TestEarlyAnswerOfHTTP2(t *testing.T) {
	t.Parallel()
	f, _ := newHTTP2(newWorld(t), public, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "too much")
	}))
	res, text := f.raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n12345")
	if res.StatusCode != http.StatusRequestEntityTooLarge || !res.Close || text != "too much" {
		t.Errorf("%s, closing %t, %q", res.Status, res.Close, text)
	}
}
