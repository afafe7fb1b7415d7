package gate_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/issuer"
)

// socket is one end of a WebSocket: as much of RFC 6455 as a test needs.
type socket struct {
	net.Conn
	r    *bufio.Reader
	mask bool // clients do
}

func (s *socket) send(text string) error {
	frame := []byte{0x81, byte(len(text))} // all in one frame of text below 126 bytes
	payload := []byte(text)
	if s.mask {
		key := [4]byte{1, 2, 3, 4}
		frame[1] |= 0x80
		frame = append(frame, key[:]...)
		for i := range payload {
			payload[i] ^= key[i%4]
		}
	}
	_, err := s.Write(append(frame, payload...))
	return err
}

func (s *socket) receive() (string, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(s.r, head); err != nil {
		return "", err
	}
	if head[0] != 0x81 {
		return "", fmt.Errorf("a frame %x", head)
	}
	var key [4]byte
	if head[1]&0x80 != 0 {
		if err := binary.Read(s.r, binary.BigEndian, &key); err != nil {
			return "", err
		}
	}
	payload := make([]byte, head[1]&0x7f)
	if _, err := io.ReadFull(s.r, payload); err != nil {
		return "", err
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return string(payload), nil
}

func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// echoSocket is an upstream that greets with the caller's name and sends back what it is sent.
func echoSocket(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		echo(w, r)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		acceptOf(r.Header.Get("Sec-WebSocket-Key")))
	s := &socket{Conn: conn, r: buffered.Reader}
	if s.send("hello "+r.Header.Get("Doorward-Username")) != nil {
		return
	}
	for {
		text, err := s.receive()
		if err != nil || s.send(text) != nil {
			return
		}
	}
}

// open asks for a WebSocket. It returns the answer if that is not 101.
func (f *front) open(path, token string, header ...string) (*socket, *http.Response, error) {
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		return nil, nil, err
	}
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	text := "GET " + path + " HTTP/1.1\r\nHost: " + f.address + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n"
	if token != "" {
		text += "Authorization: Bearer " + token + "\r\n"
	}
	for _, line := range header {
		text += line + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		return nil, res, errors.Join(err, conn.Close())
	}
	if res.Header.Get("Sec-WebSocket-Accept") != acceptOf(key) {
		return nil, res, errors.Join(errors.New("a foreign accept"), conn.Close())
	}
	return &socket{Conn: conn, r: r, mask: true}, res, nil
}

// mustOpen opens a WebSocket and reads the greeting.
func (f *front) mustOpen(path, token, greeting string) *socket {
	f.t.Helper()
	s, res, err := f.open(path, token)
	must(f.t, err)
	if s == nil {
		f.t.Fatalf("no WebSocket: %d", res.StatusCode)
	}
	f.t.Cleanup(func() { _ = s.Close() })
	text, err := s.receive()
	if err != nil || text != greeting {
		f.t.Fatalf("%q, %v; want %q", text, err, greeting)
	}
	return s
}

