package backend

import (
	"context"
	"errors"
	"log/slog"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

// Beside runs a command on the store beside a server, which may be running: it opens the store,
// passes it to do, and closes it.
func Beside(sh shell.Shell, cmd *cobra.Command, do func(context.Context, *Backend) error) error {
	cfg, err := config.ReadBeside(cmd, "")
	if err != nil {
		return err
	}
	if !cfg.OnPostgres() {
		if err := folder.MustExist(cfg, sh.Args); err != nil {
			return err
		}
	}
	store, err := OpenStore(cmd.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(besideStore(cmd, cfg, store, do), store.Close())
}

// besideStore calls do with the settings of the last serve, which a database holds itself.
func besideStore(cmd *cobra.Command, cfg *config.Config, store *Store, do func(context.Context, *Backend) error) error {
	if cfg.OnPostgres() {
		serving, err := sqlstore.Serving(cmd.Context(), store.Shared)
		if err != nil {
			return err
		}
		if cfg, err = config.ReadBeside(cmd, serving); err != nil {
			return err
		}
	}
	b, err := New(cfg, store)
	if err != nil {
		return err
	}
	return errors.Join(do(cmd.Context(), b), b.Close())
}

// BesideIssuer is [Beside] for commands that need the keys.
func BesideIssuer(sh shell.Shell, cmd *cobra.Command, do func(context.Context, *Backend, *issuer.Issuer) error) error {
	return Beside(sh, cmd, func(ctx context.Context, b *Backend) error {
		key, err := folder.MasterKey(b.Config)
		if err != nil {
			return err
		}
		iss, err := b.NewIssuer(ctx, b.IssuerConfig(key, nil))
		if err != nil {
			return err
		}
		return do(ctx, b, iss)
	})
}
