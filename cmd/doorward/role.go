package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/roles"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

func (a *app) roleCommand() *cobra.Command {
	return newGroup("role", "Define what roles allow", a.roles().Commands()...)
}

// roles are the commands about roles in this program.
func (a *app) roles() roles.Shell {
	return roles.Shell{
		Shell: a.shell(),
		Beside: func(cmd *cobra.Command, do func(context.Context, *account.People) error) error {
			return a.beside(cmd, func(ctx context.Context, b *backend) error { return do(ctx, b.people) })
		},
		Explain: explain,
	}
}
