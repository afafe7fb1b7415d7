// Package sessions has the commands about logins: which there are, and how they end.
package sessions

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/sid"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

// Command is "doorward session".
func Command(sh shell.Shell) *cobra.Command {
	return shell.Group("session", "List and end logins",
		listCommand(sh), showCommand(sh), revokeCommand(sh))
}

func listCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List sessions, newest first",
		Example: `  doorward session list --user alice
  doorward session list --all --json`,
		Args: shell.Want(),
	}
	name := cmd.Flags().String("user", "", "only sessions of the user `NAME`")
	all := cmd.Flags().Bool("all", false, "also sessions that have ended")
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			q := issuer.SessionQuery{Live: !*all}
			if cmd.Flags().Changed("user") {
				u, err := b.User(ctx, *name)
				if err != nil {
					return err
				}
				q.Subject = u.ID
			}
			list, err := sessions(ctx, b, q)
			if err != nil {
				return err
			}
			if *asJSON {
				return sh.JSON(list)
			}
			var rows [][]string
			for _, one := range list {
				rows = append(rows, []string{one.ID, shell.OrDash(one.User), one.ClientID, ago.When(one.CreatedAt), ago.When(one.LastUsedAt), one.status()})
			}
			return sh.Table([]string{"SESSION", "USER", "CLIENT", "CREATED", "LAST USED", "STATUS"}, rows)
		})
	}
	return cmd
}

func showCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "Show one session", Args: shell.Want("ID")}
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			one, err := sessionOf(ctx, b, args[0])
			if err != nil {
				return err
			}
			if *asJSON {
				return sh.JSON(one)
			}
			fields := [][2]string{
				{"session", one.ID},
				{"user", shell.OrDash(one.User)},
				{"subject", one.Subject},
				{"client", one.ClientID},
				{"scope", shell.OrDash(one.Scope)},
				{"audience", one.Audience},
				{"status", one.status()},
				{"created", ago.When(one.CreatedAt)},
				{"logged in", ago.When(one.AuthTime)},
				{"last used", ago.When(one.LastUsedAt)},
				{"lapses idle", ago.When(one.IdleEnd)},
				{"lapses", ago.When(one.AbsoluteEnd)},
			}
			if one.EndedAt != nil {
				fields = append(fields, [2]string{"ended by", endedBy(*one.EndedAt)})
			}
			return sh.Fields(fields)
		})
	}
	return cmd
}

func revokeCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke ID | --user NAME",
		Short: "End one session, or all of a user",
		Example: `  doorward session revoke 0199f3c2-7d5a-7000-8000-000000000000
  doorward session revoke --user alice`,
	}
	name := cmd.Flags().String("user", "", "end all sessions of the user `NAME`")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("user") {
			if len(args) > 0 {
				return failure.Misused(cmd.CommandPath()+" --help", "ID and --user exclude each other")
			}
			return nil
		}
		if len(args) == 0 {
			return failure.Misused(cmd.CommandPath()+" --help", "ID or --user NAME is missing")
		}
		return shell.Want("ID")(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			if cmd.Flags().Changed("user") {
				return revokeUser(ctx, sh, b, *name)
			}
			return revokeOne(ctx, sh, b, args[0])
		})
	}
	return cmd
}

func revokeOne(ctx context.Context, sh shell.Shell, b *backend.Backend, id string) error {
	one, err := sessionOf(ctx, b, id)
	if err != nil {
		return err
	}
	ev := shell.Event()
	ev.Kind, ev.Session, ev.Subject, ev.Reason = issuer.EventSessionEnd, one.ID, one.Subject, issuer.ReasonAdmin
	if _, err := b.Store.EndSession(ctx, one.ID, issuer.ReasonAdmin, ev); err != nil {
		return err
	}
	sh.Note("session %s has ended", one.ID)
	return nil
}

