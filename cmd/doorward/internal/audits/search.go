package audits

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/audit"
	"github.com/spf13/cobra"
)

// followPace is how often tail -f looks for what was sealed.
const followPace = time.Second

func tailCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show the last records, and follow those that come",
		Long: `Show the last records, the newest at the end. With -f go on with what is sealed from
then on, once a second and in the order in which it is sealed, which loses nothing; a
running server seals.`,
		Example: `  doorward audit tail
  doorward audit tail -f --json`,
		Args: shell.Want(),
	}
	lines := cmd.Flags().IntP("lines", "n", 20, "how many records, `N` at most 1000")
	follow := cmd.Flags().BoolP("follow", "f", false, "go on until interrupted")
	asJSON := cmd.Flags().Bool("json", false, "print JSON, a line for each record")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *lines < 0 || *lines > audit.MaxLimit {
			return failure.Misused("", "--lines: want 0 to %d", audit.MaxLimit)
		}
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			return tail(ctx, b.Store.Audit, newPrinter(sh, b.People, *asJSON), *lines, *follow)
		})
	}
	return cmd
}

func tail(ctx context.Context, store audit.Store, p *printer, lines int, follow bool) error {
	page, err := store.AuditChain(ctx, math.MaxInt64)
	if err != nil {
		return err
	}
	var list []audit.Record
	if lines > 0 {
		if list, err = store.SearchAudit(ctx, audit.Query{Limit: lines}); err != nil {
			return err
		}
	}
	seen := map[int64]bool{}
	for _, r := range slices.Backward(list) {
		seen[r.Seq] = true
		if err := p.print(ctx, r); err != nil {
			return err
		}
	}
	for after := page.Last.Number; follow; {
		if after, err = sealed(ctx, store, p, after, seen); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followPace):
		}
	}
	return nil
}

// sealed prints what was sealed behind a block, but for what was seen before that, and
// returns the last block.
func sealed(ctx context.Context, store audit.Store, p *printer, after int64, seen map[int64]bool) (int64, error) {
	for {
		page, err := store.AuditChain(ctx, after)
		if ctx.Err() != nil {
			return after, nil //nolint:nilerr // Whoever follows has ended it.
		}
		if err != nil || len(page.Blocks) == 0 {
			return after, err
		}
		after = page.Blocks[len(page.Blocks)-1].Number
		for _, r := range page.Records {
			if seen[r.Seq] {
				delete(seen, r.Seq)
				continue
			}
			if err := p.print(ctx, r); err != nil {
				return after, err
			}
		}
	}
}

// searchFlags are the flags that select records.
type searchFlags struct {
	user, actor, address, session, request, since, until string
	kinds                                                []string
	before                                               int64
	limit                                                int
}

func searchCommand(sh shell.Shell) *cobra.Command {
	var f searchFlags
	cmd := &cobra.Command{
		Use:   "search",
		Short: "Show the records of a user, an address, a kind, a time",
		Long: `Show the records that all flags select, the newest first. --since and --until take a
time (2026-11-22T10:00:00Z, 2026-11-22) or how long ago it was (90m, 7d). Where there is
more than --limit, the next page is that --before the last record.`,
		Example: `  doorward audit search --user alice --since 7d
  doorward audit search --kind login_failed --kind login_throttled --address 203.0.113.9
  doorward audit search --actor cli:root --json`,
		Args: shell.Want(),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "whom it is about: the `NAME` or ID of a user, the ID of a client, role:NAME")
	flags.StringVar(&f.actor, "actor", "", "who did it: the `NAME` or ID of a user, the ID of a client, cli:NAME")
	flags.StringSliceVar(&f.kinds, "kind", nil, "what happened, a `KIND` such as login_failed; may be repeated")
	flags.StringVar(&f.address, "address", "", "the `ADDRESS` where the request came from")
	flags.StringVar(&f.session, "session", "", "the `ID` of a session")
	flags.StringVar(&f.request, "request", "", "the `ID` of a request")
	flags.StringVar(&f.since, "since", "", "from this `TIME` on")
	flags.StringVar(&f.until, "until", "", "before this `TIME`")
	flags.Int64Var(&f.before, "before", 0, "before the record with this `SEQ`")
	flags.IntVar(&f.limit, "limit", audit.DefaultLimit, "how many records, `N` at most 1000")
	asJSON := flags.Bool("json", false, "print JSON, a line for each record")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkFlags(cmd, f); err != nil {
			return err
		}
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			q, err := query(ctx, b.People, f)
			if err != nil {
				return err
			}
			return search(ctx, sh, b.Store.Audit, newPrinter(sh, b.People, *asJSON), q)
		})
	}
	return cmd
}

