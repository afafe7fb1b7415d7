package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/doorward/doorward/internal/admin"
	"github.com/doorward/doorward/internal/metrics"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
)

// shown is what a node shows of itself, and where. The zero one is off.
type shown struct {
	listener net.Listener
	*metrics.Metrics
}

// observer is nil while metrics are off.
func (s shown) observer() server.Observer {
	if s.Metrics == nil {
		return nil
	}
	return s.Metrics
}

func (n *node) closeBeside() {
	for _, ln := range []net.Listener{n.shown.listener, n.adminListener} {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

// listenMetrics opens the listener of the metrics, if one is wanted.
func (n *node) listenMetrics(ctx context.Context) error {
	if n.cfg.MetricsListen == "" {
		return nil
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", n.cfg.MetricsListen)
	if err != nil {
		return notListening(err, "--metrics 127.0.0.1:0", n.cfg.MetricsListen)
	}
	v := readVersion()
	n.shown = shown{ln, metrics.New(metrics.Build{Version: v.Version, Commit: v.Commit, Go: v.Go})}
	n.log.Info("metrics", "url", "http://"+ln.Addr().String()+"/metrics")
	return nil
}

// fillMetrics names what is read at each scrape.
func (n *node) fillMetrics(iss *issuer.Issuer) {
	m := n.shown.Metrics
	if m == nil {
		return
	}
	m.Passwords(n.hasher)
	m.Pools(n.store.Pools)
	m.Gauge("doorward_revocation_age_seconds", "Age of what this node knows of revocations.", func() float64 { return iss.RevocationAge().Seconds() })
	m.Gauge("doorward_clock_offset_seconds", "How far the store's clock is ahead of this node's.", func() float64 { return n.store.ClockOffset().Seconds() })
	m.Gauge("doorward_feed_followers", "Streams of revocations that are open.", func() float64 { return float64(n.feed.Followers()) })
}

// clockWatch tells the operator when this node's clock goes wrong, and when it is right again.
type clockWatch struct {
	store store
	log   *slog.Logger
	wrong bool
}

// look is called by one goroutine at a time.
func (c *clockWatch) look() {
	const tolerated = 10 * time.Second
	off := c.store.ClockOffset().Round(time.Second)
	switch wrong := off.Abs() > tolerated; {
	case wrong == c.wrong:
		return
	case wrong:
		c.log.Warn("the clock of this node differs from the database's; from 30 s on it answers 503 to tokens that are good, and is not ready", "ahead_of_node", off)
	default:
		c.log.Info("the clock of this node agrees with the database's again", "ahead_of_node", off)
	}
	c.wrong = !c.wrong
}

// listenAdmin opens the listener of the admin API, if it has one of its own.
func (n *node) listenAdmin(ctx context.Context) error {
	if n.cfg.AdminListen == "" {
		return nil
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", n.cfg.AdminListen)
	if err != nil {
		return notListening(err, "admin.listen: 127.0.0.1:0", n.cfg.AdminListen)
	}
	n.adminListener = ln
	n.log.Info("admin", "url", n.cfg.URL(ln.Addr().String())+n.cfg.Prefix+admin.Path)
	return nil
}

// answer serves on all listeners until ctx ends, or until one of them fails.
func (n *node) answer(ctx context.Context, srv *server.Server, ln net.Listener) error {
	serve := []func(context.Context) error{func(ctx context.Context) error { return srv.Serve(ctx, ln) }}
	if n.shown.listener != nil {
		serve = append(serve, func(ctx context.Context) error {
			return srv.ServeBeside(ctx, n.shown.listener, n.shown.Handler())
		})
	}
	if n.adminListener != nil {
		serve = append(serve, func(ctx context.Context) error { return srv.ServeAdmin(ctx, n.adminListener) })
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(serve))
	for _, s := range serve {
		go func() {
			defer stop()
			ended <- s(ctx)
		}()
	}
	var err error
	for range serve {
		err = errors.Join(err, <-ended)
	}
	return err
}
