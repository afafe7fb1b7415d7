package main

import (
	"context"
	"errors"
	"net"

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

func (s shown) close() {
	if s.listener != nil {
		_ = s.listener.Close()
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
		return notListening(err, "--metrics", n.cfg.MetricsListen)
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
	m.Gauge("doorward_feed_followers", "Streams of revocations that are open.", func() float64 { return float64(n.feed.Followers()) })
}

// answer serves on both listeners until ctx ends, or until one of them fails.
func (n *node) answer(ctx context.Context, srv *server.Server, ln net.Listener) error {
	if n.shown.listener == nil {
		return srv.Serve(ctx, ln)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	beside := make(chan error, 1)
	go func() {
		defer stop()
		beside <- srv.ServeBeside(ctx, n.shown.listener, n.shown.Handler())
	}()
	err := srv.Serve(ctx, ln)
	stop()
	return errors.Join(err, <-beside)
}
