// Package rosters has the commands about lists of users: from another program into the store, and from the store to a file.
package rosters

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/roster"
	"github.com/spf13/cobra"
)

const importHelp = `Add the users of another program with the hashes of their passwords, so that they
log in with the password they have. The hash is replaced by argon2id at the first
login. Read are the forms of Werkzeug (Flask), Django and passlib, and bcrypt,
argon2, scrypt, PBKDF2 and SHA-crypt; a hash that costs more than 128 MiB or about
a second is refused.

--from is a CSV file whose first line names the columns, a file with one JSON
object on each line, or a table of an SQLite database. Nothing in it is changed.

Each row is printed that was not added, with the reason and never with the hash.
A user who is here already stays as they are: a second run goes on where the
first one stopped. --dry-run says what would be done and does nothing.`

// importFlags are the flags of user import.
type importFlags struct {
	from, format, table string
	columns             roster.Columns
	roles               []string
	dry, asJSON         bool
}

// Import is "doorward user import".
func Import(sh shell.Shell) *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import --from FILE",
		Short: "Add users of another program, with their passwords",
		Long:  importHelp,
		Example: `  doorward user import --from sqlite:app.db --table user --dry-run
  doorward user import --from sqlite:db.sqlite3 --table auth_user --hash-col password --active-col is_active --external-id-col id
  doorward user import --from users.csv --username-col email --role customer`,
		Args: shell.Want(),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "a `FILE` (.csv or .jsonl), or sqlite:FILE")
	flags.StringVar(&f.format, "format", "", "`FORMAT` csv or jsonl, where the name of the file does not say")
	flags.StringVar(&f.table, "table", "", "the `TABLE` of an SQLite database")
	flags.StringVar(&f.columns.Name, "username-col", roster.Written.Name, "the `COLUMN` of the name to log in with")
	flags.StringVar(&f.columns.Hash, "hash-col", roster.Written.Hash, "the `COLUMN` of the hash")
	flags.StringVar(&f.columns.Email, "email-col", "", "a `COLUMN` of e-mail addresses, which may be empty")
	flags.StringVar(&f.columns.ExternalID, "external-id-col", "", "a `COLUMN` of the users' own IDs, such as id, to keep them; may be empty")
	flags.StringVar(&f.columns.Roles, "roles-col", "", "a `COLUMN` of roles, separated by commas or spaces")
	flags.StringVar(&f.columns.Disabled, "disabled-col", "", "a `COLUMN` that is true of those who may not log in")
	flags.StringVar(&f.columns.Active, "active-col", "", "a `COLUMN` that is true of those who may log in")
	flags.BoolVar(&f.columns.AllEnabled, "all-enabled", false, "let everybody log in, whatever a column is_active or disabled says")
	flags.StringArrayVar(&f.roles, "role", nil, "a `ROLE` for every user; may be repeated")
	flags.BoolVar(&f.dry, "dry-run", false, "say what would be done, and do nothing")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON: an object for each row not added, and the summary")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			source, place, err := open(ctx, f)
			if err != nil {
				return unopened(f, err)
			}
			return errors.Join(importUsers(ctx, sh, b.People, source, place, f), source.Close())
		})
	}
	return cmd
}

// open opens the source and says what one of its rows is called.
func open(ctx context.Context, f importFlags) (source roster.Reader, place string, err error) {
	path, isTable := strings.CutPrefix(f.from, "sqlite:")
	switch {
	case path == "":
		return nil, "", failure.Misused("doorward user import --help", "--from is missing")
	case strings.Contains(path, "://") || isTable && strings.HasPrefix(path, "//"):
		return nil, "", failure.Misused("write the table to a .csv or .jsonl file with the database's own program; for SQLite it is --from sqlite:app.db",
			"--from is the URL of a database, and should be a file")
	case isTable && f.table == "":
		return nil, "", failure.Misused("sqlite3 "+path+" .tables", "--table is missing")
	case !isTable && f.table != "":
		return nil, "", failure.Misused("--from sqlite:"+path, "--table is for an SQLite database")
	case isTable:
		source, err = roster.OpenTable(ctx, path, f.table, f.columns)
		return source, "row", err
	}
	format, err := fileFormat(path, f.format)
	if err != nil {
		return nil, "", err
	}
	open := roster.OpenCSV
	if format == "jsonl" {
		open = roster.OpenLines
	}
	source, err = open(path, f.columns)
	return source, "line", err
}