// closed reports whether the other side has closed the socket, and waits for that.
func (s *socket) closed(d time.Duration) bool {
	_ = s.SetReadDeadline(time.Now().Add(d))
	_, err := s.receive()
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// lastRefusal is the code that the log says was answered last.
func (f *front) lastRefusal() string {
	lines := strings.Split(strings.TrimSpace(f.logs.String()), "\n")
	_, after, _ := strings.Cut(lines[len(lines)-1], `"error":"`)
	code, _, _ := strings.Cut(after, `"`)
	return code
}

var socketRoutes = []gate.Route{
	{Path: "/socket", WebSocket: true, CORS: &gate.CORS{Origins: []string{"https://app.example"}}},
	{Path: "/open", Access: gate.AccessPublic, WebSocket: true},
	{Path: "/plain", Access: gate.AccessPublic},
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := newFront(w, gate.Config{Routes: socketRoutes}, http.HandlerFunc(echoSocket))
	token := w.token("u_alice")
	s := f.mustOpen("/socket", token, "hello alice")
	for _, text := range []string{"one", strings.Repeat("x", 125), ""} {
		must(t, s.send(text))
		if got, err := s.receive(); err != nil || got != text {
			t.Fatalf("%q, %v; want %q", got, err, text)
		}
	}
	f.mustOpen("/open", "", "hello ")
	tests := []struct {
		name, path, token string
		header            []string
		status            int    // 101: it opens
		code              string // of the refusal, where it counts
	}{
		{name: "no token", path: "/socket", status: 401},
		{name: "bad token", path: "/socket", token: "rubbish", status: 401},
		{name: "own origin", path: "/socket", token: token, header: []string{"Origin: http://" + f.address}, status: 101},
		{name: "named origin", path: "/socket", token: token, header: []string{"Origin: https://app.example"}, status: 101},
		{name: "foreign origin", path: "/socket", token: token, header: []string{"Origin: https://evil.example"}, status: 403},
		{name: "foreign page", path: "/open", header: []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, status: 403},
		{name: "null origin", path: "/open", header: []string{"Origin: null"}, status: 403},
		{name: "route without WebSocket", path: "/plain", status: 403, code: "websocket_refused"},
		{name: "no token on a route without WebSocket", path: "/x", status: 401, code: "missing_token"},
		{name: "no rule", path: "/x", token: token, status: 403, code: "websocket_refused"},
		{name: "two wishes", path: "/open", header: []string{"Upgrade: h2c"}, status: 200},
		{name: "without being nominated", path: "/open", header: []string{"Connection: x", "Upgrade: websocket"}, status: 200},
	}
	for _, test := range tests {
		t.Run("Attack_C18 "+test.name, func(t *testing.T) {
			s, res, err := f.open(test.path, test.token, test.header...)
			must(t, err)
			if res.StatusCode != test.status {
				t.Errorf("%d, want %d", res.StatusCode, test.status)
			}
			if test.code != "" && f.lastRefusal() != test.code {
				t.Errorf("refused for %s, want %s", f.lastRefusal(), test.code)
			}
			if s != nil {
				_ = s.Close()
			}
		})
	}
	for _, wish := range []string{"h2c", "websocket, h2c", "WEBSOCKET/13", "TLS/1.0", "IRC/6.9, RTA/x11", "\x01", "web-socket"} {
		_, text := f.call("GET", "/open", nil, "Connection", "Upgrade, HTTP2-Settings", "Upgrade", strings.Trim(wish, "\x01")+"x", "HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")
		if h := got(t, text).Header; h.Get("Upgrade") != "" || h.Get("Http2-Settings") != "" || h.Get("Connection") != "" {
			t.Errorf("Upgrade: %q arrives: %v", wish, h)
		}
	}
	res, text := f.raw("GET /open HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n")
	if res.StatusCode != 200 || got(t, text).Header.Get("Upgrade") != "" { // RFC 6455 §4.1 needs 1.1.
		t.Errorf("HTTP/1.0: %d %s", res.StatusCode, text)
	}
}

// TestStreamsEnd has one row for each way in which a session is over while its WebSocket is open.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(*testing.T, *front, issuer.TokenSet)
	}{
		{"session revoked", func(t *testing.T, f *front, set issuer.TokenSet) {
			must(t, f.RevokeSession(t.Context(), set.SessionID, issuer.Event{}))
		}},
		{"logout", func(t *testing.T, f *front, set issuer.TokenSet) {
			must(t, f.Logout(t.Context(), set.RefreshToken, issuer.Event{}))
		}},
		{"everything of the subject", func(t *testing.T, f *front, _ issuer.TokenSet) {
			must(t, f.RevokeSubject(t.Context(), "u_alice", issuer.Event{}))
		}},
		{"key stolen", func(t *testing.T, f *front, _ issuer.TokenSet) {
			must(t, f.RevokeKey(t.Context(), f.JWKS().Keys()[0].ID(), issuer.Event{}))
		}},
		{"idle", func(t *testing.T, f *front, _ issuer.TokenSet) {
			f.streams.Sweep(t.Context(), time.Now().Add(11*time.Minute)) // The token has expired by now.
			if f.streams.Len() != 2 {
				t.Error("that the token expired ended the stream")
			}
			f.streams.Sweep(t.Context(), time.Now().Add(3*time.Hour))
		}},
		{"too old", func(t *testing.T, f *front, set issuer.TokenSet) {
			f.streams.Sweep(t.Context(), time.Now().Add(11*time.Minute))
			_, err := f.Refresh(t.Context(), set.RefreshToken, issuer.RefreshRequest{})
			must(t, err)
			f.streams.Sweep(t.Context(), time.Now().Add(25*time.Hour))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *issuer.Config) { c.IdleTTL, c.AbsoluteTTL = 2*time.Hour, 24*time.Hour })
			f := newFront(w, gate.Config{Routes: socketRoutes}, http.HandlerFunc(echoSocket))
			set := w.login("u_alice")
			f.mustOpen("/open", "", "hello ")
			s := f.mustOpen("/socket", set.AccessToken, "hello alice")
			test.end(t, f, set)
			if !s.closed(2 * time.Second) {
				t.Error("the WebSocket is still open")
			}
			within(t, 2*time.Second, "nobody's WebSocket alone is left", func() bool { return f.streams.Len() == 1 })
			if logs := f.logs.String(); !strings.Contains(logs, "a stream was ended") || !strings.Contains(logs, set.SessionID) {
				t.Errorf("the log: %s", logs)
			}
		})
	}
}

