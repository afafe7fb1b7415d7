package main

import (
	"cmp"
	"context"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/internal/admin"
	"github.com/doorward/doorward/issuer"
)

// adminAPI makes the admin API of a configuration.
func (n *node) adminAPI(cfg *config.Config, iss *issuer.Issuer) (*admin.Admin, error) {
	return admin.New(admin.Config{
		Issuer: iss, People: n.People, Clients: n.Clients(), APIKeys: n.keys, Audit: n.Store.Audit, MasterKey: n.master,
		NewIssuer: n.issuerOf, ExportHashes: cfg.ExportHashes, Prefix: cfg.Prefix,
		Backups: n.copies,
		Program: admin.Program{Version: readVersion(), Settings: settingsOf(cfg), Check: n.checkConfig},
	})
}

// checkConfig says what a reload would find, and what "doorward config check" would.
func (n *node) checkConfig() admin.ConfigCheck {
	next, err := n.read()
	if err != nil {
		return admin.ConfigCheck{Problems: problemsOf(err), NeedsRestart: []string{}}
	}
	next.Resolve(n.address)
	problems := problemsOf(checkNamed(next))
	return admin.ConfigCheck{
		Good: len(problems) == 0, Problems: problems, NeedsRestart: append([]string{}, config.Settled(n.Config, next)...),
	}
}

// issuerOf makes an issuer beside that of the node, for a token of another lifetime.
func (n *node) issuerOf(ctx context.Context, subjects issuer.Subjects, lifetime time.Duration) (*issuer.Issuer, error) {
	cfg := n.IssuerConfig(n.master, n.log)
	cfg.Subjects, cfg.AccessTTL = subjects, cmp.Or(lifetime, cfg.AccessTTL)
	return issuer.New(ctx, cfg)
}
