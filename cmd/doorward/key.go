package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/audits"
	"github.com/doorward/doorward/cmd/doorward/internal/keys"
	"github.com/doorward/doorward/cmd/doorward/internal/progress"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

func (a *app) keyCommand() *cobra.Command {
	shell := keys.Shell{
		Beside: func(cmd *cobra.Command, do func(context.Context, keys.Store) error) error {
			return a.withIssuer(cmd, func(ctx context.Context, b *backend, iss *issuer.Issuer) error {
				master, err := b.folder.masterKey()
				if err != nil {
					return err
				}
				return do(ctx, keys.Store{Issuer: iss, Audit: b.store, Master: master})
			})
		},
		Want: want, Event: event, Confirm: a.confirm, Refused: refused, Failed: failed,
		Note: a.note, Out: a.out, JSON: a.printJSON, Table: a.printTable,
	}
	return newGroup("key", "List, rotate and revoke the keys that sign tokens (apikey has those of programs)", shell.Commands()...)
}

func (a *app) auditCommand() *cobra.Command {
	shell := audits.Shell{
		Beside: func(cmd *cobra.Command, do func(context.Context, audits.Store) error) error {
			return a.beside(cmd, func(ctx context.Context, b *backend) error {
				return do(ctx, audits.Store{Store: b.store, People: b.people, Master: b.folder.masterKey})
			})
		},
		Want: want, Event: event, Misused: misused, Refused: refused, Failed: failed, Note: a.note, Out: a.out, JSON: a.printJSON,
		Progress: func() *progress.Bar { return a.progress("blocks verified") },
	}
	return newGroup("audit", "Read, export and verify the record of security events", shell.Commands()...)
}