// fileFormat is csv or jsonl, as the flag or the name of the file says.
func fileFormat(path, flag string) (string, error) {
	switch format := cmp.Or(flag, strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")); format {
	case "csv", "jsonl":
		return format, nil
	case "ndjson":
		return "jsonl", nil
	}
	return "", failure.Misused("--format csv or --format jsonl", "the name %s does not say what the file holds", path)
}

// unopened says why nothing can be read and what to do.
func unopened(f importFlags, err error) error {
	text := strings.TrimPrefix(err.Error(), "roster: ")
	switch {
	case errors.Is(err, roster.ErrSeparator):
		return failure.Misused("export it again with commas", "%s: %s", f.from, text)
	case errors.Is(err, roster.ErrColumn):
		return failure.Misused("--username-col, --hash-col and the like name columns of the source", "%s: %s", f.from, text)
	case errors.Is(err, roster.ErrStatus):
		return failure.Misused("--active-col or --disabled-col names it; --all-enabled lets everybody log in", "%s: %s", f.from, text)
	case errors.Is(err, roster.ErrTable), errors.Is(err, roster.ErrSyntax), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return failure.Failed(err, "", "cannot read %s: %s", f.from, strings.TrimPrefix(shell.WithoutPath(err).Error(), "roster: "))
	}
	return err
}

func importUsers(ctx context.Context, sh shell.Shell, people *account.People, source roster.Reader, place string, f importFlags) error {
	ev := shell.Event()
	ev.Reason = "import from " + filepath.Base(f.from)
	bar := sh.Progress("users")
	sum, err := roster.Import{
		People: people, Source: source, Roles: f.roles, Dry: f.dry, Event: ev,
		Tell: func(row *roster.RowError) error {
			bar.Clear()
			return tellRow(sh, place, row, f.asJSON)
		},
		Progress: bar.Show,
	}.Run(ctx)
	bar.Clear()
	if err != nil {
		return errors.Join(summarise(sh, sum, f.asJSON), unopened(f, err))
	}
	return summarise(sh, sum, f.asJSON)
}

// tellRow prints a row that was not added. The name is what the source says, so it is quoted.
func tellRow(sh shell.Shell, place string, row *roster.RowError, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(sh.Out).Encode(map[string]any{place: row.Place, "username": fmt.Sprintf("%.80s", row.Name), "reason": row.Reason})
	}
	_, err := fmt.Fprintf(sh.Out, "%s %d\t%.80q\t%s\n", place, row.Place, row.Name, row.Reason)
	return err
}

func rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

func summarise(sh shell.Shell, sum roster.Sum, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(sh.Out).Encode(sum); err != nil {
			return err
		}
	} else {
		done := "added"
		if sum.DryRun {
			done = "would be added"
		}
		sh.Note("%s: %d %s, %d here already, %d in conflict, %d refused", rows(sum.Rows), sum.Added, done, sum.Present, sum.Conflict, sum.Refused)
		for _, scheme := range slices.Sorted(maps.Keys(sum.Schemes)) {
			sh.Note("  %d with %s", sum.Schemes[scheme], scheme)
		}
	}
	if weak := sum.Weak(); weak > 0 {
		sh.Note("%d of the hashes are one cheap digest: until their owners have logged in, whoever gets hold of the database guesses them fast", weak)
	}
	if sum.Conflict+sum.Refused > 0 {
		return failure.Refused("", "%d of %s not taken", sum.Conflict+sum.Refused, rows(sum.Rows))
	}
	return nil
}
