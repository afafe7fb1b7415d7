// Command tutorial serves the API that one of two well-known Flask tutorials builds,
// with what they leave as an exercise and without what they get wrong:
//
//	go run ./examples/tutorial -as first    # Flask-JWT-Extended: access_token, msg, Bearer
//	go run ./examples/tutorial -as second   # Flask, PyJWT and Flask-Cors: token, message, x-access-token
//
// The tutorials' clients work as they are. README.md has the list of what differs, and why.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "tutorial: error:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	var cfg config
	flags := flag.NewFlagSet("tutorial", flag.ContinueOnError)
	as := flags.String("as", "first", "whose API: `first|second`")
	listen := flags.String("listen", "127.0.0.1:5000", "`address` to listen on")
	flags.StringVar(&cfg.data, "data", "", "`folder` for the databases; a temporary one if empty")
	flags.StringVar(&cfg.origin, "origin", "", "the one `origin` whose scripts may call, such as https://app.example; none if empty")
	flags.BoolVar(&cfg.locations, "locations", false, "take tokens from cookies, JSON bodies and the query too, as Flask-JWT-Extended can")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if cfg.dialect, err = dialectNamed(*as); err != nil {
		return err
	}
	if cfg.data == "" {
		if cfg.data, err = os.MkdirTemp("", "tutorial-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.data)) }()
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	cfg.url = "http://" + listener.Addr().String()
	a, err := openApp(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	fmt.Fprintf(out, "the %s tutorial's API listens on %s\n", *as, cfg.url)
	return serve(ctx, listener, a)
}

// serve answers requests, and follows revocations and key rotation, until ctx ends.
func serve(ctx context.Context, listener net.Listener, a *app) error {
	server := newServer(a)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan error, 1)
	go func() {
		err := a.issuer.Run(ctx)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- errors.Join(err, server.Shutdown(grace))
	}()
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	cancel()
	return errors.Join(err, <-stopped)
}

// newServer bounds what one client may hold: time, and 16 KiB of headers.
func newServer(a *app) *http.Server {
	return &http.Server{
		Handler: a.handler(), MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}
}
