package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// How long a connection may take for what.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 60 * time.Second
)

// connectionsBeside is how many connections ServeBeside has open at most.
const connectionsBeside = 64

// HTTPServer returns a server with this Server's handler, its limits and its log.
// It does not cap connections; Serve does.
func (s *Server) HTTPServer() *http.Server {
	server := s.limited(s)
	if s.cfg.Feed != nil {
		server.RegisterOnShutdown(s.cfg.Feed.Close) // A stream would never finish by itself.
	}
	if s.cfg.H2C {
		server.Protocols = new(http.Protocols)
		server.Protocols.SetHTTP1(true)
		server.Protocols.SetUnencryptedHTTP2(true)
	}
	return s.encrypted(server)
}

// encrypted makes a server speak TLS where this one does.
func (s *Server) encrypted(server *http.Server) *http.Server {
	if s.cfg.TLS != nil {
		server.TLSConfig = s.cfg.TLS.Clone()
		server.TLSConfig.MinVersion = max(server.TLSConfig.MinVersion, tls.VersionTLS12)
	}
	return server
}

// limited is a server of a handler with our limits and our log.
func (s *Server) limited(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    2 * headerLimit,
		ErrorLog:          log.New(notices{s.log}, "", 0),

		DisableGeneralOptionsHandler: true,
	}
}

// notices logs what net/http says. A handshake that fails is the doing of whoever connected, such as a health check that
// says nothing or a scan of ports, and no reason to wake anybody.
type notices struct{ log *slog.Logger }

func (n notices) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	if bytes.HasPrefix(line, []byte("http: TLS handshake error")) {
		level = slog.LevelInfo
	}
	n.log.Log(context.Background(), level, string(bytes.TrimSpace(line)))
	return len(line), nil
}

// Serve answers on l until ctx ends, then stops: /readyz turns to 503, no more
// connections are accepted, and requests under way may finish within
// Config.Grace. It closes l. It returns nil after a stop, also if requests were cut off: one slow client makes no failure.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, l, s.HTTPServer(), s.cfg.Connections)
}

// ServeBeside answers with h, in plain HTTP, on a listener beside the one of Serve. The limits
// are the same, but for the connections, of which there are 64 at most. It ends as
// Serve does.
func (s *Server) ServeBeside(ctx context.Context, l net.Listener, h http.Handler) error {
	return s.serve(ctx, l, s.limited(h), connectionsBeside)
}

// ServeAdmin answers the admin API on a listener beside the one of Serve, with TLS where that has
// it. Limits and end are those of ServeBeside. Config.AdminApart is needed.
func (s *Server) ServeAdmin(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, l, s.encrypted(s.limited(http.HandlerFunc(s.serveAdmin))), connectionsBeside)
}

func (s *Server) serve(ctx context.Context, l net.Listener, server *http.Server, connections int) error {
	limited := newConnLimit(l, connections, s.log, server.TLSConfig != nil)
	server.ConnState = limited.changed
	server.ConnContext = withConn
	served := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			served <- server.ServeTLS(limited, "", "")
			return
		}
		served <- server.Serve(limited)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.Drain()
	err := s.stop(afterCommit(ctx), server)
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

func (s *Server) stop(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Grace)
	defer cancel()
	err := server.Shutdown(ctx)
	if err == nil {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("requests were cut off", "after", s.cfg.Grace.String())
		err = nil
	}
	return errors.Join(err, server.Close())
}
