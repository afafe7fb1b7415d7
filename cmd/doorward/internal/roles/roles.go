// Package roles has the commands about roles: what they allow, and who has them.
package roles

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

// Shell is the program around the commands.
type Shell struct {
	shell.Shell

	// Beside runs a step on the people of the store that a command names.
	Beside func(cmd *cobra.Command, do func(context.Context, *account.People) error) error
	// Explain is what the program makes of other errors of account.
	Explain func(error) error
}

// Commands are those of "doorward role".
func (s Shell) Commands() []*cobra.Command {
	return []*cobra.Command{s.addCommand(), s.listCommand(), s.showCommand(), s.setCommand(), s.removeCommand()}
}

func (s Shell) addCommand() *cobra.Command {
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
		return s.Beside(cmd, func(ctx context.Context, people *account.People) error {
			r, err := people.AddRole(ctx, args[0], *scope, shell.Event())
			if err != nil {
				return s.explain(err)
			}
			s.noteRole(r, "is defined")
			return nil
		})
	}
	return cmd
}

func (s Shell) listCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all roles, also those that users have and nobody has defined",
		Args:  shell.Want(),
	}
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return s.Beside(cmd, func(ctx context.Context, people *account.People) error {
			list, err := all(ctx, people)
			if err != nil {
				return err
			}
			out, rows := make([]roleJSON, len(list)), make([][]string, len(list))
			for i, r := range list {
				out[i], rows[i] = jsonOf(r), []string{r.Name, fmt.Sprint(r.Users), shell.OrDash(r.Scope.String()), status(r)}
			}
			if *asJSON {
				return s.JSON(out)
			}
			return s.Table([]string{"NAME", "USERS", "SCOPE", "CREATED"}, rows)
		})
	}
	return cmd
}

func (s Shell) showCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "Show one role", Args: shell.Want("NAME")}
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.Beside(cmd, func(ctx context.Context, people *account.People) error {
			r, err := people.RoleByName(ctx, args[0])
			if err != nil {
				return s.explain(err)
			}
			if *asJSON {
				return s.JSON(jsonOf(r))
			}
			return s.Fields([][2]string{
				{"name", r.Name},
				{"users", fmt.Sprint(r.Users)},
				{"scope", shell.OrDash(r.Scope.String())},
				{"created", status(r)},
			})
		})
	}
	return cmd
}

func (s Shell) setCommand() *cobra.Command {
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
	change := changeFlags(cmd, "scope", "SCOPE")
	now := cmd.Flags().Bool("now", false, "end all sessions of who has the role")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := change()
		if err != nil {
			return failure.Misused(cmd.CommandPath()+" --help", "%v", err)
		}
		return s.Beside(cmd, func(ctx context.Context, people *account.People) error {
			r, ended, err := people.SetRole(ctx, args[0], nil, c, *now, shell.Event())
			if err != nil {
				return s.explain(err)
			}
			s.noteRole(r, "is changed")
			if *now {
				s.Note("all sessions of %s have ended", users(ended))
			}
			return nil
		})
	}
	return cmd
}

func (s Shell) removeCommand() *cobra.Command {
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
		return s.Beside(cmd, func(ctx context.Context, people *account.People) error {
			r, err := people.RoleByName(ctx, args[0])
			if err != nil {
				return s.explain(err)
			}
			if err := s.Confirm(*yes, "remove role "+r.Name+" and take it from "+users(r.Users)); err != nil {
				return err
			}
			n, err := people.RemoveRole(ctx, r.Name, *now, shell.Event())
			if err != nil {
				return s.explain(err)
			}
			s.Note("role %s is removed and taken from %s", r.Name, users(n))
			if *now {
				s.Note("all their sessions have ended")
			}
			return nil
		})
	}
	return cmd
}

func (s Shell) noteRole(r account.Role, what string) {
	s.Note("role %s %s: %s; %s", r.Name, what, orNone(r.Scope.String()), have(r.Users))
}

func status(r account.Role) string {
	if r.CreatedAt.IsZero() {
		return "not defined"
	}
	return ago.When(r.CreatedAt)
}

// explain turns what account refuses into what a person can act on.
func (s Shell) explain(err error) error {
	const list = "doorward role list"
	switch {
	case errors.Is(err, account.ErrNoRole):
		return failure.Refused(list, "there is no such role")
	case errors.Is(err, account.ErrRoleThere):
		return failure.Refused(list, "there is a role of this name already; doorward role set changes it")
	case errors.Is(err, account.ErrScopeWord), errors.Is(err, account.ErrRoleAdmin):
		return failure.Refused("", "%s", strings.TrimPrefix(err.Error(), "account: "))
	}
	return s.Explain(err)
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
