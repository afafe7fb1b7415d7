// Package metrics shows what a server does, in the form that Prometheus reads. The values of
// labels come from fixed sets: no ID, name or path of a request is ever one.
package metrics

import (
	"database/sql"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/password"
)

// How a scrape is bounded.
const (
	scrapes       = 4 // at once
	scrapeTimeout = 10 * time.Second
)

// Metrics counts. It is a server.Observer, and safe for concurrent use.
type Metrics struct {
	registry      *prometheus.Registry
	requests      *prometheus.CounterVec
	duration      *prometheus.HistogramVec
	verifications *prometheus.CounterVec
	acts          map[string]*prometheus.CounterVec // by server.Answer.Act
}

// Build says what the binary is.
type Build struct{ Version, Commit, Go string }

// New returns metrics of this process, all at zero.
func New(b Build) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.requests = m.counter("doorward_requests_total", "Requests that were answered.", "route", "method", "status")
	m.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "doorward_request_duration_seconds", Help: "Time from a request's header to the end of its answer.",
		Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10},
	}, []string{"route"})
	m.registry.MustRegister(m.duration)
	m.verifications = m.counter("doorward_verifications_total", "Looks at an access token.", "result", "cached")
	m.acts = map[string]*prometheus.CounterVec{
		"login":   m.counter("doorward_logins_total", "Logins that were asked for.", "result"),
		"refresh": m.counter("doorward_refreshes_total", "Refreshes that were asked for.", "result"),
	}
	for _, c := range m.acts {
		c.WithLabelValues("ok")
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "doorward_build_info", Help: "What this binary is; always 1.",
	}, []string{"version", "commit", "go"})
	build.WithLabelValues(b.Version, b.Commit, b.Go).Set(1)
	m.registry.MustRegister(build)
	return m
}

// Answered implements server.Observer.
func (m *Metrics) Answered(a server.Answer) {
	m.requests.WithLabelValues(a.Route, a.Method, statusWord(a.Status)).Inc()
	m.duration.WithLabelValues(a.Route).Observe(a.Took.Seconds())
	if c, ok := m.acts[a.Act]; ok {
		c.WithLabelValues(a.Result).Inc()
	}
}

// Verified implements server.Observer.
func (m *Metrics) Verified(o doorward.Outcome) {
	m.verifications.WithLabelValues(o.Reason, strconv.FormatBool(o.Cached)).Inc()
}

// Gauge adds a gauge that shows what read returns at each scrape. It panics if the name is taken.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// Passwords shows how busy a hasher is.
func (m *Metrics) Passwords(h *password.Hasher) { m.registry.MustRegister(hasher{h}) }

// Pools shows the connections to the database, by the names of their pools.
func (m *Metrics) Pools(read func() map[string]sql.DBStats) { m.registry.MustRegister(pools(read)) }

// Handler answers GET /metrics, and nothing else.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		DisableCompression: true, MaxRequestsInFlight: scrapes, Timeout: scrapeTimeout,
	}))
	return mux
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

// statusWord returns the label for a status. An unknown status, which a program behind the gate may
// have made up, is "other", so that the number of labels stays bounded.
func statusWord(status int) string {
	switch {
	case status == 0:
		return "none"
	case http.StatusText(status) == "":
		return "other"
	}
	return strconv.Itoa(status)
}
