package gate_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/gate"
	"go.uber.org/goleak"
)

var public = gate.Config{Routes: []gate.Route{{Path: "/**", Access: gate.AccessPublic}}}

// TestDuplex streams both ways at once: each answer arrives before the next question is sent.
func TestDuplex(t *testing.T) {
	t.Parallel()
	f := newFront(newWorld(t), public, http.HandlerFunc(echoLines))
	body, questions := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+f.address+"/", body)
	must(t, err)
	res, err := f.client.Do(req)
	must(t, err)
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	for i := range 5 {
		if i == 3 { // longer than the server's own limit for a body
			timer := time.NewTimer(2500 * time.Millisecond)
			<-timer.C
		}
		_, err := fmt.Fprintf(questions, "%d\n", i)
		must(t, err)
		if line, err := answers.ReadString('\n'); err != nil || line != fmt.Sprintf("%d\n", i) {
			t.Fatalf("%q, %v", line, err)
		}
	}
	must(t, questions.Close())
	if rest, err := io.ReadAll(answers); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

// echoLines sends each line back as it comes.
func echoLines(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	w.WriteHeader(http.StatusOK)
	_ = control.Flush()
	for lines := bufio.NewReader(r.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		_, _ = io.WriteString(w, line)
		_ = control.Flush()
	}
}

// TestGRPC speaks as gRPC does: HTTP/2 to the gate and behind it, streams both ways, trailers both ways.
func TestGRPC(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var trailer atomic.Value
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" || r.Header.Get("Doorward-Subject") != "u_alice" {
			t.Errorf("%s %v", r.Proto, r.Header)
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		echoLines(w, r)
		trailer.Store(r.Trailer.Clone())
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", "fine")
	}))
	api.Config.Protocols = new(http.Protocols)
	api.Config.Protocols.SetUnencryptedHTTP2(true)
	api.Start()
	t.Cleanup(api.Close)
	f := newFront(w, gate.Config{}, nil, func(c *gate.ProxyConfig) { c.Upstream.URL = strings.Replace(api.URL, "http", "h2c", 1) })
	front := httptest.NewUnstartedServer(f.proxy)
	front.EnableHTTP2 = true
	front.Config.ReadTimeout, front.Config.WriteTimeout = 2*time.Second, 2*time.Second
	front.StartTLS()
	t.Cleanup(front.Close)

	body, questions := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/pkg.Service/Method", body)
	must(t, err)
	req.Header.Set("Te", "trailers")
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Authorization", "Bearer "+w.token("u_alice"))
	req.Trailer = http.Header{"X-Sum": nil, "Doorward-Subject": nil}
	res, err := front.Client().Do(req)
	must(t, err)
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	for i := range 3 {
		if i == 2 {
			timer := time.NewTimer(2500 * time.Millisecond)
			<-timer.C
		}
		_, err := fmt.Fprintf(questions, "%d\n", i)
		must(t, err)
		if line, err := answers.ReadString('\n'); err != nil || line != fmt.Sprintf("%d\n", i) {
			t.Fatalf("%q, %v", line, err)
		}
	}
	req.Trailer.Set("X-Sum", "3")
	req.Trailer.Set("Doorward-Subject", "u_admin")
	must(t, questions.Close())
	_, err = io.ReadAll(answers)
	must(t, err)
	if res.ProtoMajor != 2 || res.Trailer.Get("Grpc-Status") != "0" || res.Trailer.Get("Grpc-Message") != "fine" {
		t.Errorf("%s %v", res.Proto, res.Trailer)
	}
	if got := trailer.Load().(http.Header); got.Get("X-Sum") != "3" || len(got) != 1 {
		t.Errorf("the API got the trailers %v", got)
	}
}

// Attack_C05, Attack_C06: trailers of HTTP/1.1 are no way in either.
func TestTrailers(t *testing.T) {
	t.Parallel()
	f := newFront(newWorld(t), public, http.HandlerFunc(echo))
	res, text := f.raw("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, doorward_subject, Authorization, X-Forwarded-For, Cookie\r\n\r\n" +
		"2\r\nhi\r\n0\r\nX-Sum: 1\r\ndoorward_subject: u_admin\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 6.6.6.6\r\nCookie: a=b\r\nX-Late: 1\r\n\r\n")
	if s := got(t, text); res.StatusCode != 200 || s.Body != "hi" || len(s.Trailer) != 1 || s.Trailer.Get("X-Sum") != "1" {
		t.Errorf("%d %s", res.StatusCode, text)
	}
}

