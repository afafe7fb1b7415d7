// Package users has the commands about the people who can log in.
package users

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/roles"
	"github.com/doorward/doorward/cmd/doorward/internal/rosters"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/password"
	"github.com/spf13/cobra"
)

// Command is "doorward user".
func Command(sh shell.Shell) *cobra.Command {
	return shell.Group("user", "Add, list and change the people who can log in",
		addCommand(sh), listCommand(sh), showCommand(sh), setCommand(sh),
		disableCommand(sh), enableCommand(sh), deleteCommand(sh), passwdCommand(sh), resetCommand(sh),
		rosters.Import(sh), rosters.Export(sh))
}

func addCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user and print a password for them",
		Long: `Add a user. A password is generated and printed, unless --password-stdin reads
one line from standard input. A generated password of a user with the role admin
must be changed within 24 hours and gives no admin rights until it is.`,
		Example: `  doorward user add alice
  doorward user add bob --email bob@example.com --role editor --role auditor
  printf '%s\n' "$PASSWORD" | doorward user add carol --password-stdin`,
		Args: shell.Want("NAME"),
	}
	named := cmd.Flags().StringArray("role", nil, "a `ROLE` of the user; may be repeated")
	email := cmd.Flags().String("email", "", "the e-mail `ADDRESS` of the user")
	externalID := cmd.Flags().String("external-id", "", "the `ID` of the user at the API")
	stdin := cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			secret, err := newPassword(sh, b, *stdin)
			if err != nil {
				return err
			}
			n := account.NewUser{Name: args[0], Email: *email, ExternalID: *externalID, Roles: *named, Password: secret}
			if n.MustChange = !*stdin; n.MustChange && slices.Contains(*named, account.RoleAdmin) {
				n.Lifetime = account.InitialLifetime
			}
			u, err := b.People.Add(ctx, n, shell.Event())
			if err != nil {
				return backend.Explain(err)
			}
			if err := printPassword(sh, u, secret, *stdin, *asJSON); err != nil || len(u.Roles) == 0 || *asJSON {
				return err
			}
			return roles.NoteRoles(ctx, sh, b.People, u, nil)
		})
	}
	return cmd
}

func passwdCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Set another password and end all sessions of the user",
		Long: `Set another password: one that is generated and printed, or one line from
standard input. All sessions of the user end. A generated password of a user with
the role admin must be changed within 24 hours and gives no admin rights until it is.`,
		Example: `  doorward user passwd admin
  printf '%s\n' "$PASSWORD" | doorward user passwd alice --password-stdin`,
		Args: shell.Want("NAME"),
	}
	stdin := cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = forUser(sh, func(ctx context.Context, b *backend.Backend, u account.User) error {
		secret, err := newPassword(sh, b, *stdin)
		if err != nil {
			return err
		}
		if _, err := b.People.SetPassword(ctx, u.ID, secret, !*stdin, shell.Event()); err != nil {
			return backend.Explain(err)
		}
		if u, err = b.People.ByID(ctx, u.ID); err != nil {
			return backend.Explain(err)
		}
		if err := printPassword(sh, u, secret, *stdin, *asJSON); err != nil || u.Canonical != account.RoleAdmin {
			return err
		}
		return folder.RemovePasswordFile(b.Config)
	})
	return cmd
}

func listCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List all users", Args: shell.Want()}
	externalID := cmd.Flags().String("external-id", "", "only the user with this `ID` at the API")
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			users, err := listed(ctx, b.People, *externalID)
			if err != nil {
				return err
			}
			if *asJSON {
				list := make([]userJSON, len(users))
				for i, u := range users {
					list[i] = jsonOfUser(u)
				}
				return sh.JSON(list)
			}
			var rows [][]string
			for _, u := range users {
				rows = append(rows, []string{u.Name, shell.OrDash(u.Email), shell.OrDash(strings.Join(u.Roles, ",")), statusOf(u), ago.When(u.CreatedAt)})
			}
			return sh.Table([]string{"NAME", "E-MAIL", "ROLES", "STATUS", "CREATED"}, rows)
		})
	}
	return cmd
}

func showCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "Show one user", Args: shell.Want("NAME")}
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = forUser(sh, func(ctx context.Context, b *backend.Backend, u account.User) error {
		scope, err := b.People.ScopeOf(ctx, u.ID)
		if err != nil {
			return backend.Explain(err)
		}
		if *asJSON {
			return sh.JSON(struct {
				userJSON
				Scope string `json:"scope"`
			}{jsonOfUser(u), scope.String()})
		}
		return sh.Fields([][2]string{
			{"name", u.Name},
			{"id", u.ID},
			{"e-mail", shell.OrDash(u.Email)},
			{"external id", shell.OrDash(u.ExternalID)},
			{"roles", shell.OrDash(strings.Join(u.Roles, ","))},
			{"scope", shell.OrDash(scope.String())},
			{"status", statusOf(u)},
			{"created", ago.When(u.CreatedAt)},
			{"password changed", ago.When(u.PasswordChangedAt)},
			{"password expires", ago.When(u.PasswordExpiresAt)},
		})
	})
	return cmd
}

