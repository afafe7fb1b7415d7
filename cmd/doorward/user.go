package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/rosters"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/password"
	"github.com/spf13/cobra"
)

func (a *app) userCommand() *cobra.Command {
	lists := rosters.Shell{Shell: a.shell(), Beside: a.besidePeople, Progress: a.progress}
	return newGroup("user", "Add, list and change the people who can log in",
		a.userAddCommand(), a.userListCommand(), a.userShowCommand(), a.roles().UserSet(),
		a.userDisableCommand(), a.userEnableCommand(), a.userDeleteCommand(), a.userPasswdCommand(), a.userResetCommand(),
		lists.Import(), lists.Export())
}

func (a *app) userAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user and print a password for them",
		Long: `Add a user. A password is generated and printed, unless --password-stdin reads
one line from standard input. A generated password of a user with the role admin
must be changed within 24 hours and gives no admin rights until it is.`,
		Example: `  doorward user add alice
  doorward user add bob --email bob@example.com --role editor --role auditor
  printf '%s\n' "$PASSWORD" | doorward user add carol --password-stdin`,
		Args: want("NAME"),
	}
	roles := cmd.Flags().StringArray("role", nil, "a `ROLE` of the user; may be repeated")
	email := cmd.Flags().String("email", "", "the e-mail `ADDRESS` of the user")
	stdin := cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.beside(cmd, func(ctx context.Context, b *backend) error {
			secret, err := a.newPassword(b, *stdin)
			if err != nil {
				return err
			}
			n := account.NewUser{Name: args[0], Email: *email, Roles: *roles, Password: secret}
			if n.MustChange = !*stdin; n.MustChange && slices.Contains(*roles, account.RoleAdmin) {
				n.Lifetime = account.InitialLifetime
			}
			u, err := b.people.Add(ctx, n, event())
			if err != nil {
				return explain(err)
			}
			if err := a.printPassword(u, secret, *stdin, *asJSON); err != nil || len(u.Roles) == 0 || *asJSON {
				return err
			}
			return a.roles().NoteRoles(ctx, b.people, u, nil)
		})
	}
	return cmd
}

func (a *app) userPasswdCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Set another password and end all sessions of the user",
		Long: `Set another password: one that is generated and printed, or one line from
standard input. All sessions of the user end. A generated password of a user with
the role admin must be changed within 24 hours and gives no admin rights until it is.`,
		Example: `  doorward user passwd admin
  printf '%s\n' "$PASSWORD" | doorward user passwd alice --password-stdin`,
		Args: want("NAME"),
	}
	stdin := cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.forUser(func(ctx context.Context, b *backend, u account.User) error {
		secret, err := a.newPassword(b, *stdin)
		if err != nil {
			return err
		}
		if _, err := b.people.SetPassword(ctx, u.ID, secret, !*stdin, event()); err != nil {
			return explain(err)
		}
		if u, err = b.people.ByID(ctx, u.ID); err != nil {
			return explain(err)
		}
		if err := a.printPassword(u, secret, *stdin, *asJSON); err != nil || u.Canonical != account.RoleAdmin {
			return err
		}
		return removePasswordFile(b.cfg)
	})
	return cmd
}

func (a *app) userListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List all users", Args: want()}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.beside(cmd, func(ctx context.Context, b *backend) error {
			users, err := b.allUsers(ctx)
			if err != nil {
				return err
			}
			if *asJSON {
				list := make([]userJSON, len(users))
				for i, u := range users {
					list[i] = jsonOfUser(u)
				}
				return a.printJSON(list)
			}
			var rows [][]string
			for _, u := range users {
				rows = append(rows, []string{u.Name, shell.OrDash(u.Email), shell.OrDash(strings.Join(u.Roles, ",")), statusOf(u), ago.When(u.CreatedAt)})
			}
			return a.printTable([]string{"NAME", "E-MAIL", "ROLES", "STATUS", "CREATED"}, rows)
		})
	}
	return cmd
}

