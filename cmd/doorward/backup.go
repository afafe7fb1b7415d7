package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/backup"
	"github.com/doorward/doorward/sqlite"
	"github.com/spf13/cobra"
)

func backupCommand(sh shell.Shell) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the store while the server runs",
		Long: `Copy the store to FILE, which must not exist, while the server runs. To restore,
stop the server, put the copy in the place of doorward.db, and remove
doorward.db-wal and doorward.db-shm, which belong to the file before it.

The copy does not hold the master key, under which the keys in it are sealed.
Keep both, and not in the same place: together they are worth every token.`,
		Example: "  doorward backup /var/backups/doorward-$(date +%F).db",
		Args:    shell.Want("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
				file, ok := b.Store.Database.(*sqlite.Store)
				if !ok {
					return failure.Refused("pg_dump --schema=doorward, or the base backups of your PostgreSQL", "the store is a PostgreSQL database, which has tools of its own for that")
				}
				taken := failure.Refused("choose another name, or remove it first", "%s is there already", args[0])
				if _, err := os.Lstat(args[0]); err == nil { // Before the record says that there is a copy.
					return taken
				}
				ev := shell.Event()
				ev.Kind, ev.Reason = backup.EventMake, filepath.Base(args[0])
				if err := b.Store.Audit.Record(ctx, ev); err != nil { // A full disk is a reason for a copy on another one.
					sh.Note("this backup is not in the audit record: %v", err)
				}
				err := file.Backup(ctx, args[0])
				if errors.Is(err, sqlite.ErrExists) {
					return taken
				}
				if err != nil {
					return failure.Failed(err, "", "cannot write the backup %s: %v", args[0], shell.WithoutPath(err))
				}
				sh.Note("%s holds the store", args[0])
				sh.Note("it does not hold the master key %s: keep a copy of that too, in another place; one is nothing without the other", b.Config.MasterKeyFile)
				return nil
			})
		},
	}
}

// backups are the copies that are made over HTTP, in the data folder; nil for a database.
func backups(b *backend.Backend) *backup.Folder {
	file, ok := b.Store.Database.(*sqlite.Store)
	if !ok {
		return nil
	}
	return backup.New(filepath.Join(b.Config.Data, "backups"), file.Backup)
}
