package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/endpoint"
)

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

var errStreams = &endpoint.Failure{
	Status: http.StatusServiceUnavailable, Code: "busy", Description: "too many requests at once; try again shortly", RetryAfter: 2 * time.Second,
}
