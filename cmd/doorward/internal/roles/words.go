package roles

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/spelling"
	"github.com/spf13/cobra"
)

// ErrNothing says that no flag asks for a change.
var ErrNothing = errors.New("nothing to do")

// Changes adds --word, --add-word and --remove-word, and returns what reads them.
func Changes(cmd *cobra.Command, word, value string) func() (account.Change, error) {
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
			return c, fmt.Errorf("%w: want --%[2]s, --add-%[2]s or --remove-%[2]s", ErrNothing, word)
		}
		return c, nil
	}
}

// NoteRoles says which roles a user has, which scope these give, and which that the user did not have before nobody has
// defined.
func NoteRoles(ctx context.Context, sh shell.Shell, people *account.People, u account.User, before []string) error {
	scope, err := people.ScopeOf(ctx, u.ID)
	if err != nil {
		return backend.Explain(err)
	}
	sh.Note("user %s has the roles %s, and %s", u.Name, shell.OrDash(strings.Join(u.Roles, ",")), orNone(scope.String()))
	list, err := all(ctx, people)
	if err != nil {
		return backend.Explain(err)
	}
	defined := []string{account.RoleAdmin}
	for _, r := range list {
		if !r.CreatedAt.IsZero() {
			defined = append(defined, r.Name)
		}
	}
	for _, role := range u.Roles {
		if slices.Contains(defined, role) || slices.Contains(before, role) {
			continue
		}
		meant := ""
		if near := spelling.Nearest(role, defined, 2); near != "" {
			meant = "; did you mean " + near + "?"
		}
		sh.Note("the role %s is not defined: it is a word in the token, and gives no scope%s", role, meant)
	}
	return nil
}
