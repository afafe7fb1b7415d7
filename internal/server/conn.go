package server

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/endpoint"
)

// limitedConn is one connection. Its limit guards the fields after it. A nil one, of a request that Serve has not
// accepted, counts nothing.
type limitedConn struct {
	net.Conn
	reads, writes deadline
	limit         *connLimit
	active        bool          // it has a request
	requests      int           // under way, over HTTP/2
	bodies        int           // that requests wait for
	waits         *list.Element // nil while a request can go on
	gone          bool          // it does not count any more
}

func newLimitedConn(raw net.Conn, l *connLimit) *limitedConn {
	return &limitedConn{
		Conn: raw, limit: l,
		reads:  deadline{transfer: raw.Read, tell: raw.SetReadDeadline},
		writes: deadline{transfer: raw.Write, tell: raw.SetWriteDeadline},
	}
}

// Close closes the connection, which makes room for another.
func (c *limitedConn) Close() error {
	c.limit.mu.Lock()
	c.limit.forget(c)
	c.limit.mu.Unlock()
	return c.Conn.Close()
}

// Read reads until the deadline for it.
func (c *limitedConn) Read(p []byte) (int, error) { return c.reads.do(p) }

// Write writes until the deadline for it.
func (c *limitedConn) Write(p []byte) (int, error) { return c.writes.do(p) }

// SetReadDeadline says when reads give up.
func (c *limitedConn) SetReadDeadline(t time.Time) error { return c.reads.move(t) }

// SetWriteDeadline says when writes give up.
func (c *limitedConn) SetWriteDeadline(t time.Time) error { return c.writes.move(t) }

// SetDeadline says when reads and writes give up.
func (c *limitedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite is what net/http looks for to end an answer before it closes.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// begin counts a request on a connection of HTTP/2, until end, and reports whether it may go on. Such a connection may carry
// hundreds: beyond as many requests as there may be connections it has one at a time, as it would have with HTTP/1.1. So a
// few that are full of requests neither fill the memory nor shut out others.
func (c *limitedConn) begin() bool {
	if c == nil {
		return true
	}
	l := c.limit
	l.mu.Lock()
	defer l.mu.Unlock()
	c.requests++
	l.requests++
	l.settle(c)
	return c.requests == 1 || l.requests <= l.max
}

func (c *limitedConn) end() {
	if c == nil {
		return
	}
	l := c.limit
	l.mu.Lock()
	defer l.mu.Unlock()
	c.requests--
	l.requests--
	l.settle(c)
}

// awaitBodies notes that so many requests more wait for their bodies, or fewer.
func (c *limitedConn) awaitBodies(more int) {
	if c == nil {
		return
	}
	l := c.limit
	l.mu.Lock()
	defer l.mu.Unlock()
	c.bodies += more
	l.settle(c)
}

// awaitedBody is a body whose connection knows when it is waited for.
type awaitedBody struct {
	io.ReadCloser
	conn *limitedConn
}

// Read waits for the peer.
func (b *awaitedBody) Read(p []byte) (int, error) {
	b.conn.awaitBodies(1)
	defer b.conn.awaitBodies(-1)
	return b.ReadCloser.Read(p)
}

type connKey struct{}

// withConn is http.Server.ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, limitedOf(c))
}

// connOf returns the connection of a request, nil if Serve has not accepted it.
func connOf(r *http.Request) *limitedConn {
	c, _ := r.Context().Value(connKey{}).(*limitedConn)
	return c
}

// limitedOf returns what is below the connections that net/http knows, nil if Serve has not accepted them.
func limitedOf(c net.Conn) *limitedConn {
	switch c := c.(type) {
	case *plainConn:
		return c.limitedConn
	case *tls.Conn:
		conn, _ := c.NetConn().(*limitedConn)
		return conn
	}
	return nil
}

var errTooManyRequests = &endpoint.Failure{
	Status: http.StatusServiceUnavailable, Code: "busy", Description: "too many requests at once; try again shortly", RetryAfter: 2 * time.Second,
}

// breakOff lets the answer to r end with an error. In HTTP/1.0 the mere end of the connection is that of the answer, so
// half of one would be taken for the whole.
func (c *limitedConn) breakOff(r *http.Request) {
	if c == nil || r.ProtoAtLeast(1, 1) {
		return
	}
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // It may be closed already.
	}
	_ = c.Conn.Close() // TLS would first say that this is the end.
}
