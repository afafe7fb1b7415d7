package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/audits"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

func auditCommand(sh shell.Shell) *cobra.Command {
	commands := audits.Shell{
		Shell: sh,
		Beside: func(cmd *cobra.Command, do func(context.Context, audits.Store) error) error {
			return beside(sh, cmd, func(ctx context.Context, b *backend) error {
				return do(ctx, audits.Store{Store: b.store.audit, People: b.people, Master: func() (issuer.MasterKey, error) { return folder.MasterKey(b.cfg) }})
			})
		},
	}
	return shell.Group("audit", "Read, export and verify the record of security events", commands.Commands()...)
}
