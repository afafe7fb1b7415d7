package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// slow opens n connections that send start and then nothing.
func (w *world) slow(n int, start string) {
	w.t.Helper()
	conns := make([]net.Conn, 0, n)
	w.t.Cleanup(func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	for range n {
		conn, err := net.Dial("tcp", w.address)
		must(w.t, err)
		conns = append(conns, conn)
		_, _ = io.WriteString(conn, start) // The server may have given it up already.
	}
}

// Any number of peers that send slowly or nothing at all delays nobody.
func TestAttack_C16_SlowSockets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, start    string
		sockets, limit int
	}{
		{"silent", "", 1000, 0},
		{"header", "GET /me HTTP/1.1\r\nHost: x\r\nX-Slow: ", 1000, 0},
		{"body", "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", 1000, 0},
		{"silent, more than fit", "", 300, 20},
		{"header, more than fit", "GET /me HTTP/1.1\r\nX-Slow: ", 300, 20},
		{"body, more than fit", "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", 300, 20},
		{"idle, more than fit", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 300, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(s *settings) { s.server.Connections = c.limit })
			w.slow(c.sockets, c.start)
			a := w.login("alice", aliceWord)
			for range 10 {
				w.do("GET", "/me", nil, bearer(a.text("access_token"))).want(t, 200, "")
			}
			w.slow(c.sockets/4, c.start)
			w.do("GET", "/readyz", nil).want(t, 200, "")
		})
	}
}

// thinking takes its time to see that a password is wrong.
type thinking struct {
	cheap

	begun, over chan struct{}
}

func (h thinking) VerifyNothing(ctx context.Context, text string) error {
	h.begun <- struct{}{}
	<-h.over
	return h.cheap.VerifyNothing(ctx, text)
}

// When every connection has a request that can go on the next is told so, as JSON.
func TestConnectionsFull(t *testing.T) {
	t.Parallel()
	hasher := thinking{begun: make(chan struct{}), over: make(chan struct{})}
	w := newWorld(t, func(s *settings) { s.server.Connections, s.people = 3, hasher })
	for i := range 3 {
		body := fmt.Sprintf(`{"username":"nobody%d","password":"x"}`, i)
		conn, reader := w.halfLogin(len(body))
		defer conn.Close() //nolint:errcheck // nothing is lost
		awaitContinue(t, reader)
		_, err := io.WriteString(conn, body)
		must(t, err)
		<-hasher.begun
	}
	defer close(hasher.over)
	a, ok := w.raw("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
	if !ok || a.status != 503 || a.text("error") != "busy" || a.header.Get("Retry-After") == "" {
		t.Errorf("got %v %d %s", ok, a.status, a.body)
	}
}

// halfLogin sends the header of a login whose body, of so many bytes, is to follow.
func (w *world) halfLogin(length int) (net.Conn, *bufio.Reader) {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.address)
	must(w.t, err)
	must(w.t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", length)
	must(w.t, err)
	return conn, bufio.NewReader(conn)
}

// awaitContinue returns when the server has begun to read the body.
func awaitContinue(t *testing.T, reader *bufio.Reader) {
	t.Helper()
	line, err := reader.ReadString('\n')
	must(t, err)
	if !strings.Contains(line, "100 Continue") {
		t.Fatalf("got %q", line)
	}
	_, err = reader.ReadString('\n')
	must(t, err)
}

// Whoever sends no whole header is cut off, and nothing is answered.
func TestAttack_C16_HeaderTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn, err := net.Dial("tcp", w.address)
	must(t, err)
	defer conn.Close() //nolint:errcheck // nothing is lost
	must(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	must(t, err)
	rest, err := io.ReadAll(conn)
	if err != nil || len(rest) != 0 {
		t.Errorf("got %q, %v", rest, err)
	}
	w.do("GET", "/livez", nil).want(t, 200, "")
}

// A request under way when the server stops gets its answer, and what it did holds.
func TestAttack_H13_GracefulStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.address = l.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(ctx, l) }()

	body := `{"username":"alice","password":"` + aliceWord + `"}`
	conn, reader := w.halfLogin(len(body))
	defer conn.Close() //nolint:errcheck // nothing is lost
	awaitContinue(t, reader)
	stop()
	for { // Readiness flips before the door closes.
		probe, err := net.Dial("tcp", w.address)
		if err != nil {
			break
		}
		_ = probe.Close()
	}
	w.address = ""
	w.do("GET", "/readyz", nil).want(t, 503, "not_ready")
	_, err = io.WriteString(conn, body)
	must(t, err)
	response, err := http.ReadResponse(reader, nil)
	must(t, err)
	r, err := http.NewRequestWithContext(t.Context(), "POST", "/login", nil)
	must(t, err)
	a := w.check(r, response).want(t, 200, "")
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	again := w.restarted()
	again.do("POST", "/refresh", map[string]any{"refresh_token": a.text("refresh_token")}).want(t, 200, "")
}

