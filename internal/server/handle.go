package server

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/cause"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/origin"
)

// headerLimit is the greatest size of all request headers together. net/http
// is given more, so that the refusal can be written here, as JSON.
const headerLimit = 16 << 10

const textHeaders = "the request headers are longer than 16 KiB"

var (
	errHeaders = errors.New("server: the request headers are too long")
	errPanic   = errors.New("server: a handler panicked")
)

// logLimit caps every text in a log record that comes from outside.
const logLimit = 512

// Identify tells the log who is asking, for Config.Upstream.
func Identify(r *http.Request, c *doorward.Claims) { endpoint.Identify(r, c.Subject, c.SessionID) }

// ServeHTTP answers one request: every phase that all endpoints share, in order.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.answer(w, r, (*Server).find) }

// serveAdmin answers one request on the listener of the admin API, in the same way.
func (s *Server) serveAdmin(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, (*Server).findAdmin)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, find func(*Server, *http.Request) *resource) {
	if next := s.successor.Load(); next != nil {
		next.answer(w, r, find)
		return
	}
	x, r := endpoint.Begin(w, r, s.locate)
	x.Pattern = s.notFound.pattern
	defer s.observe(r, x)
	defer s.logRequest(r, x)
	defer s.recoverPanic(r, x)
	if r.ContentLength != 0 {
		r.Body = &awaitedBody{r.Body, connOf(r)}
	}
	if r.ProtoMajor > 1 {
		conn := connOf(r)
		defer conn.end()
		if !conn.begin() {
			s.setSecurityHeaders(x.Header())
			s.fail(x, r, errTooManyRequests)
			return
		}
	}

	res := find(s, r)
	x.Pattern = strings.TrimSuffix(res.pattern, "{$}")
	if res == s.upstream && headerSize(r) <= headerLimit {
		s.cfg.Upstream.ServeHTTP(x, r)
		return
	}
	if res == s.forwardAuth {
		s.answerProxy(x, r)
		return
	}
	s.setSecurityHeaders(x.Header())
	if s.cors.write(x, r, res) {
		return
	}
	switch {
	case headerSize(r) > headerLimit:
		s.fail(x, r, &endpoint.Failure{
			Status: http.StatusRequestHeaderFieldsTooLarge, Code: "headers_too_large",
			Description: textHeaders,
		})
	case res == s.notFound:
		s.fail(x, r, endpoint.ErrNotFound)
	default:
		res.mux.ServeHTTP(x, r)
	}
}

// originOf says where a request comes from. If that cannot be told, the log says once which setting is missing.
func (s *Server) originOf(r *http.Request) origin.Origin {
	o := s.proxies.Of(r)
	if o.Hidden {
		s.hidden.Do(func() {
			s.log.LogAttrs(r.Context(), slog.LevelWarn,
				"a proxy in front is not trusted, so its clients have no limits of their own and the log does not know them: name it in trusted_proxies",
				slog.String("peer", o.Address()))
		})
	}
	return o
}

// answerProxy answers forward-auth. Limits are told in the proxy's own way too.
func (s *Server) answerProxy(x *endpoint.Exchange, r *http.Request) {
	if headerSize(r) <= headerLimit {
		s.cfg.ForwardAuth.ServeHTTP(x, r)
		return
	}
	s.cfg.ForwardAuth.Refuse(x, r, &doorward.Refusal{
		Status: http.StatusRequestHeaderFieldsTooLarge, Code: "headers_too_large", Description: textHeaders,
		Header: http.Header{"Cache-Control": {"no-store"}}, Err: errHeaders,
	})
}

// setSecurityHeaders sets the headers that every answer has. They are safe for an API
// and leave a browser that was led here with nothing to run, frame or keep.
func (s *Server) setSecurityHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.HasPrefix(s.origin, "https://") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// recoverPanic answers 500 for a panic and lets the process live. If the header was
// sent already the connection is cut, so that nobody takes half an answer for a whole one.
func (s *Server) recoverPanic(r *http.Request, x *endpoint.Exchange) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		connOf(r).breakOff(r)
		panic(v)
	}
	s.log.LogAttrs(r.Context(), slog.LevelError, "panic",
		slog.String("request_id", x.ID()), slog.String("route", x.Pattern),
		slog.String("panic", capped(fmt.Sprint(v))), slog.String("stack", string(debug.Stack())))
	if x.Status != 0 {
		connOf(r).breakOff(r)
		panic(http.ErrAbortHandler)
	}
	// The handler may have set headers for another answer, such as its length. Those of CORS let a page read this one.
	maps.DeleteFunc(x.Header(), func(name string, _ []string) bool {
		return !strings.HasPrefix(name, "Access-Control-") && name != "Vary"
	})
	s.setSecurityHeaders(x.Header())
	s.fail(x, r, errPanic)
}

// logRequest writes the one log record of a request. It has the route, but neither path
// nor query, which may hold what a client put there by mistake.
func (s *Server) logRequest(r *http.Request, x *endpoint.Exchange) {
	level := slog.LevelInfo
	if x.Quiet && x.Status < http.StatusBadRequest {
		level = slog.LevelDebug
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", capped(r.Method)),
		slog.String("route", x.Pattern),
		slog.Int("status", x.Status),
		slog.Float64("duration_ms", float64(time.Since(x.Started).Microseconds())/1000),
		slog.String("request_id", x.ID()),
		slog.String("remote", capped(x.Origin().Address())),
	}
	if x.Subject != "" {
		attrs = append(attrs, slog.String("sub", capped(x.Subject)))
	}
	if x.Session != "" {
		attrs = append(attrs, slog.String("sid", capped(x.Session)))
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
func capped(text string) string { return cause.Clip(text, logLimit) }
