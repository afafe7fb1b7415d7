package gate

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward"
)

// transit is one request on its way through the gate. It is also the context of the request to the upstream, in which
// [transitOf] finds it.
type transit struct {
	context.Context // set by start
	Verdict
	proxy    *Proxy
	in       *http.Request // as the client sent it
	control  *http.ResponseController
	identity []field
	upgrade  bool // to a WebSocket

	timeout time.Duration
	cancel  context.CancelCauseFunc
	broken  atomic.Bool // the client's body broke off
	body    *upload     // nil if there is none
	stream  *stream     // nil until it is one
	pace    pace        // of the client
	trailer http.Header // of the request to the upstream, to be filled when the body has been read
	left    int64       // bytes still to come of an answer whose length is known

	// The two ends of the answer, here so that one allocation does for three.
	writer   writer
	download download

	mu      sync.Mutex  // guards what follows: a body is sent by a goroutine of the transport
	timer   *time.Timer // of the upstream
	waiting bool        // for its answer to begin
}

// errTimeout says that the upstream took too long.
var errTimeout = errors.New("gate: the upstream took too long")

type transitKey struct{}

func transitOf(r *http.Request) *transit {
	return r.Context().Value(transitKey{}).(*transit)
}

// Value returns the transit itself, or else what the client's request knows.
func (t *transit) Value(key any) any {
	if _, ok := key.(transitKey); ok {
		return t
	}
	return t.Context.Value(key)
}

// prepare does all that may still lead to a refusal. Then it lifts the deadlines of
// Doorward's own endpoints from the request.
func (t *transit) prepare() *doorward.Refusal {
	if t.Refusal != nil {
		_, trusted := t.proxy.guard.proxies.Peer(t.in.RemoteAddr)
		proto, host := addressed(t.in, trusted)
		t.proxy.guard.SendToLogin(&t.Verdict, t.in, proto, host)
		return t.Refusal
	}
	var refused *doorward.Refusal
	if t.upgrade, refused = t.proxy.guard.upgrades(t.in, &t.Verdict); refused != nil {
		return refused
	}
	if t.identity, refused = t.proxy.guard.fields(t.Claims); refused != nil {
		return refused
	}
	t.timeout = t.Route.Timeout
	if t.timeout == 0 {
		t.timeout = t.proxy.upstream.timeout
	}
	_ = t.control.SetReadDeadline(time.Time{}) // Bodies have deadlines of their own, and not every writer has one.
	_ = t.control.SetWriteDeadline(time.Time{})
	return nil
}

// start begins the upstream's time. The context ends with the transit.
func (t *transit) start() {
	t.Context, t.cancel = context.WithCancelCause(t.in.Context())
	t.waiting = true
	t.timer = time.AfterFunc(t.timeout, func() { t.cancel(errTimeout) })
	if !t.upgrade {
		t.proxy.upstream.places.take(t)
	}
}

// finish frees what start took.
func (t *transit) finish() {
	t.begun()
	t.cancel(nil)
	t.proxy.upstream.places.leave(t)
	t.writer.armLine()
	if t.body != nil {
		t.body.part()
	}
	if t.stream != nil {
		t.proxy.streams.remove(t.stream)
	}
}

// progress starts the upstream's time anew while it is still being sent the request.
func (t *transit) progress() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting {
		t.timer.Reset(t.timeout)
	}
}

// begun notes that the upstream has begun to answer. It reports false if the time for that was up.
func (t *transit) begun() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = false
	return t.timer.Stop()
}

// unread reports whether an answer begins before the request has been read to its end. On
// HTTP/1.1 the connection must then be closed, and the client is told so: the rest of the
// body must never be taken for the next request.
func (t *transit) unread() bool {
	return t.body != nil && t.in.ProtoMajor == 1 && !t.body.done()
}

// receive wraps the body of an answer, so that its trailer and its pauses are watched, and its end while the request goes on.
func (t *transit) receive(res *http.Response) {
	if res.ProtoMajor > 1 && t.body != nil {
		c := &conversation{ReadCloser: res.Body, cancel: t.cancel}
		context.AfterFunc(t.Context, c.sever)
		res.Body = c
		if t.in.ProtoMajor > 1 {
			t.body.talk()
		}
	}
	t.download = download{trailed: trailed{res.Body, t.proxy, res}, transit: t}
	res.Body = &t.download.trailed
	kind := strings.ToLower(res.Header.Get("Content-Type"))
	switch {
	case isEventStream(kind):
		t.follow(false)
	case res.ContentLength > 0:
		t.left = res.ContentLength
		res.Body = &t.download
	case strings.HasPrefix(kind, "application/grpc"):
		t.follow(true)
		if t.in.ProtoMajor > 1 && !strings.HasPrefix(kind, "application/grpc-web") { // which has its status in the body
			res.Body = &call{t.download.trailed, t}
		}
	}
}

// follow makes the answer a stream, which ends with the session. Grace is that of a stream.
func (t *transit) follow(grace bool) {
	t.stream = t.proxy.streams.add(t.Claims, t.cancel, grace)
}

// announceTrailers promises the upstream the trailers that the client has promised, except
// those that a client has no say in.
func (t *transit) announceTrailers(out *http.Request) {
	out.Trailer = nil
	for name := range t.in.Trailer {
		if t.proxy.guard.drops.has(name) || name == "Cookie" || name == "Host" {
			continue
		}
		if out.Trailer == nil {
			out.Trailer = http.Header{}
		}
		out.Trailer[name] = nil
	}
	t.trailer = out.Trailer
}

// passTrailers fills in what was promised, once the body has been read.
func (t *transit) passTrailers() {
	for name := range t.trailer {
		t.trailer[name] = t.in.Trailer[name]
	}
}
