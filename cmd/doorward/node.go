package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/backup"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/reference"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

// node is one running server.
type node struct {
	*backend.Backend

	shell   shell.Shell
	log     *slog.Logger
	level   *slog.LevelVar // of log
	tls     *tls.Config    // nil for plain HTTP
	master  issuer.MasterKey
	metrics metricsServer

	address       string       // of the listener
	adminListener net.Listener // nil without one of its own
	connections   int          // open at once, at most

	hangups <-chan os.Signal               // ask for read; one may have come before the server was ready for it
	read    func() (*config.Config, error) // the configuration, again
	feed    *feed.Feed                     // of revocations
	streams *gate.Streams                  // that are open to the upstream
	keys    *account.APIKeys
	sealer  *audit.Sealer
	copies  *backup.Folder // of the store; nil for a database
}

func (n *node) run(ctx context.Context) error {
	ln, err := n.listen(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }()
	defer n.closeListeners()
	if err := n.listenMetrics(ctx); err != nil {
		return err
	}
	if err := n.listenAdmin(ctx); err != nil {
		return err
	}
	n.feed = feed.New(sqlstore.FeedIn(n.Store.Shared))
	iss, err := n.newIssuer(ctx)
	if err != nil {
		return err
	}
	n.sealer, err = audit.NewSealer(audit.Config{
		Store: n.Store.Audit, MasterKey: n.master, Retention: n.Config.AuditRetention, KeyTTL: n.Config.KeyLifetime, Logger: n.log,
	})
	if err != nil {
		return err
	}
	n.streams = gate.NewStreams(iss, n.log)
	n.keys, n.copies = n.APIKeys(), backups(n.Backend)
	n.connections = n.affordable()
	srv, proxy, err := n.server(n.Config, iss)
	if err != nil {
		return err
	}
	if err := n.takeOver(ctx); err != nil {
		return err
	}
	if err := n.firstAdmin(ctx); err != nil {
		return err
	}
	n.fillMetrics(iss)
	r := &reloader{node: n, issuer: iss, server: srv, proxy: proxy}
	defer r.follow(ctx)()
	if proxy != nil {
		n.log.Info("guarding", "upstream", n.Config.Upstream, "routes", len(n.Config.Routes), "hidden", srv.Paths())
	}
	if proxy == nil && len(n.Config.TrustedProxies) > 0 {
		n.log.Info("answering forward-auth", "routes", len(n.Config.Routes), "default", n.Config.RoutesDefault)
	}
	n.log.Info("serving", "url", n.Config.URL(n.address), "issuer", n.Config.Issuer, storeAttr(n.Config), "version", readVersion().Version)
	return n.work(ctx, iss, srv, ln)
}

// newIssuer makes the issuer, which tells the feed and the watch of the clock what it reads.
func (n *node) newIssuer(ctx context.Context) (*issuer.Issuer, error) {
	cfg, clock := n.IssuerConfig(n.master, n.log), clockWatch{store: n.Store, log: n.log}
	cfg.Followed = func(page issuer.RevocationPage) {
		n.feed.Publish(page)
		clock.look()
	}
	return n.NewIssuer(ctx, cfg)
}

// affordable is limits.connections, or half of the files that this process may have open. The other half is for the store and
// the upstream, which must not fail because many strangers connect.
func (n *node) affordable() int {
	files := openFiles()
	if n.Config.Connections <= files/2 {
		return n.Config.Connections
	}
	n.log.Warn("fewer connections are accepted than limits.connections says, since this process may not have so many files open",
		"connections", files/2, "files", files, "hint", "raise LimitNOFILE= of the systemd unit, or ulimit -n")
	return files / 2
}

// takeOver compares the settings with those that the last serve left, and leaves its own.
func (n *node) takeOver(ctx context.Context) error {
	last, err := n.LastServing(ctx)
	if err != nil {
		return err
	}
	if issuer := n.Config.LastIssuer(last); issuer != "" && issuer != n.Config.Issuer {
		n.log.Warn("the last serve on this store had another issuer: its access tokens are refused here, and several servers need one --issuer",
			"last", issuer, "issuer", n.Config.Issuer)
	}
	n.leave(ctx, n.Config)
	return nil
}

// leave leaves what commands beside this server need. The server itself does not need it: on a full disk it checks tokens
// all the same.
func (n *node) leave(ctx context.Context, cfg *config.Config) {
	if err := n.LeaveServing(ctx, cfg.Serving()); err != nil {
		n.log.Warn("the settings cannot be left for the commands beside this server, which use those of an earlier one", "err", err, "hint", "SIGHUP tries again")
	}
}

