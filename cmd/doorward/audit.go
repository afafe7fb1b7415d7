package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/audits"
	"github.com/doorward/doorward/cmd/doorward/internal/progress"
	"github.com/spf13/cobra"
)

func (a *app) auditCommand() *cobra.Command {
	commands := audits.Shell{
		Shell: a.shell(),
		Beside: func(cmd *cobra.Command, do func(context.Context, audits.Store) error) error {
			return a.beside(cmd, func(ctx context.Context, b *backend) error {
				return do(ctx, audits.Store{Store: b.store.audit, People: b.people, Master: b.folder.masterKey})
			})
		},
		Progress: func() *progress.Bar { return a.progress("blocks verified") },
	}
	return newGroup("audit", "Read, export and verify the record of security events", commands.Commands()...)
}
