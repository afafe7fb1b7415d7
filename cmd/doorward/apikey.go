package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/apikeys"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/spf13/cobra"
)

func apikeyCommand(sh shell.Shell) *cobra.Command {
	commands := apikeys.Shell{
		Shell: sh,
		Beside: func(cmd *cobra.Command, do func(context.Context, apikeys.Store) error) error {
			return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
				return do(ctx, apikeys.Store{Keys: b.APIKeys(), People: b.People, Clients: b.Clients()})
			})
		},
	}
	return shell.Group("apikey", "Add, list and revoke the keys with which programs call without a login", commands.Commands()...)
}
