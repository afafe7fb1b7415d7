package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/roster"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/password"
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

func (a *app) userImportCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import --from FILE",
		Short: "Add users of another program, with their passwords",
		Long:  importHelp,
		Example: `  doorward user import --from sqlite:app.db --table user --dry-run
  doorward user import --from sqlite:db.sqlite3 --table auth_user --hash-col password --active-col is_active
  doorward user import --from users.csv --username-col email --role customer`,
		Args: want(),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "a `FILE` (.csv or .jsonl), or sqlite:FILE")
	flags.StringVar(&f.format, "format", "", "csv or jsonl, where the name of the file does not say")
	flags.StringVar(&f.table, "table", "", "the `TABLE` of an SQLite database")
	flags.StringVar(&f.columns.Name, "username-col", roster.Written.Name, "the `COLUMN` of the name to log in with")
	flags.StringVar(&f.columns.Hash, "hash-col", roster.Written.Hash, "the `COLUMN` of the hash")
	flags.StringVar(&f.columns.Roles, "roles-col", "", "a `COLUMN` of roles, separated by commas or spaces")
	flags.StringVar(&f.columns.Disabled, "disabled-col", "", "a `COLUMN` that is true of those who may not log in")
	flags.StringVar(&f.columns.Active, "active-col", "", "a `COLUMN` that is true of those who may log in")
	flags.BoolVar(&f.columns.AllEnabled, "all-enabled", false, "let everybody log in, whatever a column is_active or disabled says")
	flags.StringArrayVar(&f.roles, "role", nil, "a `ROLE` for every user; may be repeated")
	flags.BoolVar(&f.dry, "dry-run", false, "say what would be done, and do nothing")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON: an object for each row not added, and the summary")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.beside(cmd, func(ctx context.Context, b *backend) error {
			source, place, err := f.open(ctx)
			if err != nil {
				return unopenedSource(f, err)
			}
			run := &importRun{app: a, people: b.people, source: source, flags: f, place: place, bar: a.progress("users")}
			return errors.Join(run.all(ctx), source.Close())
		})
	}
	return cmd
}