// checkFlags refuses a flag without a value: it would be taken for one that was not given.
func checkFlags(cmd *cobra.Command, f searchFlags) error {
	for _, name := range []string{"user", "actor", "kind", "address", "session", "request", "since", "until"} {
		flag := cmd.Flags().Lookup(name)
		if text := flag.Value.String(); flag.Changed && (text == "" || text == "[]") {
			return failure.Misused(cmd.CommandPath()+" --help", "--%s has no value", name)
		}
	}
	switch {
	case f.limit < 1 || f.limit > audit.MaxLimit:
		return failure.Misused("", "--limit: want 1 to %d", audit.MaxLimit)
	case f.before < 0 || cmd.Flags().Changed("before") && f.before == 0:
		return failure.Misused("", "--before: want the number of a record, which is above 0")
	}
	return nil
}

func search(ctx context.Context, sh shell.Shell, store audit.Store, p *printer, q audit.Query) error {
	list, err := store.SearchAudit(ctx, q)
	if err != nil {
		return err
	}
	for _, r := range list {
		if err := p.print(ctx, r); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		sh.Note("no record fits")
	}
	if len(list) == q.Limit {
		sh.Note("there may be more: --before %d", list[len(list)-1].Seq)
	}
	return nil
}

// flagOf are the flags that have another name than the field of a query.
var flagOf = map[string]string{"subject": "user", "request_id": "request"}

func query(ctx context.Context, people *account.People, f searchFlags) (q audit.Query, err error) {
	asked := audit.Asked{Address: f.address, Session: f.session, RequestID: f.request, Kinds: f.kinds}
	if asked.Since, err = moment("--since", f.since); err != nil {
		return q, err
	}
	if asked.Until, err = moment("--until", f.until); err != nil {
		return q, err
	}
	if asked.Subject, err = named(ctx, people, f.user); err != nil {
		return q, err
	}
	if asked.Actor, err = named(ctx, people, f.actor); err != nil {
		return q, err
	}
	q, err = asked.Query()
	if bad, ok := errors.AsType[*audit.FieldError](err); ok {
		return q, failure.Misused("doorward audit search --help", "--%s %s", cmp.Or(flagOf[bad.Field], bad.Field), bad.Want)
	}
	q.Before, q.Limit = f.before, f.limit
	return q, err
}

// named is the ID of the user with a name. What is nobody's name may be an ID: that of a client, or of a user who is gone. What
// has the form of an ID is no name, so that nobody hides another's records by taking it for theirs.
func named(ctx context.Context, people *account.People, name string) (string, error) {
	if name == "" || strings.Contains(name, ":") {
		return name, nil
	}
	if id, ok := account.ParseID(name); ok {
		return id, nil
	}
	u, err := people.ByName(ctx, name)
	if errors.Is(err, account.ErrNotFound) {
		if audit.IsParty(name) {
			return name, nil
		}
		return "", failure.Refused("doorward user list", "there is no user %q; one who was deleted is found by their ID, and so is a client", name)
	}
	return u.ID, err
}

func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	d, err := config.ParseDuration(text)
	if err != nil || d < 0 {
		return time.Time{}, failure.Misused("", "%s: want a time such as 2026-11-22T10:00:00Z or 2026-11-22, or how long ago, such as 90m or 7d", flag)
	}
	return time.Now().Add(-d), nil
}
