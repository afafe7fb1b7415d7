package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/roles"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

func roleCommand(sh shell.Shell) *cobra.Command {
	return shell.Group("role", "Define what roles allow", rolesIn(sh).Commands()...)
}

// rolesIn are the commands about roles in this program.
func rolesIn(sh shell.Shell) roles.Shell {
	return roles.Shell{
		Shell: sh, Beside: besidePeople(sh), Explain: backend.Explain,
	}
}

// besidePeople is [backend.Beside] for commands that need no more of the backend than people.
func besidePeople(sh shell.Shell) func(*cobra.Command, func(context.Context, *account.People) error) error {
	return func(cmd *cobra.Command, do func(context.Context, *account.People) error) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error { return do(ctx, b.People) })
	}
}
