package server

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/endpoint"
)

// streams bounds the requests under way on the connections of HTTP/2 of one listener, of which each may carry hundreds.
// Beyond max a connection has one at a time, as it would have with HTTP/1.1: so a few that are full of requests
// neither fill the memory nor shut out others.
type streams struct {
	max int64
	all atomic.Int64
}

// carrier is one connection.
type carrier struct {
	of  *streams
	own atomic.Int64
}

type carrierKey struct{}

// carry is http.Server.ConnContext.
func (s *streams) carry(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, carrierKey{}, &carrier{of: s})
}

// carrierOf returns the connection of a request, nil if that can carry no other beside it.
func carrierOf(r *http.Request) *carrier {
	if r.ProtoMajor < 2 {
		return nil
	}
	c, _ := r.Context().Value(carrierKey{}).(*carrier)
	return c
}

// begin counts a request, until end, and reports whether it may go on.
func (c *carrier) begin() bool {
	if c == nil {
		return true
	}
	own, all := c.own.Add(1), c.of.all.Add(1)
	return own == 1 || all <= c.of.max
}

func (c *carrier) end() {
	if c != nil {
		c.own.Add(-1)
		c.of.all.Add(-1)
	}
}

var errStreams = &endpoint.Failure{
	Status: http.StatusServiceUnavailable, Code: "busy", Description: "too many requests at once; try again shortly", RetryAfter: 2 * time.Second,
}
