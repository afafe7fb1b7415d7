package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

// serveSettings are the settings that serve has flags for.
var serveSettings = []string{"listen", "metrics.listen", "issuer", "audience", "access_ttl", "tls.cert", "tls.key", "insecure_http"}

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server. In an empty data folder it makes a master key, signing keys and
the user admin with a random password, which it shows on a terminal and otherwise
writes to DIR/admin-password. Until that password is changed it gives no admin
rights, and after 24 hours it stops working; "doorward user passwd admin" makes
another.

SIGTERM and SIGINT end it: /readyz turns to 503, requests under way have 15
seconds to finish, and the exit code is 0. Several servers may run on one data
folder of one machine; give them the same --issuer.`,
		Example: `  doorward serve
  doorward serve --listen 0.0.0.0:8443 --issuer https://auth.example.com --tls-cert chain.pem --tls-key key.pem
  doorward serve --listen 10.0.0.5:8080 --issuer https://auth.example.com --insecure-http`,
		Args: want(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd, false)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return a.serve(ctx, cfg)
		},
	}
	addFlags(cmd, serveSettings...)
	return cmd
}

// serve runs until ctx ends.
func (a *app) serve(ctx context.Context, cfg *config.Config) error {
	log := newLogger(a.errs, cfg)
	for _, name := range config.Unknown(os.Environ()) {
		log.Warn("this environment variable means nothing here", "name", name)
	}
	f := folder{a, cfg}
	if err := cfg.CheckSecrets(); err != nil {
		return err
	}
	tlsConfig, err := listenerTLS(cfg, log)
	if err != nil {
		return err
	}
	if err := f.make(); err != nil {
		return err
	}
	key, err := f.masterKeyOrNew()
	if err != nil {
		return err
	}
	b, err := openBackend(ctx, f)
	if err != nil {
		return err
	}
	n := &node{app: a, backend: b, log: log, tls: tlsConfig}
	return errors.Join(n.run(ctx, key), b.store.Close())
}

// node is one running server.
type node struct {
	*backend
	app   *app
	log   *slog.Logger
	tls   *tls.Config // nil for plain HTTP
	shown shown
}

func (n *node) run(ctx context.Context, key issuer.MasterKey) error {
	ln, err := n.listen(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }()
	if err := n.listenMetrics(ctx); err != nil {
		return err
	}
	defer n.shown.close()
	n.feed = feed.New(n.store)
	iss, err := n.issuer(ctx, key, n.log)
	if err != nil {
		return err
	}
	srv, err := n.server(iss)
	if err != nil {
		return err
	}
	if last := n.cfg.LastIssuer(); last != "" && last != n.cfg.Issuer {
		n.log.Warn("the last serve on this data folder had another issuer: its access tokens are refused here, and several servers need one --issuer",
			"last", last, "issuer", n.cfg.Issuer)
	}
	if err := writeOver(n.cfg.ServingPath(), n.cfg.Serving()); err != nil {
		return failed(err, "", "cannot write to the data folder: %v", err)
	}
	if err := n.firstAdmin(ctx); err != nil {
		return err
	}
	n.fillMetrics(iss)
	stop := ignoreHangup(n.log)
	defer stop()
	n.log.Info("serving", "url", n.cfg.URL(ln.Addr().String()), "issuer", n.cfg.Issuer, "data", n.cfg.Data, "version", readVersion().Version)
	return n.work(ctx, iss, srv, ln)
}

// work serves until ctx ends. The issuer follows the store until the last request is answered.
func (n *node) work(ctx context.Context, iss *issuer.Issuer, srv *server.Server, ln net.Listener) error {
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- iss.Run(following) }()
	err := n.answer(ctx, srv, ln)
	stop()
	err = errors.Join(err, <-done)
	if err == nil {
		n.log.Info("stopped")
	}
	return err
}

// listen opens the listener and settles what depends on its address.
func (n *node) listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", n.cfg.Listen)
	if err != nil {
		return nil, notListening(err, "--listen", n.cfg.Listen)
	}
	n.cfg.Resolve(ln.Addr().String())
	return ln, nil
}

// notListening says why a listener cannot be had.
func notListening(err error, flag, address string) error {
	hint := ""
	if errors.Is(err, syscall.EADDRINUSE) {
		hint = "another program listens there; " + flag + " 127.0.0.1:0 takes any free port"
	}
	return failed(err, hint, "cannot listen on %s: %v", address, errors.Unwrap(err))
}

func (n *node) server(iss *issuer.Issuer) (*server.Server, error) {
	srv, err := server.New(server.Config{
		Issuer: iss, People: n.people, Clients: n.clients(), Feed: n.feed, Audiences: n.cfg.Audiences,
		RecentLogin: n.cfg.RecentLogin, Prefix: n.cfg.Prefix, TokenField: n.cfg.TokenField, TokenHeader: n.cfg.TokensHeader,
		Origins: n.cfg.CORSOrigins, CredentialOrigins: n.cfg.CORSCredentials, Observer: n.shown.observer(),
		TLS: n.tls, Connections: n.cfg.Connections, Logger: n.log,
	})
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	return srv, nil
}

// ignoreHangup keeps SIGHUP, which a closed terminal sends, from ending the
// process. The function that it returns ends that and waits.
func ignoreHangup(log *slog.Logger) func() {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangups {
			log.Info("SIGHUP is ignored: settings are read at the start, and certificates when their files change")
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}
