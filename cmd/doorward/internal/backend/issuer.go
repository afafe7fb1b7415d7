package backend

import (
	"context"
	"errors"
	"log/slog"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// NewIssuer makes the issuer over the store from what [Backend.IssuerConfig] has returned.
func (b *Backend) NewIssuer(ctx context.Context, cfg issuer.Config) (*issuer.Issuer, error) {
	iss, err := issuer.New(ctx, cfg)
	if errors.Is(err, issuer.ErrMasterKey) {
		return nil, failure.Failed(err, "use the one that was there when the store was made or, after doorward key replace-master, the new one", "%s is not the master key of this store", b.Config.MasterKeyFile)
	}
	return iss, err
}

// IssuerConfig is how an issuer is made over the store, with the keys that key opens.
func (b *Backend) IssuerConfig(key issuer.MasterKey, log *slog.Logger) issuer.Config {
	cfg := issuer.Config{
		Issuer: b.Config.Issuer, Store: b.Store, MasterKey: key, Subjects: b.People,
		Audience: b.Config.Audience, Audiences: b.Config.Audiences,
		Algorithm: jwt.Algorithm(b.Config.KeyAlgorithm),
		AccessTTL: b.Config.AccessTTL, IdleTTL: b.Config.SessionIdle, AbsoluteTTL: b.Config.SessionAbsolute,
		StrictRefresh: b.Config.RefreshStrict, RefreshLimit: b.Config.RefreshLimit,
		KeyTTL: b.Config.KeyLifetime, PublishLead: b.Config.PublishLead,
		MaxStaleness: b.Config.MaxStaleness, Username: b.Config.TokensUsername, Logger: log,
	}
	if !b.Config.RefreshStrict {
		cfg.Window, cfg.Budget = b.Config.RefreshWindow, b.Config.RefreshBudget
	}
	return cfg
}
