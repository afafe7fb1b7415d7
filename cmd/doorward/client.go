package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/clients"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

func clientCommand(sh shell.Shell) *cobra.Command {
	commands := clients.Shell{
		Shell: sh,
		Beside: func(cmd *cobra.Command, do func(context.Context, *account.Clients) error) error {
			return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error { return do(ctx, b.Clients()) })
		},
	}
	return shell.Group("client", "Add, list and change the programs with a credential of their own", commands.Commands()...)
}