func revokeUser(ctx context.Context, sh shell.Shell, b *backend.Backend, name string) error {
	u, err := b.User(ctx, name)
	if err != nil {
		return err
	}
	ev := shell.Event()
	ev.Kind, ev.Subject, ev.Reason = issuer.EventSubjectEnd, u.ID, issuer.ReasonAdmin
	if _, err := b.Store.EndSubject(ctx, u.ID, issuer.ReasonAdmin, ev); err != nil {
		return err
	}
	sh.Note("all sessions of %s have ended", u.Name)
	return nil
}

// sessionOf returns one session by its ID. To a store an empty one would mean any.
func sessionOf(ctx context.Context, b *backend.Backend, id string) (one sessionJSON, err error) {
	var list []sessionJSON
	if sid.Valid(id) {
		list, err = sessions(ctx, b, issuer.SessionQuery{ID: id, Limit: 1})
	}
	if err != nil {
		return one, err
	}
	if len(list) == 0 {
		return one, failure.Refused("doorward session list --all", "there is no session %s", strconv.Quote(id))
	}
	return list[0], nil
}

// sessions returns every session that q selects.
func sessions(ctx context.Context, b *backend.Backend, q issuer.SessionQuery) ([]sessionJSON, error) {
	list, names := []sessionJSON{}, map[string]string{}
	if q.Limit == 0 {
		q.Limit = 1000
	}
	for {
		page, err := b.Store.Sessions(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, s := range page {
			name, err := nameOf(ctx, b, names, s.Subject)
			if err != nil {
				return nil, err
			}
			list = append(list, jsonOfSession(s, name))
		}
		if len(page) < q.Limit || q.ID != "" {
			return list, nil
		}
		q.Before = page[len(page)-1].ID
	}
}

// nameOf returns the name of a subject, "" for one who is no user any more.
func nameOf(ctx context.Context, b *backend.Backend, names map[string]string, subject string) (string, error) {
	if name, ok := names[subject]; ok {
		return name, nil
	}
	u, err := b.People.ByID(ctx, subject)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return "", err
	}
	names[subject] = u.Name
	return u.Name, nil
}

// sessionJSON is a session for programs. Its names are stable.
type sessionJSON struct {
	ID          string     `json:"id"`
	User        string     `json:"user"`
	Subject     string     `json:"subject"`
	ClientID    string     `json:"client_id"`
	Scope       string     `json:"scope"`
	Audience    string     `json:"audience"`
	Live        bool       `json:"live"`
	CreatedAt   time.Time  `json:"created_at"`
	AuthTime    time.Time  `json:"auth_time"`
	LastUsedAt  time.Time  `json:"last_used_at"`
	IdleEnd     time.Time  `json:"idle_end"`
	AbsoluteEnd time.Time  `json:"absolute_end"`
	EndedAt     *time.Time `json:"ended_at"`
	EndReason   string     `json:"end_reason"`
}

// jsonOfSession shows the last use to the hour: who holds a stolen token and
// reads this learns nothing of when its owner is there.
func jsonOfSession(s issuer.Session, user string) sessionJSON {
	return sessionJSON{
		ID: s.ID, User: user, Subject: s.Subject, ClientID: s.ClientID, Scope: s.Scope.String(), Audience: s.Audience,
		Live: s.Live(time.Now()), CreatedAt: s.CreatedAt.UTC(), AuthTime: s.AuthTime.UTC(), LastUsedAt: account.ShownUse(s.LastUsedAt, s.CreatedAt),
		IdleEnd: s.IdleEnd.UTC(), AbsoluteEnd: s.AbsoluteEnd.UTC(), EndedAt: ago.Optional(s.EndedAt), EndReason: s.OverFor(time.Now()),
	}
}

// endedBy is the command that shows what ended a session. It has the time of the transaction that did, and where that has
// ended others as well, its record names no session.
func endedBy(at time.Time) string {
	return "doorward audit search --since " + at.UTC().Format(audit.TimeForm) + " --until " + at.UTC().Add(time.Millisecond).Format(audit.TimeForm)
}

func (s sessionJSON) status() string {
	switch {
	case s.EndedAt != nil:
		return "ended: " + s.EndReason + ", " + ago.When(*s.EndedAt)
	case !s.Live:
		return "lapsed: " + s.EndReason
	}
	return "live"
}
