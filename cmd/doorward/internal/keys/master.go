package keys

import (
	"context"
	"errors"
	"io/fs"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/durable"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/masterkey"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

func newMasterCommand(sh shell.Shell) *cobra.Command {
	return &cobra.Command{
		Use:   "new-master FILE",
		Short: "Make a master key, for a new database or to replace another",
		Long: `Make a master key and write it to FILE, mode 0600, which must not exist. Every node on
one database needs the same: DOORWARD_MASTER_KEY_FILE names its file. Keep a copy where the
database's backups are not; one is nothing without the other. A store that has a master key
gets this one with "doorward key replace-master".`,
		Args: shell.Want("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			err := durable.Create(args[0], issuer.GenerateMasterKey().Text()+"\n")
			if errors.Is(err, fs.ErrExist) {
				return failure.Refused("choose another name", "%s is there already", args[0])
			}
			if err != nil {
				return failure.Failed(err, "", "cannot write the master key: %v", err)
			}
			sh.Note("%s holds a new master key", args[0])
			return nil
		},
	}
}

func replaceMasterCommand(sh shell.Shell) *cobra.Command {
	return &cobra.Command{
		Use:   "replace-master FILE",
		Short: "Seal all keys in the store under another master key",
		Long: `Seal all keys in the store under the master key in FILE, which "doorward key new-master"
makes. The keys themselves stay: tokens stay good and nobody logs in again.

Servers that run go on with the keys that they have read, but say at /readyz that they are not
ready. So put FILE in the place of the old master key wherever a server reads it, and restart
them. Keep the old one with the backups and audit exports from before, which it opens.

Whoever has the old master key and also a copy of the store from before has the keys: then
revoke these too, with "doorward key revoke", and make a new one for the audit record, with
"doorward key rotate --audit".`,
		Example: `  doorward key new-master new.key
  doorward key replace-master new.key
  mv doorward-data/master.key master.key.old && mv new.key doorward-data/master.key`,
		Args: shell.Want("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return backend.BesideIssuer(sh, cmd, func(ctx context.Context, b *backend.Backend, _ *issuer.Issuer) error {
				return replaceMaster(ctx, sh, b, args[0])
			})
		},
	}
}

func replaceMaster(ctx context.Context, sh shell.Shell, b *backend.Backend, path string) error {
	from, err := folder.MasterKey(b.Config)
	if err != nil {
		return err
	}
	to, err := folder.ReadMasterKey(path, 0o007, "doorward key new-master "+path)
	if err != nil {
		return err
	}
	if to == from {
		return failure.Refused("doorward key new-master FILE makes another", "%s is the master key of this store already", path)
	}
	if err := masterkey.Replace(ctx, b.Store.Shared, from, to, shell.Event()); err != nil {
		return err
	}
	sh.Note("all keys are sealed under %s now; %s opens only backups and audit exports from before", path, b.Config.MasterKeyFile)
	sh.Note("put the new one in its place wherever a server reads it, and restart the servers")
	return nil
}
