package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/endpoint"
)

func (s *Server) livezRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: "/livez", Quiet: true, Handle: s.livez}
}

func (s *Server) readyzRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: "/readyz", Quiet: true, Handle: s.readyz}
}

type healthAnswer struct {
	Status string `json:"status"`
}

// livez says that the process answers. It asks for nothing.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) error {
	endpoint.WriteJSON(w, http.StatusOK, healthAnswer{Status: "alive"})
	return nil
}

// readyz says that this node can serve: it is not stopping, its store and its
// upstream answer, what it knows of revocations is fresh, and its clock is right enough.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkReady(r.Context()); err != nil {
		return &endpoint.Failure{
			Status: http.StatusServiceUnavailable, Code: "not_ready",
			Description: "this node cannot serve now", RetryAfter: time.Second, Cause: err, Reason: reasonNotReady(err),
		}
	}
	endpoint.WriteJSON(w, http.StatusOK, healthAnswer{Status: "ready"})
	return nil
}

func (s *Server) checkReady(ctx context.Context) error {
	if s.draining.Load() {
		return errStopping
	}
	if off := s.cfg.ClockOffset(); off.Abs() > clockTolerance {
		return fmt.Errorf("%w: the store's is %s ahead", doorward.ErrClock, off.Round(time.Second))
	}
	if age := s.cfg.Issuer.RevocationAge(); age >= s.cfg.MaxStaleness {
		return fmt.Errorf("%w: last read %s ago", doorward.ErrStale, age.Round(time.Millisecond))
	}
	return s.ready.ask(ctx, func(ctx context.Context) error {
		_, err := s.cfg.Issuer.KeyList(ctx)
		if err == nil && s.cfg.UpstreamReady != nil {
			err = s.cfg.UpstreamReady(ctx)
		}
		return err
	})
}

var errStopping = errors.New("server: stopping")

// reasonNotReady is the "reason" in the answer of /readyz.
func reasonNotReady(err error) string {
	switch {
	case errors.Is(err, errStopping):
		return "stopping"
	case errors.Is(err, doorward.ErrStale):
		return "stale"
	case errors.Is(err, doorward.ErrClock):
		return "clock"
	}
	return "unavailable"
}

// readiness keeps the last answer for a second: however often /readyz is asked, the store
// and the upstream are asked once a second.
type readiness struct {
	mu   sync.Mutex // guards what follows, and lets one question through at a time
	at   time.Time
	last error
}

func (p *readiness) ask(ctx context.Context, question func(context.Context) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.at.IsZero() && time.Since(p.at) < time.Second {
		return p.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	p.last = question(ctx)
	p.at = time.Now()
	return p.last
}
