package gate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
)

// front is a Proxy on a socket, with an upstream behind it.
type front struct {
	*world
	address string
	client  *http.Client
	streams *gate.Streams
	proxy   *gate.Proxy
	logs    *safeBuffer
}

// newFront serves with an upstream that is api, until the test ends.
func newFront(w *world, cfg gate.Config, api http.Handler, adjust ...func(*gate.ProxyConfig)) *front {
	w.t.Helper()
	f := &front{world: w, logs: &safeBuffer{}}
	log := slog.New(slog.NewJSONHandler(f.logs, nil))
	up := gate.Upstream{}
	if api != nil {
		s := httptest.NewServer(api)
		w.t.Cleanup(s.Close)
		up.URL = s.URL
	}
	cfg.Issuer, cfg.Logger = w.Issuer, log
	g, err := gate.NewGuard(cfg)
	must(w.t, err)
	f.streams = gate.NewStreams(w.Issuer, log)
	pc := gate.ProxyConfig{Guard: g, Upstream: up, Streams: f.streams}
	for _, change := range adjust {
		change(&pc)
	}
	f.proxy, err = gate.NewProxy(pc)
	must(w.t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(w.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { f.streams.Run(ctx) })
	s := httptest.NewUnstartedServer(f.proxy)
	s.Config.ReadTimeout, s.Config.WriteTimeout = 2*time.Second, 2*time.Second // as Doorward's own, but shorter
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.Start()
	f.address = s.Listener.Addr().String()
	f.client = &http.Client{Transport: &http.Transport{DisableCompression: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	w.t.Cleanup(func() {
		stop()
		running.Wait()
		f.client.CloseIdleConnections()
		s.Close()
		f.proxy.Close()
	})
	return f
}

// call makes one request. Header is names and values in turn.
func (f *front) call(method, target string, body io.Reader, header ...string) (*http.Response, string) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, "http://"+f.address+target, body)
	must(f.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	res, err := f.client.Do(r)
	must(f.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(f.t, err)
	return res, string(text)
}

// raw sends bytes and returns the answer to the first request in them.
func (f *front) raw(text string) (*http.Response, string) {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.address)
	must(f.t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, text)
	must(f.t, err)
	must(f.t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(f.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(f.t, err)
	return res, string(body)
}

// safeBuffer collects what several goroutines log.
type safeBuffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// seen is what an upstream got.
type seen struct {
	Method, URI, Host, Body string
	Header, Trailer         http.Header
	Length                  int64
}

// echo answers with what it got.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Host, string(body), r.Header, r.Trailer, r.ContentLength})
}

func got(t testing.TB, text string) seen {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return s
}

// code is the error of a refusal, with a check of its shape.
func code(t testing.TB, res *http.Response, text string) string {
	t.Helper()
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		RequestID   string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(text), &body); err != nil || body.Description == "" || body.RequestID == "" ||
		res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a refusal of another shape: %v %v %s", err, res.Header, text)
	}
	return body.Error
}

// Attack_C07: TestProxy nominates identity headers in Connection, too: what the gate sets comes after that.
func TestProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := newFront(w, gate.Config{Audience: apiName, Routes: []gate.Route{{Path: "/open/**", Access: gate.AccessPublic}}}, http.HandlerFunc(echo))
	token := w.token("u_alice")

	res, text := f.call("GET", "/x", nil)
	if res.StatusCode != 401 || code(t, res, text) != "missing_token" || res.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	res, text = f.call("POST", "/a%20b/%7ec?q=1;2&r=%2f", strings.NewReader("hello"), append(bearer(token),
		"Cookie", "a=b; __Host-dw_refresh=x", "X-Forwarded-For", "6.6.6.6", "Connection", "keep-alive, Doorward-Subject, X-Gone", "X-Gone", "1", "X-Kept", "1",
		"Doorward-Subject", "u_admin", "doorward_roles", "admin")...)
	s := got(t, text)
	if res.StatusCode != 200 || s.Method != "POST" || s.URI != "/a%20b/~c?q=1;2&r=%2f" || s.Body != "hello" || s.Host != f.address || s.Length != 5 {
		t.Errorf("%d %+v", res.StatusCode, s)
	}
	for name, want := range map[string]string{
		"Authorization": "", "Cookie": "a=b", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": f.address,
		"X-Gone": "", "X-Kept": "1", "Doorward-Subject": "u_alice", "Doorward-Username": "alice", "Doorward-Roles": "staff", "Doorward_roles": "",
	} {
		if got := s.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if s.Header.Get("Doorward-Assertion") == "" {
		t.Error("no assertion")
	}
	if _, text := f.call("GET", "/open/x", nil, bearer(token)...); got(t, text).Header.Get("Authorization") != "" || got(t, text).Header.Get("Doorward-Subject") != "" {
		t.Errorf("a public route gets %s", text)
	}
	if strings.Contains(f.logs.String(), token) {
		t.Error("the token is in the log")
	}
}

// Attack_C11: TestPreflightThatAsks reaches APIs that do not look at the method, or take another one. It brings nothing back,
// and the API is asked for nothing but a preflight.
func TestPreflightThatAsks(t *testing.T) {
	t.Parallel()
	reached := make(chan *http.Request, 20)
	f := newFront(newWorld(t), gate.Config{Routes: []gate.Route{{Path: "/dav/**"}}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached <- r
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Trailer", "X-After")
		if strings.HasSuffix(r.URL.Path, "/events") {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		_, _ = io.WriteString(w, "what only a token opens")
		w.Header().Set("X-After", "this, too")
	}))
	for _, path := range []string{"/orders?payment_method=card&method", "/dav/orders", "/events"} {
		res, text := f.call("OPTIONS", path, nil, "Origin", "https://app.example", "Access-Control-Request-Method", "GET",
			"X-HTTP-Method-Override", "GET", "X_HTTP_Method", "GET", "x-method-override", "GET")
		if res.StatusCode != 200 || text != "" || res.Header.Get("Access-Control-Allow-Origin") != "*" || len(res.Trailer) > 0 {
			t.Errorf("%s: %d %q %v %v", path, res.StatusCode, text, res.Header, res.Trailer)
		}
		r := <-reached
		for name := range r.Header {
			if strings.Contains(strings.ToLower(name), "method") && name != "Access-Control-Request-Method" {
				t.Errorf("%s reaches the API", name)
			}
		}
	}
	for _, query := range []string{"_method=GET", "a=b&_method=GET", "_METHOD", "%5fmethod=GET", "+_method=GET", ".method=GET", "[method=GET", "_method%00x=GET", "a;_method[]=GET"} {
		res, text := f.call("OPTIONS", "/orders?"+query, nil, "Origin", "https://app.example", "Access-Control-Request-Method", "GET")
		if res.StatusCode != 401 || code(t, res, text) != "missing_token" {
			t.Errorf("%s: %d %s", query, res.StatusCode, text)
		}
	}
}

// TestUpstreamFails has one answer for each way in which an upstream fails, and none hangs.
func TestUpstreamFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	defer close(release)
	api := http.NewServeMux()
	api.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	api.HandleFunc("/cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	api.HandleFunc("/h2c", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Upgrade", "h2c")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	api.HandleFunc("/stalls", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "12345")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	f := newFront(w, gate.Config{Routes: []gate.Route{{Path: "/**", Access: gate.AccessPublic, Timeout: 300 * time.Millisecond}}}, api)
	for path, want := range map[string]string{"/slow": "504 gateway_timeout", "/cut": "502 bad_gateway", "/h2c": "502 bad_gateway"} {
		res, text := f.call("GET", path, nil, "Upgrade", "h2c", "Connection", "Upgrade")
		if got := fmt.Sprint(res.StatusCode, " ", code(t, res, text)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	res, err := f.client.Get("http://" + f.address + "/stalls")
	must(t, err)
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("half an answer passes for a whole one: %q", body)
	}
	gone := newFront(w, gate.Config{Routes: []gate.Route{{Path: "/**", Access: gate.AccessPublic}}}, nil, func(c *gate.ProxyConfig) { c.Upstream.URL = "http://127.0.0.1:1" })
	if res, text := gone.call("GET", "/", nil); res.StatusCode != 502 || code(t, res, text) != "bad_gateway" {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if err := gone.proxy.Healthy(t.Context()); err == nil {
		t.Error("an upstream that is not there is healthy")
	}
	if err := f.proxy.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
}
