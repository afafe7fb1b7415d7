package server

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/origin"
)

// headerLimit is the greatest size of all request headers together. net/http
// is given more, so that the refusal can be written here, as JSON.
const headerLimit = 16 << 10

const textHeaders = "the request headers are longer than 16 KiB"

var errHeaders = errors.New("server: the request headers are too long")

// logLimit caps every text in a log record that comes from outside.
const logLimit = 512

// exchange is one request and its answer, as the log record tells them.
type exchange struct {
	http.ResponseWriter
	started  time.Time
	id       string
	origin   origin.Origin
	resource *resource
	quiet    bool
	act      string // for the observer: "login", "refresh" or nothing
	status   int    // 0 while no header was written
	refusal  string // the reason or the code of a refusal

	subject, session string
}

// WriteHeader keeps the status for the log, and makes one line of what CORS and
// the verifier have each added to Vary.
func (x *exchange) WriteHeader(status int) {
	if vary := x.Header()["Vary"]; len(vary) > 1 {
		x.Header().Set("Vary", strings.Join(vary, ", "))
	}
	if x.status == 0 && status >= http.StatusOK {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write keeps that the answer is 200 if nobody has said otherwise.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	return x.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Hijack gives the connection away, for the upgrade to another protocol.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err == nil {
		x.status = http.StatusSwitchingProtocols
	}
	return conn, buffered, err
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		panic("server: a handler was called outside ServeHTTP")
	}
	return x
}

// identify tells the log who is asking.
func identify(r *http.Request, subject, session string) {
	x := exchangeOf(r)
	x.subject, x.session = subject, session
}

// Identify tells the log who is asking, for Config.Upstream.
func Identify(r *http.Request, c *doorward.Claims) { identify(r, c.Subject, c.SessionID) }

// ServeHTTP answers one request: every phase that all endpoints share, in order.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if next := s.successor.Load(); next != nil {
		next.ServeHTTP(w, r)
		return
	}
	x := &exchange{ResponseWriter: w, started: time.Now(), id: rand.Text(), resource: s.missing}
	ctx := doorward.WithRequestID(r.Context(), x.id)
	r = r.WithContext(context.WithValue(ctx, exchangeKey{}, x))
	defer s.observe(r, x)
	defer s.record(r, x)
	defer s.rescue(r, x)

	x.origin = s.originOf(r)
	x.resource = s.find(r)
	if x.resource == s.beyond && headerSize(r) <= headerLimit {
		s.cfg.Upstream.ServeHTTP(x, r)
		return
	}
	if x.resource == s.forward {
		s.answerProxy(x, r)
		return
	}
	s.secure(x.Header())
	if s.cors.write(x, r, x.resource) {
		return
	}
	switch {
	case headerSize(r) > headerLimit:
		s.fail(x, r, &failure{
			status: http.StatusRequestHeaderFieldsTooLarge, code: "headers_too_large",
			description: textHeaders,
		})
	case x.resource == s.missing:
		s.fail(x, r, errNotFound)
	default:
		s.mux.ServeHTTP(x, r)
	}
}

// answerProxy answers forward-auth. Limits are told in the proxy's own way too.
func (s *Server) answerProxy(x *exchange, r *http.Request) {
	if headerSize(r) <= headerLimit {
		s.cfg.ForwardAuth.ServeHTTP(x, r)
		return
	}
	s.cfg.ForwardAuth.Refuse(x, r, &doorward.Refusal{
		Status: http.StatusRequestHeaderFieldsTooLarge, Code: "headers_too_large", Description: textHeaders,
		Header: http.Header{"Cache-Control": {"no-store"}}, Err: errHeaders,
	})
}

// secure sets the headers that every answer has. Each is safe for an API and
// leaves a browser that was led here with nothing to run, frame or keep.
func (s *Server) secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.HasPrefix(s.origin, "https://") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// rescue answers 500 for a panic and lets the process live. If the header was
// sent already the connection is cut, so that nobody takes half an answer for a whole one.
func (s *Server) rescue(r *http.Request, x *exchange) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	s.log.LogAttrs(r.Context(), slog.LevelError, "panic",
		slog.String("request_id", x.id), slog.String("route", x.resource.pattern),
		slog.String("panic", capped(fmt.Sprint(v))), slog.String("stack", string(debug.Stack())))
	if x.status != 0 {
		panic(http.ErrAbortHandler)
	}
	s.fail(x, r, &failure{status: http.StatusInternalServerError, code: "server_error", description: textServerError})
}

// record writes the one log record of a request. The path and the query are not
// in it, the route is: a path may hold what a client put there by mistake.
func (s *Server) record(r *http.Request, x *exchange) {
	level := slog.LevelInfo
	if x.quiet && x.status < http.StatusBadRequest {
		level = slog.LevelDebug
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", capped(r.Method)),
		slog.String("route", x.resource.pattern),
		slog.Int("status", x.status),
		slog.Duration("duration", time.Since(x.started)),
		slog.String("request_id", x.id),
		slog.String("remote", capped(x.origin.Address)),
	}
	if x.subject != "" {
		attrs = append(attrs, slog.String("sub", capped(x.subject)))
	}
	if x.session != "" {
		attrs = append(attrs, slog.String("sid", capped(x.session)))
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// headerSize is what the request line and the header lines take on the wire.
func headerSize(r *http.Request) int {
	size := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("  \r\n")
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	return size
}

// capped shortens a text from outside for the log.
func capped(text string) string {
	if len(text) <= logLimit {
		return text
	}
	return strings.ToValidUTF8(text[:logLimit], "") + "…"
}

// single returns the value of a header that may occur once, and whether it
// occurs once or not at all.
func single(h http.Header, name string) (string, bool) {
	values := h.Values(name)
	if len(values) == 0 {
		return "", true
	}
	return values[0], len(values) == 1
}
