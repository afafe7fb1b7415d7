package metrics

import (
	"database/sql"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/doorward/doorward/password"
)

// reading is one figure that is read at each scrape.
type reading struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func newReading(kind prometheus.ValueType, name, help string, labels ...string) reading {
	return reading{prometheus.NewDesc(name, help, labels, nil), kind}
}

func (r reading) send(ch chan<- prometheus.Metric, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(r.desc, r.kind, value, labels...)
}

var (
	slots   = newReading(prometheus.GaugeValue, "doorward_password_slots", "Passwords that can be hashed at once.")
	inUse   = newReading(prometheus.GaugeValue, "doorward_password_slots_in_use", "Passwords that are being hashed.")
	queue   = newReading(prometheus.GaugeValue, "doorward_password_queue_length", "Callers that wait to have a password hashed.")
	hashed  = newReading(prometheus.CounterValue, "doorward_password_hashes_total", "Passwords that were hashed.")
	refused = newReading(prometheus.CounterValue, "doorward_password_refused_total", "Callers turned away because the queue was full or slow.")
	waited  = newReading(prometheus.CounterValue, "doorward_password_wait_seconds_total", "Time that callers have waited, together.")
)

// hasher collects the figures of a password.Hasher.
type hasher struct{ *password.Hasher }

func (hasher) Describe(ch chan<- *prometheus.Desc) {
	for _, r := range []reading{slots, inUse, queue, hashed, refused, waited} {
		ch <- r.desc
	}
}

func (h hasher) Collect(ch chan<- prometheus.Metric) {
	s := h.Stats()
	slots.send(ch, float64(s.Slots))
	inUse.send(ch, float64(s.InUse))
	queue.send(ch, float64(s.Waiting))
	hashed.send(ch, float64(s.Hashed))
	refused.send(ch, float64(s.Refused))
	waited.send(ch, s.Waited.Seconds())
}

var (
	openConnections = newReading(prometheus.GaugeValue, "doorward_database_connections", "Open connections to the database.", "pool", "state")
	maxConnections  = newReading(prometheus.GaugeValue, "doorward_database_connections_max", "Connections that may be open; 0 is any number.", "pool")
	poolWaits       = newReading(prometheus.CounterValue, "doorward_database_waits_total", "How often somebody waited for a connection.", "pool")
	poolWaited      = newReading(prometheus.CounterValue, "doorward_database_wait_seconds_total", "Time waited for connections, together.", "pool")
)

// pools collects the figures of the database connections.
type pools func() map[string]sql.DBStats

func (pools) Describe(ch chan<- *prometheus.Desc) {
	for _, r := range []reading{openConnections, maxConnections, poolWaits, poolWaited} {
		ch <- r.desc
	}
}

func (read pools) Collect(ch chan<- prometheus.Metric) {
	for name, s := range read() {
		openConnections.send(ch, float64(s.InUse), name, "in_use")
		openConnections.send(ch, float64(s.Idle), name, "idle")
		maxConnections.send(ch, float64(s.MaxOpenConnections), name)
		poolWaits.send(ch, float64(s.WaitCount), name)
		poolWaited.send(ch, s.WaitDuration.Seconds(), name)
	}
}