// work serves until ctx ends and the server has drained. Streams end then, too, but the issuer follows the store until
// the last request is answered.
func (n *node) work(ctx context.Context, iss *issuer.Issuer, srv *server.Server, ln net.Listener) error {
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- iss.Run(following) }()
	var sealing sync.WaitGroup
	sealing.Go(func() { n.sealer.Run(following) })
	serving, end := n.drained(ctx, srv)
	var streaming sync.WaitGroup
	streaming.Go(func() { n.streams.Run(serving) })
	streaming.Go(func() { n.keys.Run(serving) })
	err := n.serveAll(serving, srv, ln)
	end()
	stop()
	err = errors.Join(err, <-done)
	streaming.Wait()
	sealing.Wait()
	if err == nil {
		n.log.Info("stopped")
	}
	return err
}

// drained returns a context that outlasts ctx by the time in which load balancers learn from /readyz that they must send no more.
// Until then whoever comes is served. The function ends it at once.
func (n *node) drained(ctx context.Context, srv *server.Server) (context.Context, context.CancelFunc) {
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		srv.Drain()
		time.AfterFunc(n.Config.Drain, end)
	})
	return serving, end
}

// server makes the endpoints and, where there is an upstream, the gate before it.
func (n *node) server(cfg *config.Config, iss *issuer.Issuer) (*server.Server, *gate.Proxy, error) {
	keys := apikey.New(apikey.Config{
		Keys: n.keys, Issuer: iss, Header: cfg.APIKeysHeader, TokenHeader: cfg.TokensHeader, Proxies: cfg.Networks(),
	})
	guard, err := n.guard(cfg, iss, keys)
	if err != nil {
		return nil, nil, err
	}
	proxy, err := n.proxy(cfg, guard)
	if err != nil {
		return nil, nil, err
	}
	others, err := n.forwardAuth(cfg, guard)
	if err != nil {
		return nil, nil, err
	}
	api, err := n.adminAPI(cfg, iss)
	if err != nil {
		return nil, nil, err
	}
	clients := account.NewClients(account.ClientsConfig{Store: n.Store.Accounts, Failures: cfg.ClientFailures.Limits()})
	set := server.Config{
		Admin: api.Routes(), AdminApart: cfg.AdminListen != "",
		Issuer: iss, People: n.People, Clients: clients, Feed: n.feed, Audiences: cfg.Audiences,
		MaxStaleness: cfg.MaxStaleness, YoungWhenStale: cfg.YoungWhenStale(), ClockOffset: n.Store.ClockOffset,
		RecentLogin: cfg.RecentLogin, Prefix: cfg.Prefix, TokenField: cfg.TokenField, TokenHeader: cfg.TokensHeader,
		Registration: cfg.Registration == "open", Origins: cfg.CORSOrigins, CredentialOrigins: cfg.CORSCredentials, Observer: n.metrics.observer(),
		TLS: n.tls, H2C: cfg.H2C, Connections: n.connections, Logger: n.log,
		ForwardAuth: others, PublishLead: cfg.PublishLead, Assertions: cfg.ForwardAuth(), APIKeys: n.keys, KeyTokens: keys, Endpoints: apikey.Routes(n.keys, n.People, iss, cfg.Prefix),
		TrustedProxies: cfg.Networks(), Limits: server.Limits{
			Login: cfg.LoginFailures.Limits(), Refresh: cfg.RefreshFailures.Limits(),
			Reset: cfg.ResetFailures.Limits(), Register: cfg.Registrations.Limits(), Inactive: cfg.Inactive.Limits(),
		},
	}
	if set.AdminApart {
		set.Admin = append(set.Admin, reference.Routes()...)
	}
	if proxy == nil || cfg.Prefix != "" { // Otherwise it would hide what the upstream has there.
		set.Endpoints = append(set.Endpoints, reference.Routes()...)
	}
	if proxy != nil {
		set.Upstream, set.UpstreamReady, set.Assertions = proxy, proxy.Healthy, true
	}
	srv, err := server.New(set)
	if err != nil {
		return nil, nil, fmt.Errorf("start the server: %w", err)
	}
	return srv, proxy, nil
}

// storeAttr says in a log record where the store is.
func storeAttr(cfg *config.Config) slog.Attr {
	if cfg.OnPostgres() {
		return slog.String("database", "postgres")
	}
	return slog.String("data", cfg.Data)
}
