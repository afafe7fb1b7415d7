package server

import (
	"container/list"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/endpoint"
)

// connLimit is a listener that keeps at most max connections open. When another
// comes, the one that has waited longest for its peer is closed for it: a keep-alive
// connection without a request, one that sends its request header slowly, or one whose
// requests all wait for their bodies. So slow peers, however many, delay nobody. If every
// connection has a request that can go on, the new one is refused.
type connLimit struct {
	net.Listener
	max int
	log *slog.Logger
	tls bool

	mu       sync.Mutex // guards what follows
	open     int
	waiting  *list.List // of *limitedConn, longest first
	requests int        // under way over HTTP/2
}

func newConnLimit(l net.Listener, most int, log *slog.Logger, tls bool) *connLimit {
	return &connLimit{Listener: l, max: most, log: log, tls: tls, waiting: list.New()}
}

// Accept returns the next connection that may stay.
func (l *connLimit) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, victim := l.admit(raw)
		if victim != nil {
			_ = victim.Close() // It was given up; how it ends does not matter.
		}
		if conn == nil {
			l.turnAway(raw)
			continue
		}
		if l.tls {
			return conn, nil
		}
		return &plainConn{limitedConn: conn}, nil
	}
}

// admit counts a connection, and returns the one that must give way for it.
func (l *connLimit) admit(raw net.Conn) (conn, victim *limitedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.max {
		first := l.waiting.Front()
		if first == nil {
			return nil, nil
		}
		victim = first.Value.(*limitedConn)
		l.forget(victim)
	}
	conn = newLimitedConn(raw, l)
	conn.waits = l.waiting.PushBack(conn)
	l.open++
	return conn, victim
}

// forget no longer counts a connection. l.mu is held.
func (l *connLimit) forget(conn *limitedConn) {
	if conn.gone {
		return
	}
	conn.gone = true
	l.open--
	if conn.waits != nil {
		l.waiting.Remove(conn.waits)
		conn.waits = nil
	}
}

// turnAway answers 503 to a connection for which there is no room.
func (l *connLimit) turnAway(raw net.Conn) {
	id := rand.Text()
	l.log.Warn("refused", slog.String("request_id", id), slog.Int("status", http.StatusServiceUnavailable),
		slog.String("error", "busy"), slog.String("reason", "every connection has a request under way"))
	if !l.tls {
		refusal := endpoint.ErrorBody{Error: "busy", Description: "too many connections; try again shortly", RequestID: id}
		_ = raw.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = raw.Write(wireRefusal(http.StatusServiceUnavailable, refusal, "Retry-After: 2\r\n"))
	}
	_ = raw.Close() // How it ends does not matter.
}

// changed is http.Server.ConnState: it tells who waits for their peer.
func (l *connLimit) changed(c net.Conn, state http.ConnState) {
	conn := limitedOf(c)
	if conn == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateActive:
		conn.active = true
	case http.StateIdle:
		conn.active = false
	}
	l.settle(conn)
}

// settle enters a connection among those that wait for their peer, or strikes it out. l.mu is held.
func (l *connLimit) settle(conn *limitedConn) {
	waits := !conn.active || conn.bodies >= max(1, conn.requests)
	switch {
	case conn.gone:
	case waits && conn.waits == nil:
		conn.waits = l.waiting.PushBack(conn)
	case !waits && conn.waits != nil:
		l.waiting.Remove(conn.waits)
		conn.waits = nil
	}
}
