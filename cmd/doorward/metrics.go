package main

import (
	"net"

	"github.com/doorward/doorward/internal/metrics"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
)

// metricsServer is the metrics of a node and the listener that shows them. The zero one is off.
type metricsServer struct {
	listener net.Listener
	*metrics.Metrics
}

// observer is nil while metrics are off.
func (s metricsServer) observer() server.Observer {
	if s.Metrics == nil {
		return nil
	}
	return s.Metrics
}

// fillMetrics names what is read at each scrape.
func (n *node) fillMetrics(iss *issuer.Issuer) {
	m := n.metrics.Metrics
	if m == nil {
		return
	}
	m.Passwords(n.Hasher)
	m.Pools(n.Store.Pools)
	m.Gauge("doorward_revocation_age_seconds", "Age of what this node knows of revocations.", func() float64 { return iss.RevocationAge().Seconds() })
	m.Gauge("doorward_clock_offset_seconds", "How far the store's clock is ahead of this node's.", func() float64 { return n.Store.ClockOffset().Seconds() })
	m.Gauge("doorward_feed_followers", "Streams of revocations that are open.", func() float64 { return float64(n.feed.Followers()) })
}
