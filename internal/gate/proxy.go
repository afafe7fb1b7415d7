package gate

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"sync"

	"github.com/doorward/doorward"
)

// ProxyConfig says what a [Proxy] is. Guard, Upstream and Streams are required.
type ProxyConfig struct {
	Guard    *Guard
	Upstream Upstream
	// Streams takes over what stays open. Somebody else runs Streams.Run.
	Streams *Streams
	// Identified, if set, is told who is asking, for the log.
	Identified func(*http.Request, *doorward.Claims)
}

// Proxy passes requests that the guard lets pass to the upstream. It starts no goroutine
// of its own and may be used concurrently.
type Proxy struct {
	guard      *Guard
	upstream   *upstream
	streams    *Streams
	identified func(*http.Request, *doorward.Claims)
	usual      *httputil.ReverseProxy
	sockets    *httputil.ReverseProxy
}

// NewProxy checks cfg. It dials nobody.
func NewProxy(cfg ProxyConfig) (*Proxy, error) {
	if cfg.Guard == nil || cfg.Streams == nil {
		return nil, errors.New("gate: ProxyConfig.Guard and Streams are required")
	}
	up, err := newUpstream(cfg.Upstream)
	if err != nil {
		return nil, err
	}
	p := &Proxy{guard: cfg.Guard, upstream: up, streams: cfg.Streams, identified: cfg.Identified}
	if p.identified == nil {
		p.identified = func(*http.Request, *doorward.Claims) {}
	}
	p.usual, p.sockets = p.reverse(up.usual), p.reverse(up.sockets)
	return p, nil
}

// Close closes connections to the upstream that no request uses. Those under way go on.
func (p *Proxy) Close() { p.upstream.close() }

// Healthy asks whether the upstream accepts connections, and waits a second at most.
func (p *Proxy) Healthy(ctx context.Context) error { return p.upstream.healthy(ctx) }

// ServeHTTP decides on a request and passes it on or refuses it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := p.guard.Decide(r)
	if v.Claims != nil {
		p.identified(r, v.Claims)
	}
	if v.Preflight && v.rule != nil && v.rule.cors != nil {
		v.rule.cors.preflight(w, r)
		return
	}
	t := &transit{Verdict: v, proxy: p, in: r, control: http.NewResponseController(w)}
	if err := t.prepare(); err != nil {
		p.refuse(w, r, &t.Verdict, err)
		return
	}
	defer t.finish()
	t.start()
	out := r.WithContext(t)
	if out.ContentLength != 0 {
		_ = t.control.EnableFullDuplex() // HTTP/2 has it anyway.
		t.body = &upload{ReadCloser: r.Body, transit: t}
		out.Body = t.body
	}
	via := p.usual
	if t.upgrade {
		via = p.sockets
	}
	t.writer = writer{ResponseWriter: w, transit: t}
	via.ServeHTTP(&t.writer, out)
}

// reverse is the proxy of the standard library, told what to do at each step.
func (p *Proxy) reverse(transport http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: rewrite, Transport: transport, ModifyResponse: p.modify, ErrorHandler: p.failed,
		BufferPool: buffers{},
		ErrorLog:   log.New(io.Discard, "", 0), // What it has to say comes through ErrorHandler.
	}
}

// rewrite makes the request to the upstream. Hop-by-hop headers are gone already, those
// included that the client has named in Connection.
func rewrite(pr *httputil.ProxyRequest) {
	t, out := transitOf(pr.In), pr.Out
	up, u := t.proxy.upstream, out.URL
	u.Scheme, u.Host, u.User, u.Opaque, u.Fragment = up.scheme, up.host, nil, "", ""
	u.Path, u.RawPath, u.RawQuery = t.text, t.Path, wireQuery(pr.In.URL.RawQuery)
	out.Host = pr.In.Host
	g := t.proxy.guard
	g.identify(out.Header, t.identity)
	g.passCredentials(out.Header, &t.Verdict, t.in)
	g.setForwarded(out.Header, pr.In)
	t.announceTrailers(out)
	if t.Preflight {
		dropOverrides(out.Header)
	}
}

// failed answers for an upstream that does not.
func (p *Proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	t := transitOf(r)
	cause := context.Cause(r.Context())
	if t.unread() {
		w.Header().Set("Connection", "close")
	}
	switch {
	case errors.Is(cause, errGaveWay):
		refusal := NewRefusal(http.StatusServiceUnavailable, "busy", "the request came too slowly while others waited; try again shortly", cause)
		refusal.Header.Set("Retry-After", "2")
		p.refuse(w, t.in, &t.Verdict, refusal)
	case t.broken.Load():
		p.refuse(w, t.in, &t.Verdict, NewRefusal(http.StatusBadRequest, "invalid_request", "the body of the request broke off", err))
	case errors.Is(cause, errTimeout):
		if !errors.Is(err, cause) {
			err = errors.Join(cause, err)
		}
		p.refuse(w, t.in, &t.Verdict, NewRefusal(http.StatusGatewayTimeout, "gateway_timeout", "the API behind this address took too long", err))
	case cause != nil:
		panic(http.ErrAbortHandler) // The client has gone, or its stream was ended.
	default:
		p.refuse(w, t.in, &t.Verdict, NewRefusal(http.StatusBadGateway, "bad_gateway", "the API behind this address cannot be reached", err))
	}
}

// refuse writes a refusal in the one shape, and the record of it.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, v *Verdict, refusal *doorward.Refusal) {
	LogRefusal(p.guard.log, r, v, refusal)
	h := w.Header()
	addVary(h, v.Vary)
	if v.rule != nil && v.rule.cors != nil {
		v.rule.cors.refuse(h, r)
	}
	doorward.WriteRefusal(w, r, refusal)
}

// buffers are those that bodies are copied with.
type buffers struct{}

// bufferSize is that of a piece of a body.
const bufferSize = 32 << 10

var bufferPool = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// Get returns a buffer.
func (buffers) Get() []byte { return bufferPool.Get().(*[bufferSize]byte)[:] }

// Put takes it back.
func (buffers) Put(b []byte) { bufferPool.Put((*[bufferSize]byte)(b)) }
