package gate_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
)

// TestPieces passes each piece of an answer on before the API has made the next, whether or not the length is known.
func TestPieces(t *testing.T) {
	t.Parallel()
	pieces := []string{"first", "second", "third"}
	read := make(chan struct{})
	f := newFront(newWorld(t), public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/known" {
			w.Header().Set("Content-Length", "16")
		}
		for _, piece := range pieces {
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-read:
			case <-r.Context().Done():
			}
		}
	}))
	f.client.Timeout = 10 * time.Second
	for _, path := range []string{"/known", "/chunked"} {
		res, err := f.client.Get("http://" + f.address + path)
		must(t, err)
		for _, piece := range pieces {
			got := make([]byte, len(piece))
			if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != piece {
				t.Fatalf("%s: %q, %v, want %q", path, got, err, piece)
			}
			read <- struct{}{}
		}
		if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
			t.Errorf("%s: %q, %v after the end", path, rest, err)
		}
		must(t, res.Body.Close())
	}
}

// TestHeaderFirst passes the header of a long answer on while the API still makes the body.
func TestHeaderFirst(t *testing.T) {
	t.Parallel()
	const size = 64 << 10
	seen := make(chan struct{})
	f := newFront(newWorld(t), public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-seen:
			_, _ = w.Write(make([]byte, size))
		case <-r.Context().Done():
		}
	}))
	f.client.Timeout = 10 * time.Second
	res, err := f.client.Get("http://" + f.address + "/report")
	must(t, err)
	close(seen)
	body, err := io.ReadAll(res.Body)
	must(t, errors.Join(err, res.Body.Close()))
	if res.ContentLength != size || len(body) != size {
		t.Errorf("%d bytes, announced as %d", len(body), res.ContentLength)
	}
}

// countWrites counts what is written to its connections.
type countWrites struct {
	net.Listener
	writes atomic.Int64
}

func (l *countWrites) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countedConn{conn, l}, err
}

type countedConn struct {
	net.Conn
	l *countWrites
}

func (c countedConn) Write(p []byte) (int, error) {
	c.l.writes.Add(1)
	return c.Conn.Write(p)
}

// TestOneWrite sends a short answer of known length in one piece: a write is a tenth of what a request costs.
func TestOneWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(api.Close)
	proxy, err := gate.NewProxy(gate.ProxyConfig{Guard: w.guard(gate.Config{}), Upstream: gate.Upstream{URL: api.URL}, Streams: gate.NewStreams(w.Issuer, nil)})
	must(t, err)
	t.Cleanup(proxy.Close)
	front := httptest.NewUnstartedServer(proxy)
	l := &countWrites{Listener: front.Listener}
	front.Listener = l
	front.Start()
	t.Cleanup(front.Close)
	token := w.token("u_alice")
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions} {
		before := l.writes.Load()
		r, err := http.NewRequestWithContext(t.Context(), method, front.URL+"/x", strings.NewReader(map[string]string{http.MethodPost: "hello"}[method]))
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := front.Client().Do(r)
		must(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		must(t, err)
		must(t, res.Body.Close())
		if n := l.writes.Load() - before; res.StatusCode != 200 || n != 1 {
			t.Errorf("%s: %d in %d writes", method, res.StatusCode, n)
		}
	}
}
