package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/sessions"
	"github.com/spf13/cobra"
)

func (a *app) sessionCommand() *cobra.Command {
	shell := sessions.Shell{
		Beside: func(cmd *cobra.Command, do func(context.Context, sessions.Store) error) error {
			return a.beside(cmd, func(ctx context.Context, b *backend) error {
				return do(ctx, sessions.Store{Sessions: b.store, People: b.people})
			})
		},
		Want: want, Event: event, Misused: misused, Refused: refused,
		Note: a.note, JSON: a.printJSON, Table: a.printTable, Fields: a.printFields,
	}
	return newGroup("session", "List and end logins", shell.Commands()...)
}