func disableCommand(sh shell.Shell) *cobra.Command {
	return &cobra.Command{
		Use: "disable NAME", Short: "Disable a user and end all their sessions", Args: shell.Want("NAME"),
		RunE: forUser(sh, func(ctx context.Context, b *backend.Backend, u account.User) error {
			if _, err := b.People.Disable(ctx, u.ID, shell.Event()); err != nil {
				return backend.Explain(err)
			}
			sh.Note("user %s is disabled, and all their sessions have ended", u.Name)
			return nil
		}),
	}
}

func enableCommand(sh shell.Shell) *cobra.Command {
	return &cobra.Command{
		Use: "enable NAME", Short: "Let a disabled user log in again", Args: shell.Want("NAME"),
		RunE: forUser(sh, func(ctx context.Context, b *backend.Backend, u account.User) error {
			if err := b.People.Enable(ctx, u.ID, shell.Event()); err != nil {
				return backend.Explain(err)
			}
			sh.Note("user %s is enabled and can log in", u.Name)
			return nil
		}),
	}
}

func deleteCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a user and end all their sessions",
		Long:  "Delete a user and end all their sessions. The name is free again; whoever gets it is somebody else.",
		Args:  shell.Want("NAME"),
	}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	cmd.RunE = forUser(sh, func(ctx context.Context, b *backend.Backend, u account.User) error {
		if err := sh.Confirm(*yes, "delete user "+u.Name); err != nil {
			return err
		}
		if _, err := b.People.Delete(ctx, u.ID, shell.Event()); err != nil {
			return backend.Explain(err)
		}
		sh.Note("user %s is deleted, and all their sessions have ended", u.Name)
		return nil
	})
	return cmd
}

// forUser makes the step of a command whose argument is the name of a user.
func forUser(sh shell.Shell, do func(context.Context, *backend.Backend, account.User) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			u, err := b.User(ctx, args[0])
			if err != nil {
				return err
			}
			return do(ctx, b, u)
		})
	}
}

// newPassword reads a password, or generates one. That one will have been on a screen or in a
// file, so it opens an admin's account for one day and for its change alone.
func newPassword(sh shell.Shell, b *backend.Backend, stdin bool) (string, error) {
	if b.BreachedErr != nil {
		return "", b.BreachedErr
	}
	if !stdin {
		return password.Generate(), nil
	}
	secret, err := sh.ReadLine(password.MaxBytes)
	if err != nil {
		return "", err
	}
	if secret == "" {
		return "", failure.Misused("", "no password on standard input")
	}
	return secret, nil
}

// printPassword prints what was generated, on stdout and nothing else there.
func printPassword(sh shell.Shell, u account.User, secret string, chosen, asJSON bool) error {
	if asJSON {
		out := struct {
			userJSON
			Password string `json:"password,omitempty"`
		}{userJSON: jsonOfUser(u)}
		if !chosen {
			out.Password = secret
		}
		return sh.JSON(out)
	}
	sh.Note("user %s (%s)", u.Name, u.ID)
	if chosen {
		return nil
	}
	if u.AdminWaits() {
		sh.Note("the password works until %s and gives no admin rights until it is changed", ago.When(u.PasswordExpiresAt))
	}
	_, err := sh.Out.Write([]byte(secret + "\n"))
	return err
}

// listed returns all users, or the one with an external ID.
func listed(ctx context.Context, people *account.People, externalID string) ([]account.User, error) {
	if externalID == "" {
		return allUsers(ctx, people)
	}
	u, err := people.ByExternalID(ctx, externalID)
	if errors.Is(err, account.ErrNotFound) {
		return nil, nil
	}
	return []account.User{u}, err
}

func allUsers(ctx context.Context, people *account.People) ([]account.User, error) {
	var all []account.User
	for after := ""; ; {
		page, err := people.List(ctx, account.Query{After: after, Limit: 1000})
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		after = page[len(page)-1].Canonical
	}
}

// userJSON is a user for programs. Its names are stable.
type userJSON struct {
	ID                string     `json:"id"`
	Name              string     `json:"name"`
	Email             string     `json:"email"`       // empty if none is known
	ExternalID        string     `json:"external_id"` // empty if there is none
	Roles             []string   `json:"roles"`
	Disabled          bool       `json:"disabled"`
	MustChange        bool       `json:"must_change"` // before admin rights count
	CreatedAt         time.Time  `json:"created_at"`
	PasswordChangedAt *time.Time `json:"password_changed_at"`
	PasswordExpiresAt *time.Time `json:"password_expires_at"`
}

func jsonOfUser(u account.User) userJSON {
	return userJSON{
		ID: u.ID, Name: u.Name, Email: u.Email, ExternalID: u.ExternalID, Roles: append([]string{}, u.Roles...), Disabled: u.Disabled, MustChange: u.AdminWaits(),
		CreatedAt: u.CreatedAt.UTC(), PasswordChangedAt: ago.Optional(u.PasswordChangedAt), PasswordExpiresAt: ago.Optional(u.PasswordExpiresAt),
	}
}

func statusOf(u account.User) string {
	switch {
	case u.Disabled:
		return "disabled"
	case !u.PasswordExpiresAt.IsZero() && time.Now().After(u.PasswordExpiresAt):
		return "password expired"
	case u.AdminWaits():
		return "must change password"
	}
	return "active"
}