// zeros is a body of any size.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	z.left -= n
	return int(n), nil
}

// TestLargeBodies passes much both ways in little memory.
func TestLargeBodies(t *testing.T) {
	size := int64(64 << 20)
	if os.Getenv("DOORWARD_SOAK") != "" {
		size = 1 << 30
	}
	f := newFront(newWorld(t), public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		w.Header().Set("X-Sum", fmt.Sprint(n, err, hex.EncodeToString(sum.Sum(nil))))
		if r.URL.Path == "/known" {
			w.Header().Set("Content-Length", fmt.Sprint(size))
		}
		_, _ = io.Copy(w, &zeros{size})
	}))
	want := sha256.New()
	_, _ = io.Copy(want, &zeros{size})
	for _, path := range []string{"/known", "/chunked"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+f.address+path, &zeros{size})
		must(t, err)
		if path == "/known" {
			req.ContentLength = size
		}
		res, err := f.client.Do(req)
		must(t, err)
		n, err := io.Copy(io.Discard, res.Body)
		must(t, err)
		must(t, res.Body.Close())
		runtime.ReadMemStats(&after)
		if sum := res.Header.Get("X-Sum"); n != size || sum != fmt.Sprint(size, nil, hex.EncodeToString(want.Sum(nil))) {
			t.Errorf("%s: %d bytes back, %s there", path, n, sum)
		}
		// The race detector has pools drop some of what they keep, so that long bodies take somewhat more.
		if made := after.TotalAlloc - before.TotalAlloc; made > 16<<20 {
			t.Errorf("%s: %d MiB were allocated for %d MiB each way", path, made>>20, size>>20)
		}
	}
}

// TestClientGone wants the API to learn that nobody waits any more.
func TestClientGone(t *testing.T) {
	t.Parallel()
	arrived, gone := make(chan struct{}), make(chan struct{})
	f := newFront(newWorld(t), public, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(gone)
	}))
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.address+"/", nil)
	must(t, err)
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := f.client.Do(req); err == nil {
		t.Error("an answer after all")
	}
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("the API goes on working for nobody")
	}
}

// TestSlow lets a client send and receive slowly, beyond what Doorward's own endpoints allow.
func TestSlow(t *testing.T) {
	t.Parallel()
	f := newFront(newWorld(t), public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, strings.Repeat(string(text), 1<<20))
	}))
	conn, err := net.Dial("tcp", f.address)
	must(t, err)
	defer conn.Close()
	must(t, conn.(*net.TCPConn).SetReadBuffer(128<<10))
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
	must(t, err)
	tick := time.NewTicker(900 * time.Millisecond)
	defer tick.Stop()
	for _, piece := range []string{"a", "b", "c"} {
		<-tick.C
		_, err = io.WriteString(conn, piece)
		must(t, err)
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	must(t, err)
	for range 3 {
		<-tick.C
		_, err := io.CopyN(io.Discard, res.Body, 100_000)
		must(t, err)
	}
	if n, err := io.Copy(io.Discard, res.Body); err != nil || n != 3<<20-300_000 {
		t.Errorf("%d, %v", n, err)
	}
}

// TestRestart stops and starts the API under load: each request gets its answer or a 502, and none waits.
func TestRestart(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := ln.Addr().String()
	start := func(ln net.Listener) *http.Server {
		s := &http.Server{Handler: http.HandlerFunc(echo)}
		go func() { _ = s.Serve(ln) }()
		return s
	}
	api := start(ln)
	f := newFront(newWorld(t), public, nil, func(c *gate.ProxyConfig) { c.Upstream.URL = "http://" + address })
	f.client.Timeout = 5 * time.Second
	ctx, stop := context.WithCancel(t.Context())
	var counts [600]atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for ctx.Err() == nil {
				res, err := f.client.Post("http://"+f.address+"/", "text/plain", strings.NewReader("hello"))
				if err != nil {
					t.Errorf("no answer: %v", err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				counts[res.StatusCode].Add(1)
			}
		})
	}
	for range 3 {
		good, bad := counts[200].Load(), counts[502].Load()
		within(t, 5*time.Second, "good answers", func() bool { return counts[200].Load() > good+50 })
		must(t, api.Close())
		within(t, 5*time.Second, "bad gateways", func() bool { return counts[502].Load() > bad })
		ln, err := net.Listen("tcp", address)
		must(t, err)
		api = start(ln)
	}
	good := counts[200].Load()
	within(t, 5*time.Second, "good answers again", func() bool { return counts[200].Load() > good+50 })
	stop()
	clients.Wait()
	must(t, api.Close())
	for status := range counts {
		if n := counts[status].Load(); n > 0 && status != 200 && status != 502 {
			t.Errorf("%d answers %d", n, status)
		}
	}
}

