package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

func (a *app) sessionCommand() *cobra.Command {
	return newGroup("session", "List and end logins",
		a.sessionListCommand(), a.sessionShowCommand(), a.sessionRevokeCommand())
}

func (a *app) sessionListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List sessions, newest first",
		Example: `  doorward session list --user alice
  doorward session list --all --json`,
		Args: want(),
	}
	name := cmd.Flags().String("user", "", "only sessions of the user `NAME`")
	all := cmd.Flags().Bool("all", false, "also sessions that have ended")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.beside(cmd, func(ctx context.Context, b *backend) error {
			q := issuer.SessionQuery{Live: !*all}
			if *name != "" {
				u, err := b.byName(ctx, *name)
				if err != nil {
					return err
				}
				q.Subject = u.ID
			}
			list, err := b.sessions(ctx, q)
			if err != nil {
				return err
			}
			if *asJSON {
				return a.printJSON(list)
			}
			var rows [][]string
			for _, s := range list {
				rows = append(rows, []string{s.ID, orDash(s.User), s.ClientID, when(s.CreatedAt), when(s.LastUsedAt), s.status()})
			}
			return a.printTable([]string{"SESSION", "USER", "CLIENT", "CREATED", "LAST USED", "STATUS"}, rows)
		})
	}
	return cmd
}

func (a *app) sessionShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "Show one session", Args: want("ID")}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.beside(cmd, func(ctx context.Context, b *backend) error {
			s, err := b.session(ctx, args[0])
			if err != nil {
				return err
			}
			if *asJSON {
				return a.printJSON(s)
			}
			return a.printFields([][2]string{
				{"session", s.ID},
				{"user", orDash(s.User)},
				{"subject", s.Subject},
				{"client", s.ClientID},
				{"scope", orDash(s.Scope)},
				{"audience", s.Audience},
				{"status", s.status()},
				{"created", when(s.CreatedAt)},
				{"logged in", when(s.AuthTime)},
				{"last used", when(s.LastUsedAt)},
				{"lapses idle", when(s.IdleEnd)},
				{"lapses", when(s.AbsoluteEnd)},
			})
		})
	}
	return cmd
}

func (a *app) sessionRevokeCommand() *cobra.Command {
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
				return misused(cmd.CommandPath()+" --help", "ID and --user exclude each other")
			}
			return nil
		}
		return want("ID")(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.beside(cmd, func(ctx context.Context, b *backend) error {
			if cmd.Flags().Changed("user") {
				return a.revokeUser(ctx, b, *name)
			}
			return a.revokeSession(ctx, b, args[0])
		})
	}
	return cmd
}

func (a *app) revokeSession(ctx context.Context, b *backend, id string) error {
	s, err := b.session(ctx, id)
	if err != nil {
		return err
	}
	ev := event()
	ev.Kind, ev.Session, ev.Subject, ev.Reason = issuer.EventSessionEnd, s.ID, s.Subject, issuer.ReasonAdmin
	if _, err := b.store.EndSession(ctx, s.ID, issuer.ReasonAdmin, ev); err != nil {
		return err
	}
	a.note("session %s has ended", s.ID)
	return nil
}

func (a *app) revokeUser(ctx context.Context, b *backend, name string) error {
	u, err := b.byName(ctx, name)
	if err != nil {
		return err
	}
	ev := event()
	ev.Kind, ev.Subject, ev.Reason = issuer.EventSubjectEnd, u.ID, issuer.ReasonAdmin
	if _, err := b.store.EndSubject(ctx, u.ID, issuer.ReasonAdmin, ev); err != nil {
		return err
	}
	a.note("all sessions of %s have ended", u.Name)
	return nil
}

// session returns one session by its ID.
func (b *backend) session(ctx context.Context, id string) (sessionJSON, error) {
	list, err := b.sessions(ctx, issuer.SessionQuery{ID: id, Limit: 1})
	if err != nil {
		return sessionJSON{}, err
	}
	if len(list) == 0 {
		return sessionJSON{}, refused("doorward session list --all", "there is no session %s", strconv.Quote(id))
	}
	return list[0], nil
}

// sessions returns every session that q selects.
func (b *backend) sessions(ctx context.Context, q issuer.SessionQuery) ([]sessionJSON, error) {
	list, names := []sessionJSON{}, map[string]string{}
	if q.Limit == 0 {
		q.Limit = 1000
	}
	for {
		page, err := b.store.Sessions(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, s := range page {
			name, err := b.nameOf(ctx, names, s.Subject)
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
func (b *backend) nameOf(ctx context.Context, names map[string]string, subject string) (string, error) {
	if name, ok := names[subject]; ok {
		return name, nil
	}
	u, err := b.store.User(ctx, subject)
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
	used := s.LastUsedAt.UTC().Truncate(time.Hour)
	if used.Before(s.CreatedAt) {
		used = s.CreatedAt.UTC()
	}
	return sessionJSON{
		ID: s.ID, User: user, Subject: s.Subject, ClientID: s.ClientID, Scope: s.Scope.String(), Audience: s.Audience,
		Live: s.Live(time.Now()), CreatedAt: s.CreatedAt.UTC(), AuthTime: s.AuthTime.UTC(), LastUsedAt: used,
		IdleEnd: s.IdleEnd.UTC(), AbsoluteEnd: s.AbsoluteEnd.UTC(), EndedAt: optional(s.EndedAt), EndReason: s.OverFor(time.Now()),
	}
}

func (s sessionJSON) status() string {
	switch {
	case s.EndedAt != nil:
		return "ended: " + s.EndReason + ", " + when(*s.EndedAt)
	case !s.Live:
		return "lapsed: " + s.EndReason
	}
	return "live"
}
