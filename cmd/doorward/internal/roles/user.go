package roles

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

// UserSet is "doorward user set".
func (s Shell) UserSet() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change the roles of a user",
		Long: `Change the roles of a user: in their tokens from the next refresh on. A token that
they hold stays as it is until it expires. With --now all their sessions end at
once, and they log in again.

The last admin who can log in keeps the role admin.`,
		Example: `  doorward user set bob --add-role editor
  doorward user set bob --remove-role editor --now
  doorward user set bob --role editor --role auditor
  doorward user set bob --role ''`,
		Args: s.Name,
	}
	change := changeFlags(cmd, "role", "ROLE")
	now := cmd.Flags().Bool("now", false, "end all sessions of the user")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := change()
		if err != nil {
			return s.Misused(cmd.CommandPath()+" --help", "%v", err)
		}
		return s.Beside(cmd, func(ctx context.Context, people *account.People) error {
			return s.setUser(ctx, people, args[0], c, *now)
		})
	}
	return cmd
}

func (s Shell) setUser(ctx context.Context, people *account.People, name string, c account.Change, now bool) error {
	u, err := people.ByName(ctx, name)
	if errors.Is(err, account.ErrNotFound) {
		return s.Refused("doorward user list", "there is no user %q", name)
	}
	if err != nil {
		return err
	}
	if u, _, err = people.SetRoles(ctx, u.ID, c, now, s.Event()); err != nil {
		return s.Explain(err)
	}
	scope, err := people.ScopeOf(ctx, u.ID)
	if err != nil {
		return s.Explain(err)
	}
	s.Note("user %s has the roles %s, and %s", u.Name, orDash(strings.Join(u.Roles, ",")), orNone(scope.String()))
	if now {
		s.Note("all their sessions have ended")
	}
	return nil
}

// changeFlags adds --word, --add-word and --remove-word, and returns what reads them.
func changeFlags(cmd *cobra.Command, word, value string) func() (account.Change, error) {
	flags := cmd.Flags()
	to := flags.StringArray(word, nil, "a `"+value+"` in the place of those that are there; may be repeated; empty for none")
	add := flags.StringArray("add-"+word, nil, "one `"+value+"` more; may be repeated")
	remove := flags.StringArray("remove-"+word, nil, "one `"+value+"` less; may be repeated")
	return func() (account.Change, error) {
		c := account.Change{Replace: flags.Changed(word), Add: *add, Remove: *remove}
		c.To = slices.DeleteFunc(slices.Clone(*to), func(w string) bool { return w == "" })
		switch more := len(*add)+len(*remove) > 0; {
		case c.Replace && more:
			return c, fmt.Errorf("--%[1]s excludes --add-%[1]s and --remove-%[1]s", word)
		case !c.Replace && !more:
			return c, fmt.Errorf("nothing to do: want --%[1]s, --add-%[1]s or --remove-%[1]s", word)
		}
		return c, nil
	}
}
