// Command service is an HTTP API that checks tokens which a Doorward elsewhere has
// made. It holds no signing key and asks no database: it knows the issuer's
// public keys and what was revoked, both in memory.
//
// verifier.go is what to copy; this file is the program around it.
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
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/doorward/doorward"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "service: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("service", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8081", "`address` to listen on")
	secretFile := flags.String("secret-file", "", "`file` with the client secret")
	var s settings
	flags.StringVar(&s.issuer, "issuer", "http://127.0.0.1:8080", "`URL` of the Doorward that makes the tokens")
	flags.StringVar(&s.revocations, "revocations", "", "`URL` of its revocations (default the issuer's /revocations)")
	flags.StringVar(&s.audience, "audience", "orders", "`name` of this service in tokens")
	flags.StringVar(&s.clientID, "client", "", "`id` that doorward client add has printed")
	flags.DurationVar(&s.maxStaleness, "max-staleness", time.Minute, "how old the knowledge of revocations may grow")
	if err := flags.Parse(args); err != nil {
		return err
	}
	secret, err := os.ReadFile(*secretFile)
	if err != nil {
		return fmt.Errorf("-secret-file: %w", err)
	}
	s.clientSecret = strings.TrimSpace(string(secret))
	c, err := newChecker(s)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())
	return serve(ctx, listener, c)
}

// serve answers requests, and follows keys and revocations, until ctx ends.
func serve(ctx context.Context, listener net.Listener, c *checker) error {
	server := &http.Server{
		Handler: routes(c), MaxHeaderBytes: 16 << 10,
		ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	all.Go(func() { c.follow(following) })
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		// A connection on which nothing was ever asked counts as idle after 5 s.
		grace, cancel := context.WithTimeout(following, 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(grace)
		stop()
	}()
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	cancel()
	all.Wait()
	return errors.Join(err, <-stopped)
}

func routes(c *checker) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /orders", c.verifier.Require()(http.HandlerFunc(orders)))
	// While revocations are out of date, a token younger than 10 s may still read the menu.
	mux.Handle("GET /menu", c.verifier.Require(doorward.YoungWhenStale(10*time.Second))(http.HandlerFunc(orders)))
	mux.HandleFunc("GET /readyz", c.readyz)
	return mux
}

func orders(w http.ResponseWriter, r *http.Request) {
	claims, _ := doorward.ClaimsFrom(r.Context())
	fmt.Fprintf(w, "for %s\n", claims.Subject)
}
