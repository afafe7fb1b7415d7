package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/sessions"
	"github.com/spf13/cobra"
)

func (a *app) sessionCommand() *cobra.Command {
	commands := sessions.Shell{
		Shell: a.shell(),
		Beside: func(cmd *cobra.Command, do func(context.Context, sessions.Store) error) error {
			return a.beside(cmd, func(ctx context.Context, b *backend) error {
				return do(ctx, sessions.Store{Sessions: b.store, People: b.people})
			})
		},
	}
	return newGroup("session", "List and end logins", commands.Commands()...)
}
