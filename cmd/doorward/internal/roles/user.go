package roles

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/spelling"
	"github.com/spf13/cobra"
)

// UserSet is "doorward user set".
func UserSet(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change the roles, the e-mail address or the external ID of a user",
		Long: `Change the roles, the e-mail address or the external ID of a user. Roles and the
external ID are in their tokens from the next refresh on; a token that they hold
stays as it is until it expires. With --now all their sessions end at once, and they
log in again.

The external ID is the user's ID at the API behind Doorward, which upstream.token and
the header Doorward-External-Id tell it. No two users have the same.

The last admin who can log in keeps the role admin. Who gets it and has still the
password that was generated for them must change that within 24 hours, and has no
admin rights until then.`,
		Example: `  doorward user set bob --add-role editor
  doorward user set bob --remove-role editor --now
  doorward user set bob --role editor --role auditor
  doorward user set bob --role ''
  doorward user set bob --email bob@example.com
  doorward user set bob --external-id 17`,
		Args: shell.Want("NAME"),
	}
	change := changeFlags(cmd, "role", "ROLE")
	email := cmd.Flags().String("email", "", "the e-mail `ADDRESS`; empty for none")
	externalID := cmd.Flags().String("external-id", "", "the `ID` of the user at the API; empty for none")
	now := cmd.Flags().Bool("now", false, "end all sessions of the user")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var edit account.UserEdit
		if cmd.Flags().Changed("email") {
			edit.Email = email
		}
		if cmd.Flags().Changed("external-id") {
			edit.ExternalID = externalID
		}
		c, err := change()
		rolesStay := errors.Is(err, errNothing)
		switch {
		case rolesStay && edit.ExternalID == nil && (edit.Email == nil || *now): // No token has an address in it.
			err = fmt.Errorf("%w, or --external-id, or --email without --now", err)
		case rolesStay:
			err = nil
		}
		edit.End = *now && edit.ExternalID != nil // also if the roles are refused then
		if err != nil {
			return failure.Misused(cmd.CommandPath()+" --help", "%v", err)
		}
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			u, err := b.User(ctx, args[0])
			if err == nil && edit != (account.UserEdit{}) {
				err = editUser(ctx, sh, b.People, u.ID, edit)
			}
			if err != nil || rolesStay {
				return err
			}
			return setRoles(ctx, sh, b.People, u, c, *now)
		})
	}
	return cmd
}

func editUser(ctx context.Context, sh shell.Shell, people *account.People, id string, e account.UserEdit) error {
	u, _, err := people.Edit(ctx, id, e, shell.Event())
	if err != nil {
		return backend.Explain(err)
	}
	if e.Email != nil {
		sh.Note("user %s has the e-mail address %s", u.Name, shell.OrDash(u.Email))
	}
	if e.ExternalID != nil {
		sh.Note("user %s has the external ID %s", u.Name, shell.OrDash(u.ExternalID))
	}
	if e.End {
		sh.Note("all their sessions have ended")
	}
	return nil
}

func setRoles(ctx context.Context, sh shell.Shell, people *account.People, was account.User, c account.Change, endSessions bool) error {
	u, _, err := people.SetRoles(ctx, was.ID, c, endSessions, shell.Event())
	if err != nil {
		return backend.Explain(err)
	}
	for _, role := range c.Remove {
		if !slices.Contains(was.Roles, role) {
			sh.Note("user %s did not have the role %q", u.Name, role)
		}
	}
	if err := NoteRoles(ctx, sh, people, u, was.Roles); err != nil {
		return err
	}
	if u.AdminWaits() {
		sh.Note("their password was generated: it works until %s, and they have no admin rights until they change it", u.PasswordExpiresAt.UTC().Format(time.RFC3339))
	}
	if endSessions {
		sh.Note("all their sessions have ended")
	}
	return nil
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

var errNothing = errors.New("nothing to do")

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
			return c, fmt.Errorf("%w: want --%[2]s, --add-%[2]s or --remove-%[2]s", errNothing, word)
		}
		return c, nil
	}
}
