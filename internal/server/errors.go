package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/cause"
	"github.com/doorward/doorward/internal/challenge"
	"github.com/doorward/doorward/internal/endpoint"
)

// fail is the one place that writes a refusal, and that logs its reason. An answer that has begun
// is cut off instead.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := endpoint.FailureOf(err)
	x := endpoint.ExchangeOf(r)
	x.Refusal = cmp.Or(f.Reason, f.Code)
	id := doorward.RequestID(r.Context())
	level := slog.LevelInfo
	if f.Status >= http.StatusInternalServerError && f.Status != http.StatusNotImplemented { // 501 is the client's doing.
		level = slog.LevelError
	}
	gone := errors.Is(err, context.Canceled) && r.Context().Err() != nil
	if gone { // The client has gone, which is no failure of ours: nobody reads an answer.
		level, x.Refusal = slog.LevelInfo, "gone"
	}
	attrs := []slog.Attr{slog.String("request_id", id), slog.Int("status", f.Status), slog.String("error", f.Code)}
	s.log.LogAttrs(r.Context(), level, "refused", append(attrs, cause.Attrs(cause.With(f, "sub", x.Subject, "sid", x.Session))...)...)
	if gone || x.Status != 0 {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	for name, values := range f.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("Cache-Control", "no-store")
	h.Del("ETag")
	if f.Challenge != "" {
		h.Set("WWW-Authenticate", f.Challenge)
	} else if f.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", challenge.Bearer(endpoint.Realm))
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	endpoint.WriteJSON(w, f.Status, endpoint.ErrorBody{Error: f.Code, Description: f.Description, Reason: f.Reason, RequestID: id})
}
