package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/doorward/doorward/internal/roster"
	"github.com/spf13/cobra"
)

func (a *app) userExportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write all users with the hashes of their passwords to a file",
		Long: `Write all users to FILE, which must not exist: CSV, or JSON lines if its name ends
in .jsonl. Only you may read the file: it holds the hash of each password, as the
store does. "doorward user import" reads it back.

An initial password of an admin that nobody has changed yet is left out.`,
		Example: `  doorward user export users.csv
  doorward user import --from users.csv --roles-col roles --disabled-col disabled --email-col email`,
		Args: want("FILE"),
	}
	format := cmd.Flags().String("format", "", "`FORMAT` csv or jsonl, where the name of the file does not say")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := fileFormat(args[0], *format)
		if err != nil {
			return err
		}
		return a.beside(cmd, func(ctx context.Context, b *backend) error {
			return a.export(ctx, b, args[0], format)
		})
	}
	return cmd
}

func (a *app) export(ctx context.Context, b *backend, path, format string) error {
	create := roster.CreateCSV
	if format == "jsonl" {
		create = roster.CreateLines
	}
	if err := b.people.RecordExport(ctx, event()); err != nil {
		return err
	}
	w, err := create(path)
	if errors.Is(err, fs.ErrExist) {
		return refused("choose another name, or remove it first", "%s is there already", path)
	}
	if err != nil {
		return failed(err, "", "cannot write %s: %v", path, withoutPath(err))
	}
	users, err := roster.Export(ctx, b.people.Export, w.Put)
	if err != nil {
		return errors.Join(failed(err, "", "cannot write %s: %v", path, withoutPath(err)), w.Abandon())
	}
	if err := w.Close(); err != nil {
		return failed(err, "", "cannot write %s: %v", path, withoutPath(err))
	}
	a.note("%s holds %d users with the hashes of their passwords; only you may read it", path, users)
	return nil
}
