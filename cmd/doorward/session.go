package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/sessions"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/spf13/cobra"
)

func sessionCommand(sh shell.Shell) *cobra.Command {
	commands := sessions.Shell{
		Shell: sh,
		Beside: func(cmd *cobra.Command, do func(context.Context, sessions.Store) error) error {
			return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
				return do(ctx, sessions.Store{Sessions: b.Store, People: b.People})
			})
		},
	}
	return shell.Group("session", "List and end logins", commands.Commands()...)
}