// Attack_C08, Attack_C09: TestForwarded believes what proxies in front say if they are listed, and nobody else.
func TestForwarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := []string{"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example", "X-Forwarded-Prefix", "/shop", "X-Forwarded-Uri", "/admin", "X-Original-URL", "/admin", "Forwarded", "for=1.2.3.4"}
	for name, networks := range map[string][]string{"nobody": nil, "another": {"10.0.0.0/8"}, "this one": {"127.0.0.0/8"}} {
		cfg := public
		for _, network := range networks {
			cfg.TrustedProxies = append(cfg.TrustedProxies, mustPrefix(t, network))
		}
		f := newFront(w, cfg, http.HandlerFunc(echo))
		_, text := f.call("GET", "/x", nil, said...)
		h := got(t, text).Header
		want := map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": f.address, "X-Forwarded-Prefix": "", "X-Forwarded-Uri": "", "X-Original-Url": "", "Forwarded": ""}
		if name == "this one" {
			want["X-Forwarded-For"], want["X-Forwarded-Proto"], want["X-Forwarded-Host"], want["X-Forwarded-Prefix"] = "1.2.3.4, 127.0.0.1", "https", "shop.example", "/shop"
		}
		for header, value := range want {
			if got := h.Get(header); got != value {
				t.Errorf("Attack_C08: %s is trusted: %s is %q, want %q", name, header, got, value)
			}
		}
	}
}

// TestTLSUpstream verifies the API's certificate.
func TestTLSUpstream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	api.EnableHTTP2 = true
	api.Config.ErrorLog = discard()
	api.StartTLS()
	t.Cleanup(api.Close)
	f := newFront(w, public, nil, func(c *gate.ProxyConfig) {
		c.Upstream.URL, c.Upstream.RootCAs = api.URL, api.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	})
	if res, text := f.call("GET", "/", nil); res.StatusCode != 200 {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	f = newFront(w, public, nil, func(c *gate.ProxyConfig) { c.Upstream.URL = api.URL })
	if res, text := f.call("GET", "/", nil); res.StatusCode != 502 {
		t.Errorf("a certificate of nobody's: %d %s", res.StatusCode, text)
	}
}

// TestAnswers is what of the API's answer reaches the client.
func TestAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	targeted := []string{"CDN-Cache-Control", "Surrogate-Control", "Cloudflare-CDN-Cache-Control", "Vercel-CDN-Cache-Control", "X-Accel-Expires"} // which prevail in shared caches
	f := newFront(w, gate.Config{TokenCookie: "app_token", Routes: []gate.Route{{Path: "/open", Access: gate.AccessPublic}}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cache := r.URL.Query().Get("cache"); cache != "" {
			w.Header().Set("Cache-Control", cache)
		}
		w.Header().Add("Set-Cookie", "theirs=1")
		w.Header().Add("Set-Cookie", "__Host-dw_refresh=planted")
		w.Header().Add("Set-Cookie", "__host-dw_x=planted")
		w.Header().Set("Alt-Svc", `h3=":5000"`)
		w.Header().Set("Doorward-Assertion", "leaked")
		for _, name := range targeted {
			w.Header().Set(name, "public, max-age=60")
		}
		w.Header().Set("Vary", "Accept-Encoding")
		w.Header().Set("X-Theirs", "1")
	}))
	for cache, want := range map[string]string{
		"": "private", "public, max-age=60": "max-age=60, private", "s-maxage=60": "private", "no-store": "no-store", "private, max-age=1": "private, max-age=1",
	} {
		res, _ := f.call("GET", "/x?cache="+strings.ReplaceAll(cache, " ", "%20"), nil, bearer(w.token("u_alice"))...)
		h := res.Header
		if h.Get("Cache-Control") != want || h.Get("Vary") != "Accept-Encoding, Authorization, Cookie" {
			t.Errorf("Attack_C19: %q: Cache-Control %q, want %q; Vary %q", cache, h.Get("Cache-Control"), want, h.Values("Vary"))
		}
		if len(h["Set-Cookie"]) != 1 || h.Get("Alt-Svc") != "" || h.Get("Doorward-Assertion") != "" || h.Get("X-Theirs") != "1" {
			t.Errorf("%v", h)
		}
		for _, name := range targeted {
			if got := h.Get(name); got != "" {
				t.Errorf("Attack_C19: %q: %s: %s", cache, name, got)
			}
		}
	}
	if res, _ := f.call("GET", "/open?cache=public", nil); res.Header.Get("Cache-Control") != "public" {
		t.Errorf("a public route: %v", res.Header)
	}
}

