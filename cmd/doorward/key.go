package main

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/keys"
	"github.com/doorward/doorward/internal/masterkey"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/postgres"
	"github.com/doorward/doorward/sqlite"
	"github.com/spf13/cobra"
)

func (a *app) keyCommand() *cobra.Command {
	commands := keys.Shell{
		Shell: a.shell(),
		Beside: func(cmd *cobra.Command, do func(context.Context, keys.Store) error) error {
			return a.withIssuer(cmd, func(ctx context.Context, b *backend, iss *issuer.Issuer) error {
				store, err := b.keys(iss)
				if err != nil {
					return err
				}
				return do(ctx, store)
			})
		},
		ReadMaster: func(path string) (issuer.MasterKey, error) {
			return readMasterKey(path, 0o007, "doorward key new-master "+path)
		},
	}
	return newGroup("key", "List, rotate and revoke the keys that sign tokens (apikey has those of programs)", commands.Commands()...)
}

// keys is what the commands about keys work on.
func (b *backend) keys(iss *issuer.Issuer) (keys.Store, error) {
	master, err := b.folder.masterKey()
	return keys.Store{
		Issuer: iss, Audit: b.store, Master: master, MasterFile: b.cfg.MasterKeyFile,
		ReplaceMaster: func(ctx context.Context, to issuer.MasterKey, ev issuer.Event) error {
			return masterkey.Replace(ctx, sharedSQL(b.store), master, to, ev)
		},
	}, err
}

// sharedSQL is what both kinds of store are made of.
func sharedSQL(s store) *sqlstore.Store {
	if file, ok := s.(*sqlite.Store); ok {
		return file.Store
	}
	return s.(*postgres.Store).Store
}
