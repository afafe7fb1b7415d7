package rosters

import (
	"context"
	"errors"
	"io/fs"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/roster"
	"github.com/spf13/cobra"
)

// Export is "doorward user export".
func Export(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write all users with the hashes of their passwords to a file",
		Long: `Write all users to FILE, which must not exist: CSV, or JSON lines if its name ends
in .jsonl. Only you may read the file: it holds the hash of each password, as the
store does. "doorward user import" reads it back.

An initial password of an admin that nobody has changed yet is left out.`,
		Example: `  doorward user export users.csv
  doorward user import --from users.csv --roles-col roles --disabled-col disabled --email-col email --external-id-col external_id`,
		Args: shell.Want("FILE"),
	}
	format := cmd.Flags().String("format", "", "`FORMAT` csv or jsonl, where the name of the file does not say")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := fileFormat(args[0], *format)
		if err != nil {
			return err
		}
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			return export(ctx, sh, b.People, args[0], format)
		})
	}
	return cmd
}

func export(ctx context.Context, sh shell.Shell, people *account.People, path, format string) error {
	create := roster.CreateCSV
	if format == "jsonl" {
		create = roster.CreateLines
	}
	if err := people.RecordExport(ctx, shell.Event()); err != nil {
		return err
	}
	w, err := create(path)
	if errors.Is(err, fs.ErrExist) {
		return failure.Refused("choose another name, or remove it first", "%s is there already", path)
	}
	if err != nil {
		return failure.Failed(err, "", "cannot write %s: %v", path, shell.WithoutPath(err))
	}
	users, err := roster.Export(ctx, people.Export, w.Put)
	if err != nil {
		return errors.Join(failure.Failed(err, "", "cannot write %s: %v", path, shell.WithoutPath(err)), w.Abandon())
	}
	if err := w.Close(); err != nil {
		return failure.Failed(err, "", "cannot write %s: %v", path, shell.WithoutPath(err))
	}
	sh.Note("%s holds %d users with the hashes of their passwords; only you may read it", path, users)
	return nil
}
