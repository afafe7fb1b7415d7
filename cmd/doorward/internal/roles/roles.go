// Package roles has the commands about roles and what they allow, and what commands about users share with them.
package roles

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

// Command is "doorward role".
func Command(sh shell.Shell) *cobra.Command {
	return shell.Group("role", "Define what roles allow",
		addCommand(sh), listCommand(sh), showCommand(sh), setCommand(sh), removeCommand(sh))
}

func addCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Define a role and the scopes that it grants",
		Long: `Define a role. Whoever has it has its scopes, together with those of their other
roles: in the access token as "scope", beside "roles", from the next refresh on.

A scope is a word without spaces and is compared exactly: orders:* grants the word
orders:* and nothing else. Users may have roles that are not defined; these are
words in the token, and grant no scope.`,
		Example: `  doorward role add editor --scope orders:read --scope orders:write
  doorward user set bob --add-role editor`,
		Args: shell.Want("NAME"),
	}
	scope := cmd.Flags().StringArray("scope", nil, "a `SCOPE` of the role; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			r, err := b.People.AddRole(ctx, args[0], *scope, shell.Event())
			if err != nil {
				return explain(err)
			}
			noteRole(sh, r, "is defined")
			return nil
		})
	}
	return cmd
}

func listCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all roles, also those that users have and nobody has defined",
		Args:  shell.Want(),
	}
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			list, err := all(ctx, b.People)
			if err != nil {
				return err
			}
			out, rows := make([]roleJSON, len(list)), make([][]string, len(list))
			for i, r := range list {
				out[i], rows[i] = jsonOf(r), []string{r.Name, fmt.Sprint(r.Users), shell.OrDash(r.Scope.String()), status(r)}
			}
			if *asJSON {
				return sh.JSON(out)
			}
			return sh.Table([]string{"NAME", "USERS", "SCOPE", "CREATED"}, rows)
		})
	}
	return cmd
}

func showCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "Show one role", Args: shell.Want("NAME")}
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			r, err := b.People.RoleByName(ctx, args[0])
			if err != nil {
				return explain(err)
			}
			if *asJSON {
				return sh.JSON(jsonOf(r))
			}
			return sh.Fields([][2]string{
				{"name", r.Name},
				{"users", fmt.Sprint(r.Users)},
				{"scope", shell.OrDash(r.Scope.String())},
				{"created", status(r)},
			})
		})
	}
	return cmd
}

func setCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change the scopes of a role",
		Long: `Change the scopes of a role. Whoever has it has them from the next refresh on; a
token that they hold stays as it is until it expires. With --now all sessions of
everybody who has the role end at once, and they log in again.`,
		Example: `  doorward role set editor --add-scope orders:delete
  doorward role set editor --remove-scope orders:write --now
  doorward role set editor --scope ''`,
		Args: shell.Want("NAME"),
	}
	change := Changes(cmd, "scope", "SCOPE")
	now := cmd.Flags().Bool("now", false, "end all sessions of who has the role")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := change()
		if err != nil {
			return failure.Misused(cmd.CommandPath()+" --help", "%v", err)
		}
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			r, ended, err := b.People.SetRole(ctx, args[0], nil, c, *now, shell.Event())
			if err != nil {
				return explain(err)
			}
			noteRole(sh, r, "is changed")
			if *now {
				sh.Note("all sessions of %s have ended", users(ended))
			}
			return nil
		})
	}
	return cmd
}

func removeCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a role, and take it from everybody who has it",
		Long: `Remove a role, and take it from everybody who has it: from their next refresh on,
and with --now at once, because all their sessions end.`,
		Args: shell.Want("NAME"),
	}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	now := cmd.Flags().Bool("now", false, "end all sessions of who had the role")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			r, err := b.People.RoleByName(ctx, args[0])
			if err != nil {
				return explain(err)
			}
			if err := sh.Confirm(*yes, "remove role "+r.Name+" and take it from "+users(r.Users)); err != nil {
				return err
			}
			n, err := b.People.RemoveRole(ctx, r.Name, *now, shell.Event())
			if err != nil {
				return explain(err)
			}
			sh.Note("role %s is removed and taken from %s", r.Name, users(n))
			if *now {
				sh.Note("all their sessions have ended")
			}
			return nil
		})
	}
	return cmd
}

func noteRole(sh shell.Shell, r account.Role, what string) {
	sh.Note("role %s %s: %s; %s", r.Name, what, orNone(r.Scope.String()), have(r.Users))
}

func status(r account.Role) string {
	if r.CreatedAt.IsZero() {
		return "not defined"
	}
	return ago.When(r.CreatedAt)
}

// explain turns what account refuses into what a person can act on.
func explain(err error) error {
	const list = "doorward role list"
	switch {
	case errors.Is(err, account.ErrNoRole):
		return failure.Refused(list, "there is no such role")
	case errors.Is(err, account.ErrRoleThere):
		return failure.Refused(list, "there is a role of this name already; doorward role set changes it")
	case errors.Is(err, account.ErrScopeWord), errors.Is(err, account.ErrRoleAdmin):
		return failure.Refused("", "%s", strings.TrimPrefix(err.Error(), "account: "))
	}
	return backend.Explain(err)
}

func all(ctx context.Context, people *account.People) ([]account.Role, error) {
	var list []account.Role
	for after := ""; ; {
		page, err := people.ListRoles(ctx, account.Query{After: after, Limit: account.MaxPage})
		if err != nil || len(page) == 0 {
			return list, err
		}
		list, after = append(list, page...), page[len(page)-1].Name
	}
}

// roleJSON is a role for programs. Its names are stable.
type roleJSON struct {
	Name      string     `json:"name"`
	Scope     string     `json:"scope"`
	Users     int        `json:"users"`
	CreatedAt *time.Time `json:"created_at"` // null for a role that is not defined
}

func jsonOf(r account.Role) roleJSON {
	out := roleJSON{Name: r.Name, Scope: r.Scope.String(), Users: r.Users}
	if !r.CreatedAt.IsZero() {
		out.CreatedAt = &r.CreatedAt
	}
	return out
}

// have and users count people.
func have(n int) string {
	if n == 1 {
		return "1 user has it"
	}
	return fmt.Sprintf("%d users have it", n)
}

func users(n int) string {
	if n == 1 {
		return "1 user"
	}
	return fmt.Sprintf("%d users", n)
}

func orNone(scope string) string {
	if scope == "" {
		return "no scope"
	}
	return "scope " + scope
}
