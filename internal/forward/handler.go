// Package forward answers proxies that people already run: they ask about each request, one
// by one, and pass it on themselves. What is decided is what [gate.Guard] decides; here is what
// nginx, Caddy, Traefik and Envoy each ask and can be told.
package forward

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/jwt"
)

// Config says what a [Handler] is. Guard and Path are required.
type Config struct {
	// Guard decides, and knows which peers may ask.
	Guard *gate.Guard
	// Path is what stands before a proxy's name in addresses, such as /auth/forward-auth/.
	Path string
	// Failures bounds how many tokens that the issuer never made are answered in a minute, from one
	// network and from all. Whoever sends more reads 429; a token that the issuer made is looked at
	// all the same. Nil means no bound. With a bound, requests must come through a server that uses
	// package endpoint.
	Failures *endpoint.Budget
	// Logger gets one record for each refusal, and one for each peer that may not ask. Nil discards them.
	Logger *slog.Logger
	// Identified, if set, is told who is asking, for the log.
	Identified func(*http.Request, *doorward.Claims)
}

// Handler answers proxies. It may be used concurrently.
type Handler struct {
	guard      *gate.Guard
	path       string
	failures   *endpoint.Budget // nil if there is none
	log        *slog.Logger
	untrusted  untrustedPeers
	identified func(*http.Request, *doorward.Claims)
}

// New checks cfg.
func New(cfg Config) (*Handler, error) {
	if cfg.Guard == nil || !strings.HasPrefix(cfg.Path, "/") || !strings.HasSuffix(cfg.Path, "/") {
		return nil, errors.New("forward: Config.Guard and Path, between slashes, are required")
	}
	h := &Handler{guard: cfg.Guard, path: cfg.Path, failures: cfg.Failures, log: cfg.Logger, identified: cfg.Identified}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.identified == nil {
		h.identified = func(*http.Request, *doorward.Claims) {}
	}
	return h, nil
}

// ServeHTTP answers whether the request that a proxy describes may pass: 200 with the
// headers for the upstream, or a refusal for the client.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, rest := h.proxy(r)
	switch {
	case p == nil:
		h.Refuse(w, r, gate.NewRefusal(http.StatusNotFound, "not_found", "there is nothing at this address", errProxy))
		return
	case !h.guard.Trusts(r.RemoteAddr):
		h.untrusted.warn(h.log, r.RemoteAddr)
		h.Refuse(w, r, gate.NewRefusal(http.StatusForbidden, "untrusted_proxy", "this peer may not ask; the server's log says how to allow it", errStranger))
		return
	}
	asked, err := p.read(r, rest)
	if err == nil {
		if name := h.guard.Disguised(r.Header); name != "" {
			err = fmt.Errorf("%w: %s", errDisguised, name)
		}
	}
	if err != nil {
		h.refuse(w, r, p, nil, gate.NewRefusal(http.StatusBadRequest, "invalid_request", "the proxy's question cannot be read in one way", err))
		return
	}
	h.decide(w, r, p, asked)
}

// Refuse refuses a request before ServeHTTP has seen it, in the way that its proxy understands.
func (h *Handler) Refuse(w http.ResponseWriter, r *http.Request, refusal *doorward.Refusal) {
	p, _ := h.proxy(r)
	h.refuse(w, r, p, nil, refusal)
}

// decide answers for a request as its client has sent it.
func (h *Handler) decide(w http.ResponseWriter, r *http.Request, p *proxy, asked *http.Request) {
	v := h.guard.Decide(asked)
	if v.Claims != nil {
		h.identified(r, v.Claims)
	}
	if v.Refusal == nil && isHandshake(asked) {
		v.Refusal = h.guard.Handshake(&v, asked)
	}
	if v.Refusal != nil {
		if wait := h.spend(r, v.Refusal); wait > 0 {
			v.Refusal = tooMany(wait, v.Refusal)
		}
		h.guard.SendToLogin(&v, asked, asked.URL.Scheme, asked.Host)
		if v.Vary != "" {
			w.Header().Set("Vary", v.Vary)
		}
		h.refuse(w, r, p, &v, v.Refusal)
		return
	}
	answer := w.Header()
	if !p.absentIsEmpty {
		h.guard.Blank(answer)
	}
	if refused := h.guard.Tell(answer, &v, asked); refused != nil {
		clear(answer)
		h.refuse(w, r, p, &v, refused)
		return
	}
	answer["Cache-Control"] = noStore
	if p.removesNamed {
		nameEmpty(answer)
	}
	w.WriteHeader(http.StatusOK)
}

// spend counts a token that the issuer never made, and returns how long its sender has to wait. A token
// that the issuer made is never counted: its holder must not suffer from what others in the network send.
func (h *Handler) spend(r *http.Request, refusal *doorward.Refusal) time.Duration {
	foreign := slices.ContainsFunc([]error{jwt.ErrMalformed, jwt.ErrKey, jwt.ErrSignature, jwt.ErrType}, func(err error) bool {
		return errors.Is(refusal.Err, err)
	})
	if h.failures == nil || !foreign {
		return 0
	}
	return h.failures.Take(endpoint.ExchangeOf(r).Origin().Network(), time.Now())
}

// tooMany returns the refusal, in the place of another, that tells the sender to wait.
func tooMany(wait time.Duration, instead *doorward.Refusal) *doorward.Refusal {
	limited := gate.NewRefusal(http.StatusTooManyRequests, "too_many_requests", "too many failures from this network, or from everywhere; wait, then try again", instead.Err)
	limited.Header.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return limited
}

var noStore = []string{"no-store"}

// isHandshake reports whether the client wants a WebSocket, or another protocol.
func isHandshake(asked *http.Request) bool { return len(asked.Header["Upgrade"]) > 0 }

// nameEmpty lists the headers without a value in the header in which Envoy is told what to remove.
func nameEmpty(answer http.Header) {
	var names []string
	for name, values := range answer {
		if len(values) == 1 && values[0] == "" {
			names = append(names, name)
		}
	}
	answer["X-Envoy-Auth-Headers-To-Remove"] = []string{strings.Join(names, ",")}
}
