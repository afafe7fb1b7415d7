package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/keys"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/masterkey"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

func keyCommand(sh shell.Shell) *cobra.Command {
	commands := keys.Shell{
		Shell: sh,
		Beside: func(cmd *cobra.Command, do func(context.Context, keys.Store) error) error {
			return backend.BesideIssuer(sh, cmd, func(ctx context.Context, b *backend.Backend, iss *issuer.Issuer) error {
				store, err := keysOf(b, iss)
				if err != nil {
					return err
				}
				return do(ctx, store)
			})
		},
		ReadMaster: func(path string) (issuer.MasterKey, error) {
			return folder.ReadMasterKey(path, 0o007, "doorward key new-master "+path)
		},
	}
	return shell.Group("key", "List, rotate and revoke the keys that sign tokens (apikey has those of programs)", commands.Commands()...)
}

// keys is what the commands about keys work on.
func keysOf(b *backend.Backend, iss *issuer.Issuer) (keys.Store, error) {
	master, err := folder.MasterKey(b.Config)
	if err != nil {
		return keys.Store{}, err
	}
	return keys.Store{
		Issuer: iss, Audit: b.Store.Audit, Master: master, MasterFile: b.Config.MasterKeyFile,
		ReplaceMaster: func(ctx context.Context, to issuer.MasterKey, ev issuer.Event) error {
			return masterkey.Replace(ctx, b.Store.Shared, master, to, ev)
		},
	}, nil
}
