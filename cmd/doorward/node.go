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

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/backup"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/internal/reference"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

// node is one running server.
type node struct {
	*backend
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
	n.feed = feed.New(sqlstore.FeedIn(n.store.shared))
	iss, err := n.issuer(ctx, n.master, n.log)
	if err != nil {
		return err
	}
	n.sealer, err = audit.NewSealer(audit.Config{
		Store: n.store.audit, MasterKey: n.master, Retention: n.cfg.AuditRetention, KeyTTL: n.cfg.KeyLifetime, Logger: n.log,
	})
	if err != nil {
		return err
	}
	n.streams = gate.NewStreams(iss, n.log)
	n.keys, n.copies = n.apiKeys(), n.backups()
	n.connections = n.affordable()
	srv, proxy, err := n.server(n.cfg, iss)
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
		n.log.Info("guarding", "upstream", n.cfg.Upstream, "routes", len(n.cfg.Routes), "hidden", srv.Paths())
	}
	if proxy == nil && len(n.cfg.TrustedProxies) > 0 {
		n.log.Info("answering forward-auth", "routes", len(n.cfg.Routes), "default", n.cfg.RoutesDefault)
	}
	n.log.Info("serving", "url", n.cfg.URL(n.address), "issuer", n.cfg.Issuer, storeAttr(n.cfg), "version", readVersion().Version)
	return n.work(ctx, iss, srv, ln)
}

// affordable is limits.connections, or half of the files that this process may have open. The other half is for the store and
// the upstream, which must not fail because many strangers connect.
func (n *node) affordable() int {
	files := openFiles()
	if n.cfg.Connections <= files/2 {
		return n.cfg.Connections
	}
	n.log.Warn("fewer connections are accepted than limits.connections says, since this process may not have so many files open",
		"connections", files/2, "files", files, "hint", "raise LimitNOFILE= of the systemd unit, or ulimit -n")
	return files / 2
}

// takeOver compares the settings with those that the last serve left, and leaves its own.
func (n *node) takeOver(ctx context.Context) error {
	last, err := n.lastServing(ctx)
	if err != nil {
		return err
	}
	if issuer := n.cfg.LastIssuer(last); issuer != "" && issuer != n.cfg.Issuer {
		n.log.Warn("the last serve on this store had another issuer: its access tokens are refused here, and several servers need one --issuer",
			"last", issuer, "issuer", n.cfg.Issuer)
	}
	n.leave(ctx, n.cfg)
	return nil
}

// leave leaves what commands beside this server need. The server itself does not need it: on a full disk it checks tokens
// all the same.
func (n *node) leave(ctx context.Context, cfg *config.Config) {
	if err := n.leaveServing(ctx, cfg.Serving()); err != nil {
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
		time.AfterFunc(n.cfg.Drain, end)
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
	clients := account.NewClients(account.ClientsConfig{Store: n.store.accounts, Failures: limit(cfg.ClientFailures)})
	set := server.Config{
		Admin: api.Routes(), AdminApart: cfg.AdminListen != "",
		Issuer: iss, People: n.people, Clients: clients, Feed: n.feed, Audiences: cfg.Audiences,
		MaxStaleness: cfg.MaxStaleness, YoungWhenStale: cfg.YoungWhenStale(), ClockOffset: n.store.ClockOffset,
		RecentLogin: cfg.RecentLogin, Prefix: cfg.Prefix, TokenField: cfg.TokenField, TokenHeader: cfg.TokensHeader,
		Registration: cfg.Registration == "open", Origins: cfg.CORSOrigins, CredentialOrigins: cfg.CORSCredentials, Observer: n.metrics.observer(),
		TLS: n.tls, Connections: n.connections, Logger: n.log,
		ForwardAuth: others, PublishLead: cfg.PublishLead, Assertions: cfg.ForwardAuth(), APIKeys: n.keys, KeyTokens: keys, Endpoints: apikey.Routes(n.keys, n.people, iss, cfg.Prefix),
		TrustedProxies: cfg.Networks(), Limits: server.Limits{
			Login: limit(cfg.LoginFailures), Refresh: limit(cfg.RefreshFailures),
			Reset: limit(cfg.ResetFailures), Register: limit(cfg.Registrations), Inactive: limit(cfg.Inactive),
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

func limit(f config.Failures) quota.Limits { return quota.Limits{Each: f.Network, All: f.All} }