// open opens the source and says what one of its rows is called.
func (f importFlags) open(ctx context.Context) (source roster.Reader, place string, err error) {
	path, isTable := strings.CutPrefix(f.from, "sqlite:")
	switch {
	case path == "":
		return nil, "", misused("doorward user import --help", "--from is missing")
	case isTable && f.table == "":
		return nil, "", misused("sqlite3 "+path+" .tables", "--table is missing")
	case !isTable && f.table != "":
		return nil, "", misused("--from sqlite:"+path, "--table is for an SQLite database")
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
	return "", misused("--format csv or --format jsonl", "the name %s does not say what the file holds", path)
}

// unopenedSource says why nothing can be read and what to do.
func unopenedSource(f importFlags, err error) error {
	text := strings.TrimPrefix(err.Error(), "roster: ")
	switch {
	case errors.Is(err, roster.ErrColumn):
		return misused("--username-col, --hash-col and the like name columns of the source", "%s: %s", f.from, text)
	case errors.Is(err, roster.ErrStatus):
		return misused("--active-col or --disabled-col names it; --all-enabled lets everybody log in", "%s: %s", f.from, text)
	case errors.Is(err, roster.ErrTable), errors.Is(err, roster.ErrSyntax), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return failed(err, "", "cannot read %s: %s", f.from, strings.TrimPrefix(cause(err).Error(), "roster: "))
	}
	return err
}

// importRun is one run of the command.
type importRun struct {
	*app
	people *account.People
	source roster.Reader
	flags  importFlags
	place  string // "line" or "row"
	bar    *progress
	sum    importSum
	would  map[uint64]uint64 // in a dry run: who would be there, and with which hash
	seed   maphash.Seed
}

// importSum is what the run has done. Its JSON names are stable.
type importSum struct {
	DryRun   bool           `json:"dry_run"`
	Rows     int            `json:"rows"`
	Added    int            `json:"added"`
	Present  int            `json:"present"`
	Conflict int            `json:"conflict"`
	Refused  int            `json:"refused"`
	Schemes  map[string]int `json:"schemes"` // of those added
}

// all reads to the end, in batches.
func (r *importRun) all(ctx context.Context) error {
	r.sum.DryRun, r.sum.Schemes = r.flags.dry, map[string]int{}
	r.would, r.seed = map[uint64]uint64{}, maphash.MakeSeed()
	for {
		batch, stopped := r.batch()
		if err := r.add(ctx, batch); err != nil {
			return err
		}
		read, whole := r.source.Progress()
		r.bar.show(r.sum.Rows, read, whole)
		if stopped == nil {
			continue
		}
		r.bar.clear()
		if errors.Is(stopped, io.EOF) {
			return r.summarise()
		}
		return errors.Join(r.summarise(), unopenedSource(r.flags, stopped))
	}
}

// batch returns the next rows, and the error that there are no more after them.
func (r *importRun) batch() (rows []roster.Row, stopped error) {
	for len(rows) < account.MaxImport {
		row, err := r.source.Next()
		if bad, ok := errors.AsType[*roster.RowError](err); ok {
			r.sum.Rows++
			err = r.refuse(bad.Place, bad.Name, bad.Reason)
		} else if err == nil {
			rows = append(rows, row)
		}
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// add imports a batch and tells who was not added.
func (r *importRun) add(ctx context.Context, batch []roster.Row) error {
	users := make([]account.Imported, len(batch))
	for i, row := range batch {
		users[i] = account.Imported{Name: row.Name, Hash: row.Hash, Roles: slices.Concat(row.Roles, r.flags.roles), Disabled: row.Disabled}
	}
	ev := event()
	ev.Reason = "import from " + filepath.Base(r.flags.from)
	verdicts, err := r.people.Import(ctx, users, r.flags.dry, ev)
	if err != nil {
		return err
	}
	for i, verdict := range verdicts {
		r.sum.Rows++
		if verdict == nil && r.flags.dry {
			verdict = r.again(batch[i])
		}
		if err := r.count(batch[i], verdict); err != nil {
			return err
		}
	}
	return nil
}

func (r *importRun) count(row roster.Row, verdict error) error {
	switch {
	case verdict == nil:
		r.sum.Added++
		if scheme, err := password.Recognize(row.Hash); err == nil {
			r.sum.Schemes[scheme]++
		}
		return nil
	case errors.Is(verdict, account.ErrPresent):
		r.sum.Present++
		return nil
	case errors.Is(verdict, account.ErrNameTaken):
		r.sum.Conflict++
		return r.tell(row.Place, row.Name, "a user of this name is here already with another hash, and stays as they are")
	}
	return r.refuse(row.Place, row.Name, reasonOf(verdict))
}

// again says what a row of a dry run would meet that an earlier row would have left.
func (r *importRun) again(row roster.Row) error {
	_, canonical, err := account.ParseName(row.Name)
	if err != nil {
		return err
	}
	name, hash := maphash.String(r.seed, canonical), maphash.String(r.seed, row.Hash)
	before, there := r.would[name]
	switch {
	case !there:
		r.would[name] = hash
		return nil
	case before == hash:
		return account.ErrPresent
	}
	return account.ErrNameTaken
}

func (r *importRun) refuse(place int, name, reason string) error {
	r.sum.Refused++
	return r.tell(place, name, reason)
}

// tell prints a row that was not added. The name is what the source says, so it is quoted.
func (r *importRun) tell(place int, name, reason string) error {
	r.bar.clear()
	if r.flags.asJSON {
		return json.NewEncoder(r.out).Encode(map[string]any{r.place: place, "username": fmt.Sprintf("%.80s", name), "reason": reason})
	}
	_, err := fmt.Fprintf(r.out, "%s %d\t%.80q\t%s\n", r.place, place, name, reason)
	return err
}

// reasonOf is why a row is refused, for people.
func reasonOf(err error) string {
	text := strings.TrimPrefix(err.Error(), "account: ")
	if errors.Is(err, password.ErrHash) {
		return "the hash is not taken: " + strings.TrimPrefix(text, password.ErrHash.Error()+": ")
	}
	return text
}

func (r *importRun) summarise() error {
	s := r.sum
	if r.flags.asJSON {
		if err := json.NewEncoder(r.out).Encode(s); err != nil {
			return err
		}
	} else {
		done := "added"
		if s.DryRun {
			done = "would be added"
		}
		r.note("%d rows: %d %s, %d here already, %d in conflict, %d refused", s.Rows, s.Added, done, s.Present, s.Conflict, s.Refused)
	}
	weak := 0
	for _, scheme := range slices.Sorted(maps.Keys(s.Schemes)) {
		if strings.HasPrefix(scheme, "salted ") {
			weak += s.Schemes[scheme]
		}
		if !r.flags.asJSON {
			r.note("  %d with %s", s.Schemes[scheme], scheme)
		}
	}
	if weak > 0 {
		r.note("%d of the hashes are one cheap digest: until their owners have logged in, whoever gets hold of the database guesses them fast", weak)
	}
	if s.Conflict+s.Refused > 0 {
		return refused("", "%d of %d rows were not taken", s.Conflict+s.Refused, s.Rows)
	}
	return nil
}
