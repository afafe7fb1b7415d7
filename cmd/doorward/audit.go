package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/audits"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

func auditCommand(sh shell.Shell) *cobra.Command {
	commands := audits.Shell{
		Shell: sh,
		Beside: func(cmd *cobra.Command, do func(context.Context, audits.Store) error) error {
			return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
				return do(ctx, audits.Store{Store: b.Store.Audit, People: b.People, Master: func() (issuer.MasterKey, error) { return folder.MasterKey(b.Config) }})
			})
		},
	}
	return shell.Group("audit", "Read, export and verify the record of security events", commands.Commands()...)
}
