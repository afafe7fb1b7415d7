package gate_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
)

// Clients that send or take slowly hold the few connections to the API only until somebody else needs one. Who is not
// slow keeps theirs.
func TestAttack_C16_SlowClients(t *testing.T) {
	t.Parallel()
	const big = 64 << 20
	begun := make(chan struct{}, 8)
	f := newFront(newWorld(t), public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/big" {
			_, _ = io.Copy(w, io.LimitReader(forever{}, big))
			return
		}
		if _, err := io.ReadFull(r.Body, make([]byte, 1)); err == nil {
			begun <- struct{}{}
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}), func(c *gate.ProxyConfig) { c.Upstream.Connections = 2 })
	f.client.Timeout = 20 * time.Second
	dial := func(request string) (net.Conn, *bufio.Reader) {
		conn, err := net.Dial("tcp", f.address)
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		must(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = io.WriteString(conn, request)
		must(t, err)
		return conn, bufio.NewReader(conn)
	}
	get := func(step string) {
		t.Helper()
		res, err := f.client.Get("http://" + f.address + "/")
		if err != nil {
			t.Fatalf("%s: somebody else has no answer: %v", step, err)
		}
		must(t, res.Body.Close())
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: somebody else reads %s", step, res.Status)
		}
	}

	_, slow := dial("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
	<-begun
	body, sending := io.Pipe()
	sent, stop := make(chan struct{}), make(chan struct{})
	brisk := make(chan string, 1)
	go func() {
		res, err := f.client.Post("http://"+f.address+"/", "text/plain", body)
		if err != nil {
			brisk <- err.Error()
			return
		}
		_ = res.Body.Close()
		brisk <- res.Status
	}()
	go func() {
		defer close(sent)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := io.WriteString(sending, strings.Repeat("b", 4<<10)); err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-stop:
				_ = sending.Close()
				return
			}
		}
	}()
	<-begun
	get("beside a slow sender")
	close(stop)
	<-sent
	res, err := http.ReadResponse(slow, nil)
	must(t, err)
	text, err := io.ReadAll(res.Body)
	must(t, err)
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(text), `"busy"`) || res.Header.Get("Retry-After") == "" {
		t.Errorf("who sends slowly reads %s %s", res.Status, text)
	}
	if got := <-brisk; got != "200 OK" {
		t.Errorf("who does not reads %s", got)
	}

	for range 2 {
		_, r := dial("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
		_, err := http.ReadResponse(r, nil) // and nothing of the body
		must(t, err)
	}
	get("beside slow readers")
}

// forever is a body without end.
type forever struct{}

func (forever) Read(p []byte) (int, error) { return len(p), nil }

// TestIdleConnection gives up a connection to the API before the API does: a request that met the API's close on its
// way would be lost.
func TestIdleConnection(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	closed := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			closed <- err
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		if _, err := http.ReadRequest(in); err != nil {
			closed <- err
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second)) // as long as Node waits
		_, err = in.ReadByte()
		closed <- err
	}()
	f := newFront(newWorld(t), public, nil, func(c *gate.ProxyConfig) { c.Upstream.URL = "http://" + ln.Addr().String() })
	if res, text := f.call("GET", "/", nil); res.StatusCode != 204 {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	if err := <-closed; !errors.Is(err, io.EOF) {
		t.Errorf("the API lost patience first: %v", err)
	}
}

// TestSlowClientsOfHTTP2 lets nobody give way where one connection to the API carries all requests.
func TestSlowClientsOfHTTP2(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 4)
	read := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadFull(r.Body, make([]byte, 1)); err == nil {
			begun <- struct{}{}
		}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	api := httptest.NewUnstartedServer(read)
	api.EnableHTTP2 = true
	api.StartTLS()
	t.Cleanup(api.Close)
	w := newWorld(t)
	f := newFront(w, public, nil, func(c *gate.ProxyConfig) {
		c.Upstream = gate.Upstream{URL: api.URL, RootCAs: api.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, Connections: 1}
	})
	get := func(f *front) {
		t.Helper()
		if res, text := f.call("GET", "/", nil); res.StatusCode != http.StatusOK {
			t.Fatalf("somebody else reads %s %s", res.Status, text)
		}
	}
	send := func(f *front) net.Conn {
		conn, err := net.Dial("tcp", f.address)
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		must(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
		must(t, err)
		<-begun
		return conn
	}
	get(f)
	slow := []net.Conn{send(f), send(f), send(f)}

	// Over HTTP/1.1 one who is as slow, and came later, gives way to somebody else.
	other := newFront(w, public, read, func(c *gate.ProxyConfig) { c.Upstream.Connections = 1 })
	send(other)
	get(other)

	get(f)
	for _, conn := range slow {
		_, err := io.WriteString(conn, "bc")
		must(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		if res.StatusCode != http.StatusOK {
			t.Errorf("who sends slowly reads %s", res.Status)
		}
	}
}

// TestTooManyBeforeHTTP2 lets nobody give way either when the first answer tells that the API speaks HTTP/2, and others wait already.
func TestTooManyBeforeHTTP2(t *testing.T) {
	t.Parallel()
	for _, many := range []bool{false, true} {
		if got := gate.GivesWay(many); got == many {
			t.Errorf("a connection carries many: %t, somebody gives way: %t", many, got)
		}
	}
}
