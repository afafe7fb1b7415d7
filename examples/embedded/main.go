// Command embedded is an HTTP API with a users table of its own that makes and
// checks its own tokens, in one process and without any server beside it.
//
// Everything that concerns tokens is in api.go, everything that concerns people in
// users.go; this file puts them together.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "embedded: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("embedded", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8081", "`address` to listen on")
	data := flags.String("data", "embedded-data", "`folder` for the two databases and the master key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	url := "http://" + listener.Addr().String() // In production: the https URL that your clients call.

	people, err := openUsers(ctx, *data, out)
	if err != nil {
		return err
	}
	defer people.db.Close()
	store, err := sqlite.Open(ctx, filepath.Join(*data, "sessions.db"))
	if err != nil {
		return err
	}
	defer store.Close()
	key, err := masterKey(filepath.Join(*data, "master.key"))
	if err != nil {
		return err
	}
	iss, err := issuer.New(ctx, issuer.Config{Issuer: url, Store: store, MasterKey: key, Subjects: people})
	if err != nil {
		return err
	}
	verifier, err := doorward.NewVerifier(doorward.Config{
		Issuer: url, Audience: url, Keys: iss.Keys(), Revocations: iss.Revocations(),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "listening on", url)
	return serve(ctx, listener, iss, routes(&api{people, iss, verifier}))
}

// routes is the whole API: three endpoints that deal in tokens, one that asks for one.
func routes(a *api) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", a.handler(a.login))
	mux.HandleFunc("POST /refresh", a.handler(a.refresh))
	mux.HandleFunc("POST /logout", a.handler(a.logout))
	mux.Handle("GET /orders", a.verifier.Require(doorward.HasScope("orders:read"))(http.HandlerFunc(orders)))
	return mux
}

// serve answers requests, and follows revocations and key rotation, until ctx ends.
func serve(ctx context.Context, listener net.Listener, iss *issuer.Issuer, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, MaxHeaderBytes: 16 << 10,
		ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	followed := make(chan error, 1)
	go func() {
		followed <- iss.Run(ctx)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		followed <- server.Shutdown(grace)
	}()
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	cancel()
	return errors.Join(err, <-followed)
}

// masterKey reads the key under which the signing keys are sealed, and makes it at
// the first start. Keep it apart from backups of the database: only both together
// can make tokens.
func masterKey(path string) (issuer.MasterKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := issuer.GenerateMasterKey()
		return key, os.WriteFile(path, []byte(key.Text()+"\n"), 0o600)
	}
	if err != nil {
		return issuer.MasterKey{}, err
	}
	return issuer.ParseMasterKey(string(text))
}