func (a *app) userShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "Show one user", Args: want("NAME")}
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.forUser(func(ctx context.Context, b *backend, u account.User) error {
		scope, err := b.people.ScopeOf(ctx, u.ID)
		if err != nil {
			return explain(err)
		}
		if *asJSON {
			return a.printJSON(struct {
				userJSON
				Scope string `json:"scope"`
			}{jsonOfUser(u), scope.String()})
		}
		return a.printFields([][2]string{
			{"name", u.Name},
			{"id", u.ID},
			{"e-mail", shell.OrDash(u.Email)},
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

func (a *app) userDisableCommand() *cobra.Command {
	return &cobra.Command{
		Use: "disable NAME", Short: "Disable a user and end all their sessions", Args: want("NAME"),
		RunE: a.forUser(func(ctx context.Context, b *backend, u account.User) error {
			if _, err := b.people.Disable(ctx, u.ID, event()); err != nil {
				return explain(err)
			}
			a.note("user %s is disabled, and all their sessions have ended", u.Name)
			return nil
		}),
	}
}

func (a *app) userEnableCommand() *cobra.Command {
	return &cobra.Command{
		Use: "enable NAME", Short: "Let a disabled user log in again", Args: want("NAME"),
		RunE: a.forUser(func(ctx context.Context, b *backend, u account.User) error {
			if err := b.people.Enable(ctx, u.ID, event()); err != nil {
				return explain(err)
			}
			a.note("user %s is enabled and can log in", u.Name)
			return nil
		}),
	}
}

func (a *app) userDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a user and end all their sessions",
		Long:  "Delete a user and end all their sessions. The name is free again; whoever gets it is somebody else.",
		Args:  want("NAME"),
	}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	cmd.RunE = a.forUser(func(ctx context.Context, b *backend, u account.User) error {
		if err := a.confirm(*yes, "delete user "+u.Name); err != nil {
			return err
		}
		if _, err := b.people.Delete(ctx, u.ID, event()); err != nil {
			return explain(err)
		}
		a.note("user %s is deleted, and all their sessions have ended", u.Name)
		return nil
	})
	return cmd
}

// forUser makes the step of a command whose argument is the name of a user.
func (a *app) forUser(do func(context.Context, *backend, account.User) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return a.beside(cmd, func(ctx context.Context, b *backend) error {
			u, err := b.byName(ctx, args[0])
			if err != nil {
				return err
			}
			return do(ctx, b, u)
		})
	}
}

// newPassword reads a password, or generates one. That one will have been on a screen or in a
// file, so it opens an admin's account for one day and for its change alone.
func (a *app) newPassword(b *backend, stdin bool) (string, error) {
	if b.breachedErr != nil {
		return "", b.breachedErr
	}
	if !stdin {
		return password.Generate(), nil
	}
	secret, err := a.readLine(password.MaxBytes)
	if err != nil {
		return "", err
	}
	if secret == "" {
		return "", failure.Misused("", "no password on standard input")
	}
	return secret, nil
}

// printPassword prints what was generated, on stdout and nothing else there.
func (a *app) printPassword(u account.User, secret string, chosen, asJSON bool) error {
	if asJSON {
		out := struct {
			userJSON
			Password string `json:"password,omitempty"`
		}{userJSON: jsonOfUser(u)}
		if !chosen {
			out.Password = secret
		}
		return a.printJSON(out)
	}
	a.note("user %s (%s)", u.Name, u.ID)
	if chosen {
		return nil
	}
	if u.AdminWaits() {
		a.note("the password works until %s and gives no admin rights until it is changed", ago.When(u.PasswordExpiresAt))
	}
	_, err := a.out.Write([]byte(secret + "\n"))
	return err
}

// explain turns what account refuses into what a person can act on.
func explain(err error) error {
	rule, isRule := errors.AsType[*password.RuleError](err)
	switch {
	case err == nil:
		return nil
	case isRule:
		return failure.Refused(rule.Advice, "the password is not accepted: %s", rule.Reason)
	case errors.Is(err, account.ErrNameTaken):
		return failure.Refused("doorward user list", "there is a user of this name already")
	case errors.Is(err, account.ErrNotFound):
		return failure.Refused("doorward user list", "there is no such user")
	case errors.Is(err, account.ErrLastAdmin):
		return failure.Refused("doorward user set NAME --add-role admin", "this is the last admin who can log in: make another one first")
	case errors.Is(err, account.ErrRoleBounds):
		return failure.Refused("doorward role list", "too much: there may be %d roles, a user may have %d and a role %d scopes; the scopes of a role or a user may have %d bytes together",
			account.MaxDefined, account.MaxRoles, account.MaxRoleScopes, account.MaxScope)
	case errors.Is(err, account.ErrName), errors.Is(err, account.ErrEmail), errors.Is(err, account.ErrRole):
		return failure.Refused("", "%s", strings.TrimPrefix(err.Error(), "account: "))
	}
	return err
}

func (b *backend) allUsers(ctx context.Context) ([]account.User, error) {
	var all []account.User
	for after := ""; ; {
		page, err := b.people.List(ctx, account.Query{After: after, Limit: 1000})
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
	Email             string     `json:"email"` // empty if none is known
	Roles             []string   `json:"roles"`
	Disabled          bool       `json:"disabled"`
	MustChange        bool       `json:"must_change"` // before admin rights count
	CreatedAt         time.Time  `json:"created_at"`
	PasswordChangedAt *time.Time `json:"password_changed_at"`
	PasswordExpiresAt *time.Time `json:"password_expires_at"`
}

func jsonOfUser(u account.User) userJSON {
	return userJSON{
		ID: u.ID, Name: u.Name, Email: u.Email, Roles: append([]string{}, u.Roles...), Disabled: u.Disabled, MustChange: u.AdminWaits(),
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
