package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The listener beside the main one is no way around its limits: connections and headers have theirs, slow peers give
// way to others, and it ends with its context.
func TestServeBeside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.direct = true })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	go func() { ended <- w.server.ServeBeside(ctx, l, hello) }()

	conns := make([]net.Conn, 65)
	for i := range conns {
		conns[i], err = net.Dial("tcp", l.Addr().String())
		must(t, err)
		_, err = io.WriteString(conns[i], "GET / HTTP/1.1\r\nX-Slow: ")
		must(t, err)
	}
	must(t, conns[0].SetReadDeadline(time.Now().Add(4*time.Second))) // before the time limit of a header
	if _, err := conns[0].Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the first of 65 connections is still open: %v", err)
	}
	for _, c := range conns {
		must(t, c.Close())
	}
	for header, want := range map[string]int{"x": 200, strings.Repeat("a", 64<<10): 431} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String(), http.NoBody)
		must(t, err)
		r.Header.Set("X-Long", header)
		got, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		must(t, err)
		must(t, got.Body.Close())
		if got.StatusCode != want {
			t.Errorf("a header of %d bytes: %d, want %d", len(header), got.StatusCode, want)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ServeBeside = %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}
