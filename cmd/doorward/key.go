package main

import (
	"context"

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
			return withIssuer(sh, cmd, func(ctx context.Context, b *backend, iss *issuer.Issuer) error {
				store, err := b.keys(iss)
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
func (b *backend) keys(iss *issuer.Issuer) (keys.Store, error) {
	master, err := folder.MasterKey(b.cfg)
	if err != nil {
		return keys.Store{}, err
	}
	return keys.Store{
		Issuer: iss, Audit: b.store.audit, Master: master, MasterFile: b.cfg.MasterKeyFile,
		ReplaceMaster: func(ctx context.Context, to issuer.MasterKey, ev issuer.Event) error {
			return masterkey.Replace(ctx, b.store.shared, master, to, ev)
		},
	}, nil
}
