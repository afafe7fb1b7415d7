package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"
)

// oneConnection is a client that asks over one connection of HTTP/2, without TLS if there is no pool.
func (w *world) oneConnection(pool *x509.CertPool) *http.Client {
	transport := &http.Transport{
		Protocols: new(http.Protocols), MaxConnsPerHost: 1, ExpectContinueTimeout: time.Minute, TLSClientConfig: &tls.Config{RootCAs: pool},
	}
	transport.Protocols.SetHTTP2(pool != nil)
	transport.Protocols.SetUnencryptedHTTP2(pool == nil)
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// underWay begins a login whose body is to come, and returns when the server waits for it. end breaks it off.
func (w *world) underWay(client *http.Client, scheme string) (end func()) {
	w.t.Helper()
	waits, over := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(w.t.Context())
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got100Continue: func() { close(waits) }})
	body, never := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, "POST", scheme+w.address+"/login", body)
	must(w.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Expect", "100-continue")
	go func() {
		defer close(over)
		if response, err := client.Do(r); err == nil {
			_ = response.Body.Close()
		}
	}()
	select {
	case <-waits:
	case <-over:
		w.t.Fatal("refused")
	}
	return func() {
		cancel()
		_ = never.Close()
		<-over
	}
}

// A connection that is full of requests whose bodies never come takes no memory without end, and nobody's place.
func TestAttack_C16_SlowStreams(t *testing.T) {
	t.Parallel()
	cert, pool := selfSigned(t)
	t.Run("with TLS", func(t *testing.T) {
		slowStreams(t, "https://", pool, func(s *settings) { s.server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
	})
	t.Run("without TLS", func(t *testing.T) {
		slowStreams(t, "http://", nil, func(s *settings) { s.server.H2C = true })
	})
}

func slowStreams(t *testing.T, scheme string, pool *x509.CertPool, adjust func(*settings)) {
	t.Parallel()
	w := newWorld(t, func(s *settings) {
		s.direct = true
		s.server.Connections = 3
		adjust(s)
	})
	w.listen()
	status := func(client *http.Client) int {
		r, err := http.NewRequestWithContext(t.Context(), "GET", scheme+w.address+"/livez", nil)
		must(t, err)
		response, err := client.Do(r)
		must(t, err)
		return w.check(r, response).status
	}
	hostile, honest := w.oneConnection(pool), w.oneConnection(pool)
	end := w.underWay(hostile, scheme)
	for range 2 {
		defer w.underWay(hostile, scheme)()
	}
	if got := status(hostile); got != 503 {
		t.Errorf("the fourth on its connection: %d", got)
	}
	if got := status(honest); got != 200 {
		t.Errorf("the first on another: %d", got)
	}
	also := w.underWay(honest, scheme)
	if got := status(honest); got != 503 {
		t.Errorf("the second on the other, while there are too many: %d", got)
	}
	also()
	for range 3 {
		defer w.underWay(w.oneConnection(pool), scheme)()
	}
	if got := status(w.oneConnection(pool)); got != 200 {
		t.Errorf("a connection more than fit: %d", got)
	}
	end()
	for deadline := time.Now().Add(10 * time.Second); status(hostile) != 200; {
		if time.Now().After(deadline) {
			t.Fatal("a place that is free again is not given")
		}
	}
}
