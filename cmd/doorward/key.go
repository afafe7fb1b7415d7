package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/keys"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

func (a *app) keyCommand() *cobra.Command {
	commands := keys.Shell{
		Shell: a.shell(),
		Beside: func(cmd *cobra.Command, do func(context.Context, keys.Store) error) error {
			return a.withIssuer(cmd, func(ctx context.Context, b *backend, iss *issuer.Issuer) error {
				master, err := b.folder.masterKey()
				if err != nil {
					return err
				}
				return do(ctx, keys.Store{Issuer: iss, Audit: b.store, Master: master})
			})
		},
	}
	return newGroup("key", "List, rotate and revoke the keys that sign tokens (apikey has those of programs)", commands.Commands()...)
}
