package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/move"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/sqlite"
	"github.com/spf13/cobra"
)

func migrateCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Move a data folder into a PostgreSQL database, and log nobody out",
		Long: `Move everything in the data folder into an empty PostgreSQL database: people, sessions,
cut-offs, keys, the audit record. Stop the server first. Tokens stay good, access and
refresh tokens alike, once nodes serve from the database with the master key of the folder.

It may be interrupted, and goes on where it was when it is run again. Until it is
complete no server starts on either side, and afterwards none on the folder. Both sides are
compared at the end, by the number of rows and the SHA-256 of every table.

--back takes the mark off the folder, so that it can be used again as it was before the
move; what has happened in the database since is not in it.`,
		Example: `  doorward migrate --to postgres://doorward@db.example.com/doorward
  DOORWARD_DATABASE_FILE=/etc/doorward/database doorward migrate`,
		Args: shell.Want(),
	}
	to := cmd.Flags().String("to", "", "`URL` of the database (default what --database or DOORWARD_DATABASE_FILE names)")
	back := cmd.Flags().Bool("back", false, "make the folder usable again")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch given := cmd.Flags().Changed("to"); {
		case given && *back:
			return failure.Misused(cmd.CommandPath()+" --help", "--back and --to exclude each other: --back moves nothing")
		case given && *to == "":
			return failure.Misused("", "--to: is empty")
		}
		cfg, err := config.Read(cmd)
		if err != nil {
			return err
		}
		if *to != "" {
			cfg.UseDatabase(*to, "--to")
		}
		if !*back && !cfg.OnPostgres() {
			return failure.Misused(cmd.CommandPath()+" --help", "--to is missing")
		}
		return migrate(cmd.Context(), sh, cfg, *back)
	}
	return cmd
}

func migrate(ctx context.Context, sh shell.Shell, cfg *config.Config, back bool) error {
	if err := folder.MustExist(cfg, sh.Args); err != nil {
		return err
	}
	from, err := sqlite.OpenAlone(ctx, cfg.DatabasePath())
	if errors.Is(err, sqlite.ErrInUse) {
		return failure.Refused("stop the server and other commands on this folder first", "%s is in use", cfg.DatabasePath())
	}
	if err != nil {
		return backend.Unopened(err, cfg.DatabasePath())
	}
	if back {
		return moveBack(ctx, sh, cfg, from)
	}
	return errors.Join(moveInto(ctx, sh, cfg, from), from.Close())
}

func moveBack(ctx context.Context, sh shell.Shell, cfg *config.Config, from *sqlite.Store) error {
	marked, err := move.Stay(ctx, from.Store)
	if err := errors.Join(err, from.Close()); err != nil {
		return err
	}
	if !marked {
		sh.Note("%s was not moved; nothing to do", cfg.Data)
		return nil
	}
	sh.Note("%s can be used again; do not serve from it and from the database at once", cfg.Data)
	return nil
}

func moveInto(ctx context.Context, sh shell.Shell, cfg *config.Config, from *sqlite.Store) error {
	to, err := backend.OpenPostgres(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	bar := sh.Progress("rows copied or compared")
	show := func(done, all int64) { bar.Show(int(done), done, all) }
	err = errors.Join(move.Move(ctx, from.Store, to.Store, show), to.Close())
	bar.Clear()
	const another = "name another database, or another search_path in the URL"
	switch {
	case errors.Is(err, sqlstore.ErrOccupied):
		return failure.Refused(another, "%s", innermost(err, sqlstore.ErrOccupied))
	case errors.Is(err, move.ErrMoved):
		return failure.Refused("--database names it; doorward migrate --back makes the folder usable again, as it was then", "the content of this data folder was moved to another database")
	case errors.Is(err, move.ErrDiffers):
		return failure.Failed(err, another, "%v", err)
	case err != nil:
		return failure.Failed(err, "run the same again: it goes on where it stopped; or --back to use the folder as it was", "the move is not complete: %v", err)
	}
	sh.Note("everything in %s is in the database, and was compared", cfg.Data)
	sh.Note("start every node with this database and a copy of the master key %s; the folder is not used any more", cfg.MasterKeyFile)
	return nil
}

// innermost returns the text of err from the message of kind on.
func innermost(err, kind error) string {
	text := err.Error()
	return text[max(0, strings.Index(text, kind.Error())):]
}