// TestForeignAuthorization passes on what is not ours on a public route, if that is wanted.
func TestForeignAuthorization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := newFront(w, gate.Config{Routes: []gate.Route{
		{Path: "/hook", Access: gate.AccessPublic, ForwardAuthorization: true}, {Path: "/open", Access: gate.AccessPublic}, {Path: "/own", ForwardToken: true},
	}, Audience: apiName}, http.HandlerFunc(echo))
	ours, theirs, foreign := w.token("u_alice"), w.tokenFor("u_alice", apiName), newWorld(t).token("u_alice")
	forged := ours[:strings.LastIndexByte(ours, '.')] + foreign[strings.LastIndexByte(foreign, '.'):]
	tests := []struct{ path, sent, want string }{
		{"/hook", "Basic Zm9vOmJhcg==", "Basic Zm9vOmJhcg=="},
		{"/hook", "Bearer of-somebody-else", "Bearer of-somebody-else"},
		{"/hook", "Bearer " + foreign, "Bearer " + foreign}, // of another issuer
		{"/hook", "Bearer " + forged, "Bearer " + forged},
		{"/hook", "Bearer " + ours, ""},
		{"/hook", "bearer " + theirs, ""},
		{"/open", "Basic Zm9vOmJhcg==", ""},
		{"/own", "Bearer " + theirs, "Bearer " + theirs},
	}
	for _, test := range tests {
		_, text := f.call("GET", test.path, nil, "Authorization", test.sent)
		if s := got(t, text); s.Header.Get("Authorization") != test.want {
			t.Errorf("%s %.20s: the API got %q", test.path, test.sent, s.Header.Get("Authorization"))
		}
	}
}

// TestLeaks leaves no goroutine behind after all that can go wrong.
func TestLeaks(t *testing.T) {
	routes := []gate.Route{{Path: "/socket", Access: gate.AccessPublic, WebSocket: true}, {Path: "/**", Access: gate.AccessPublic, Timeout: 50 * time.Millisecond}}
	f := newFront(newWorld(t), gate.Config{Routes: routes}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/socket":
			echoSocket(w, r)
		case "/slow":
			_, _ = io.Copy(io.Discard, r.Body) // Until then no server sees its client go.
			<-r.Context().Done()
		case "/cut":
			panic(http.ErrAbortHandler)
		default:
			echo(w, r)
		}
	}))
	leaks := goleak.IgnoreCurrent()
	for range 20 {
		s, _, err := f.open("/socket", "")
		must(t, err)
		must(t, s.Close())
		for _, path := range []string{"/", "/slow", "/cut"} {
			f.call("POST", path, strings.NewReader("x"))
		}
		conn, err := net.Dial("tcp", f.address) // a client that goes away in its body
		must(t, err)
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab")
		must(t, conn.Close())
	}
	f.client.CloseIdleConnections()
	within(t, 10*time.Second, "no stream is left", func() bool { return f.streams.Len() == 0 })
	f.proxy.Close()
	must(t, goleak.Find(leaks, goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead"),
		goleak.IgnoreAnyFunction("github.com/doorward/doorward/issuer.(*Issuer).keepPruning"))) // It may begin late.
}

// Attack_C14: TestEarlyAnswer answers while a body is still to come. What comes of it is never taken for a request.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	f := newFront(newWorld(t), public, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_ = http.NewResponseController(w).EnableFullDuplex() // Else net/http waits for the body there.
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_ = http.NewResponseController(w).Flush()
	}))
	const hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
	conn, err := net.Dial("tcp", f.address)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n12345", 5+len(hidden))
	must(t, err)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	must(t, err)
	_, _ = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusRequestEntityTooLarge || !res.Close {
		t.Errorf("%d, closing %t", res.StatusCode, res.Close)
	}
	_, _ = io.WriteString(conn, hidden)
	must(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	if second, err := http.ReadResponse(r, nil); err == nil {
		t.Errorf("the rest of the body is answered: %d", second.StatusCode)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("the API got %d requests", n)
	}
}