// TestStreamsEndWhenStale cuts the verifier off from what is revoked. Requests follow their rule.
func TestStreamsEndWhenStale(t *testing.T) {
	t.Parallel()
	w := newWorldAlone(t, func(c *issuer.Config) { c.MaxStaleness = 2 * time.Second })
	f := newFront(w, gate.Config{Routes: append([]gate.Route{{Path: "/menu", YoungWhenStale: time.Minute}}, socketRoutes...)}, http.HandlerFunc(echoSocket))
	token := w.token("u_alice")
	s := f.mustOpen("/socket", token, "hello alice")
	if s.closed(500 * time.Millisecond) {
		t.Error("closed while revocations were known")
	}
	if !s.closed(4 * time.Second) {
		t.Error("open, although nobody knows what was revoked")
	}
	if res, text := f.call("GET", "/orders", nil, bearer(token)...); res.StatusCode != 503 || code(t, res, text) != "unavailable" || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if res, text := f.call("GET", "/menu", nil, bearer(token)...); res.StatusCode != 200 {
		t.Errorf("a young token: %d %s", res.StatusCode, text)
	}
}

// TestEventStream wants each event at once, and the end at a cut-off.
func TestEventStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	next := make(chan string)
	f := newFront(w, gate.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		w.WriteHeader(http.StatusOK)
		for {
			select {
			case event := <-next:
				_, _ = io.WriteString(w, "data: "+event+"\n\n")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	set := w.login("u_alice")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+f.address+"/events", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+set.AccessToken)
	go func() { next <- "0" }()
	res, err := f.client.Do(req)
	must(t, err)
	defer res.Body.Close()
	r := bufio.NewReader(res.Body)
	for i := range 3 {
		if i > 0 {
			next <- fmt.Sprint(i) // after the one before has arrived
		}
		if line, err := r.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("%q, %v", line, err)
		}
		_, _ = r.ReadString('\n')
	}
	must(t, w.Logout(t.Context(), set.AccessToken, issuer.Event{}))
	if line, err := r.ReadString('\n'); err == nil {
		t.Errorf("after the logout: %q", line)
	}
}

// TestManyWebSockets keeps many open and idle, in bounded memory, and ends them at one cut-off.
func TestManyWebSockets(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	const many = 1000
	w := newWorld(t)
	f := newFront(w, gate.Config{Routes: socketRoutes}, http.HandlerFunc(echoSocket))
	token := w.token("u_alice")
	before := inUse()
	sockets := make([]*socket, many)
	var opening sync.WaitGroup
	for worker := range 16 {
		opening.Go(func() {
			for i := worker; i < many; i += 16 {
				s, _, err := f.open("/socket", token)
				if err != nil || s == nil {
					t.Errorf("socket %d: %v", i, err)
					return
				}
				sockets[i] = s
			}
		})
	}
	opening.Wait()
	if t.Failed() {
		return
	}
	each := (inUse() - before) / uint64(many)
	t.Logf("%d sockets, client, gate and upstream in this process: %d KiB each", many, each>>10)
	if each > 160<<10 {
		t.Errorf("%d KiB for each socket", each>>10)
	}
	must(t, w.RevokeSubject(t.Context(), "u_alice", issuer.Event{}))
	for i, s := range sockets {
		_, _ = s.receive() // the greeting
		if !s.closed(10 * time.Second) {
			t.Fatalf("socket %d is open after the cut-off", i)
		}
		_ = s.Close()
	}
	within(t, 5*time.Second, "no stream is left", func() bool { return f.streams.Len() == 0 })
}

// inUse is the memory of live objects and of stacks.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// deaf is the connection of a client that takes nothing.
type deaf struct {
	net.Conn
	waited, closed      chan struct{}
	onceWait, onceClose sync.Once
}

func (d *deaf) Write([]byte) (int, error) {
	d.onceWait.Do(func() { close(d.waited) })
	<-d.closed
	return 0, net.ErrClosed
}

func (d *deaf) Close() error {
	d.onceClose.Do(func() { close(d.closed) })
	return d.Conn.Close()
}

// deafened is the writer of its request.
type deafened struct {
	http.ResponseWriter
	conn *deaf
}

func (d deafened) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(d.ResponseWriter).Hijack()
	d.conn.Conn = conn
	return d.conn, buffered, err
}

func (d deafened) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// TestDeafWebSocket ends with its session, although its client neither reads nor writes.
func TestDeafWebSocket(t *testing.T) {
	t.Parallel()
	f := newFront(newWorld(t), gate.Config{Routes: socketRoutes}, http.HandlerFunc(echoSocket))
	conn := &deaf{waited: make(chan struct{}), closed: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.proxy.ServeHTTP(deafened{w, conn}, r) }))
	t.Cleanup(server.Close)
	f.address = server.Listener.Addr().String()
	s, _, err := f.open("/open", "")
	must(t, err)
	defer s.Close()
	<-conn.waited
	stopped, stop := context.WithCancel(t.Context())
	stop()
	f.streams.Run(stopped)
	if !s.closed(5 * time.Second) {
		t.Error("the WebSocket is still open")
		must(t, conn.Close())
	}
}
