package users

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/roles"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

func setCommand(sh shell.Shell) *cobra.Command {
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
	change := roles.Changes(cmd, "role", "ROLE")
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
		rolesStay := errors.Is(err, roles.ErrNothing)
		switch {
		case rolesStay && edit.ExternalID == nil && (edit.Email == nil || *now): // No token has an address in it.
			err = fmt.Errorf("%w, or --external-id, or --email without --now", err)
		case rolesStay:
			err = nil
		}
		if err != nil {
			return failure.Misused(cmd.CommandPath()+" --help", "%v", err)
		}
		edit.End = *now && edit.ExternalID != nil // also if the roles are refused then
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
	if err := roles.NoteRoles(ctx, sh, people, u, was.Roles); err != nil {
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
