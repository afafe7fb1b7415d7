package main

import (
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/internal/admin"
	"github.com/doorward/doorward/internal/metrics"
	"github.com/doorward/doorward/internal/server"
)

// listen opens the listener and settles what depends on its address.
func (n *node) listen(ctx context.Context) (net.Listener, error) {
	ln, err := listenAt(ctx, n.Config.Listen, "--listen 127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n.address = ln.Addr().String()
	n.Config.Resolve(n.address)
	return ln, nil
}

// listenAt opens a listener, or says why there is none. Free is the setting of any port that is free.
func listenAt(ctx context.Context, address, free string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	if err == nil {
		return ln, nil
	}
	hint := ""
	if errors.Is(err, syscall.EADDRINUSE) {
		hint = "ss -ltnp shows the program that listens there; " + free + " takes any free port"
	}
	return nil, failure.Failed(err, hint, "cannot listen on %s: %v", address, errors.Unwrap(err))
}

// listenMetrics opens the listener of the metrics, if one is wanted.
func (n *node) listenMetrics(ctx context.Context) error {
	if n.Config.MetricsListen == "" {
		return nil
	}
	ln, err := listenAt(ctx, n.Config.MetricsListen, "--metrics 127.0.0.1:0")
	if err != nil {
		return err
	}
	v := readVersion()
	n.metrics = metricsServer{ln, metrics.New(metrics.Build{Version: v.Version, Commit: v.Commit, Go: v.Go})}
	n.log.Info("metrics", "url", "http://"+ln.Addr().String()+"/metrics")
	return nil
}

// listenAdmin opens the listener of the admin API, if it has one of its own.
func (n *node) listenAdmin(ctx context.Context) error {
	if n.Config.AdminListen == "" {
		return nil
	}
	ln, err := listenAt(ctx, n.Config.AdminListen, "admin.listen: 127.0.0.1:0")
	if err != nil {
		return err
	}
	n.adminListener = ln
	n.log.Info("admin", "url", n.Config.URL(ln.Addr().String())+n.Config.Prefix+admin.Path)
	return nil
}

// closeListeners closes the listeners of the metrics and of the admin API, where there are any.
func (n *node) closeListeners() {
	for _, ln := range []net.Listener{n.metrics.listener, n.adminListener} {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

// serveAll serves on all listeners until ctx ends, or until one of them fails.
func (n *node) serveAll(ctx context.Context, srv *server.Server, ln net.Listener) error {
	serve := []func(context.Context) error{func(ctx context.Context) error { return srv.Serve(ctx, ln) }}
	if n.metrics.listener != nil {
		serve = append(serve, func(ctx context.Context) error {
			return srv.ServeBeside(ctx, n.metrics.listener, n.metrics.Handler())
		})
	}
	if n.adminListener != nil {
		serve = append(serve, func(ctx context.Context) error { return srv.ServeAdmin(ctx, n.adminListener) })
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(serve))
	for _, s := range serve {
		go func() {
			defer stop()
			ended <- s(ctx)
		}()
	}
	var err error
	for range serve {
		err = errors.Join(err, <-ended)
	}
	return err
}