// A request that outlasts the grace is cut off, and the log says so. The stop is no failure: anybody can send a slow request.
func TestGraceEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct, s.server.Grace = true, time.Millisecond })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.address = l.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(ctx, l) }()
	conn, reader := w.halfLogin(10)
	defer conn.Close() //nolint:errcheck // nothing is lost
	awaitContinue(t, reader)
	stop()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if text := string(bytes.Join(w.logs.lines(), []byte("\n"))); !strings.Contains(text, `"msg":"requests were cut off","after":"1ms"`) {
		t.Errorf("the log does not say that requests were cut off:\n%s", text)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is still open")
	}
	w.address = ""
	w.do("GET", "/readyz", nil).want(t, 503, "not_ready")
}

// Serve returns why its listener has failed.
func TestServeListenerFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	if err := w.server.Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	w.do("GET", "/livez", nil).want(t, 200, "")
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true, IsCA: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	cert, err := x509.ParseCertificate(raw)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pool
}

// TLS before 1.2, and suites without forward secrecy, get no connection.
func TestAttack_H15_TLS(t *testing.T) {
	t.Parallel()
	cert, pool := selfSigned(t)
	w := newWorld(t, func(s *settings) {
		s.direct = true
		s.server.Connections = 20
		s.server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10}
	})
	w.listen()
	for _, c := range []struct {
		name   string
		config *tls.Config
		ok     bool
	}{
		{"1.0", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, false},
		{"1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		{"1.2", &tls.Config{MaxVersion: tls.VersionTLS12}, true},
		{"1.3", &tls.Config{MinVersion: tls.VersionTLS13}, true},
		{"1.2 without forward secrecy", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}, false},
		{"1.2 with 3DES", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.RootCAs = pool
			conn, err := tls.Dial("tcp", w.address, c.config)
			if c.ok != (err == nil) {
				t.Errorf("handshake: %v", err)
			}
			if err == nil {
				must(t, conn.Close())
			}
		})
	}
	w.overHTTP2(pool)
}

// overHTTP2 asks the same over HTTP/2, while idle TLS connections fill the server.
func (w *world) overHTTP2(pool *x509.CertPool) {
	w.t.Helper()
	w.slow(100, "")
	// One connection for all: one that is still being dialled when the test ends would stay open.
	transport := &http.Transport{ForceAttemptHTTP2: true, MaxConnsPerHost: 1, TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			r, err := http.NewRequestWithContext(w.t.Context(), "GET", "https://"+w.address+"/me", nil)
			if err != nil {
				w.t.Error(err)
				return
			}
			r.Header["Authorization"] = []string{"Bearer a", "Bearer b"}
			response, err := client.Do(r)
			if err != nil {
				w.t.Error(err)
				return
			}
			if a := w.check(r, response); response.ProtoMajor != 2 || a.status != 400 {
				w.t.Errorf("Attack_C01 over HTTP/%d: %d", response.ProtoMajor, a.status)
			}
		})
	}
	group.Wait()
}
