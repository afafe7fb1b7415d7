// Package clients has the commands about programs with a credential of their own.
package clients

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/spelling"
	"github.com/spf13/cobra"
)

// Command is "doorward client".
func Command(sh shell.Shell) *cobra.Command {
	return shell.Group("client", "Add, list and change the programs with a credential of their own",
		addCommand(sh), listCommand(sh), showCommand(sh), setCommand(sh), rotateCommand(sh), revokeCommand(sh),
		disableCommand(sh), enableCommand(sh), removeCommand(sh))
}

func addCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a client and print its credential, the secret once",
		Long: `Add a client: a program that calls Doorward with a credential of its own. Its
client_id and client_secret are printed; the secret is stored nowhere and cannot
be shown again.

At /oauth/token it gets access tokens with its scopes, or some of them. Each token is
for one of its audiences, the first unless it asks for another; a client without any
gets tokens for the audience that logins get.

Two scopes are about Doorward itself and are in no token: revocations:read, which a
service needs to check tokens by itself, and tokens:introspect, with which it asks about
each token instead.`,
		Example: `  doorward client add nightly --scope reports:read --audience https://reports.example.com
  doorward client add orders --scope revocations:read --json >orders.json`,
		Args:        shell.Want("NAME"),
		Annotations: map[string]string{"own": "audience"},
	}
	scopes := cmd.Flags().StringArray("scope", nil, "a `SCOPE` that the client may use; may be repeated")
	audiences := cmd.Flags().StringArray("audience", nil, "an `AUDIENCE` that the client may have tokens for; may be repeated")
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			clients := b.Clients()
			n := account.NewClient{Name: args[0], Scope: doorward.Scope(*scopes), Audiences: *audiences}
			c, secret, err := clients.Add(ctx, n, shell.Event())
			if err != nil {
				return explain(err)
			}
			noteScope(sh, c)
			return printSecret(sh, c, secret, *asJSON)
		})
	}
	return cmd
}

// noteScope says which words of a scope are nearly those that are about Doorward itself.
func noteScope(sh shell.Shell, c account.Client) {
	own := []string{account.ScopeRevocations, account.ScopeIntrospect}
	for _, word := range c.Scope {
		if near := spelling.Nearest(strings.ToLower(word), own, 3); near != "" && near != word {
			sh.Note("the scope %s means nothing to Doorward; did you mean %s?", word, near)
		}
	}
}

// printSecret prints what is printed only once.
func printSecret(sh shell.Shell, c account.Client, secret string, asJSON bool) error {
	if asJSON {
		return sh.JSON(struct {
			clientJSON
			Secret string `json:"client_secret"`
		}{jsonOf(c), secret})
	}
	sh.Note("client %s; the secret is not shown again", c.Name)
	return sh.Fields([][2]string{{"client_id", c.ID}, {"client_secret", secret}})
}

func listCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List all clients", Args: shell.Want()}
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			clients := b.Clients()
			list, err := all(ctx, clients)
			if err != nil {
				return err
			}
			out, rows := make([]clientJSON, len(list)), make([][]string, len(list))
			for i, c := range list {
				out[i] = jsonOf(c)
				rows[i] = []string{
					c.Name, c.ID, shell.OrDash(c.Scope.String()), shell.OrDash(strings.Join(c.Audiences, " ")),
					status(c), strconv.Itoa(len(c.Secrets)), ago.When(c.CreatedAt),
				}
			}
			if *asJSON {
				return sh.JSON(out)
			}
			return sh.Table([]string{"NAME", "CLIENT ID", "SCOPE", "AUDIENCES", "STATUS", "SECRETS", "CREATED"}, rows)
		})
	}
	return cmd
}

func showCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME|ID", Short: "Show one client, and what there is to know of its secrets", Args: shell.Want("NAME|ID"),
	}
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = forClient(sh, func(_ context.Context, _ *account.Clients, c account.Client) error {
		if *asJSON {
			return sh.JSON(jsonOf(c))
		}
		fields := [][2]string{
			{"name", c.Name},
			{"client_id", c.ID},
			{"scope", shell.OrDash(c.Scope.String())},
			{"audiences", shell.OrDash(strings.Join(c.Audiences, " "))},
			{"status", status(c)},
			{"created", ago.When(c.CreatedAt)},
		}
		for _, secret := range c.Secrets {
			fields = append(fields, [2]string{"secret " + secret.ID, about(secret)})
		}
		return sh.Fields(fields)
	})
	return cmd
}

func revokeCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke NAME|ID",
		Short: "End all tokens that a client has",
		Long: `End all tokens that a client was granted so far, those of its API keys included. It can
get new ones at once: to keep it out, disable it, or rotate its secret. With --all the
tokens of every client end.`,
		Example: `  doorward client revoke orders
  doorward client revoke --all`,
	}
	everyone := cmd.Flags().Bool("all", false, "the tokens of every client")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if *everyone {
			return shell.Want()(cmd, args)
		}
		return shell.Want("NAME|ID")(cmd, args)
	}
	revoke := func(ctx context.Context, clients *account.Clients, c account.Client) error {
		if _, err := clients.Revoke(ctx, c.ID, shell.Event()); err != nil {
			return explain(err)
		}
		sh.Note("all tokens of client %s have ended", c.Name)
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !*everyone {
			return forClient(sh, revoke)(cmd, args)
		}
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			clients := b.Clients()
			list, err := all(ctx, clients)
			for _, c := range list {
				err = errors.Join(err, revoke(ctx, clients, c))
			}
			return err
		})
	}
	return cmd
}

func disableCommand(sh shell.Shell) *cobra.Command {
	return &cobra.Command{
		Use: "disable NAME|ID", Short: "Let a client in no more, and end its tokens", Args: shell.Want("NAME|ID"),
		RunE: forClient(sh, func(ctx context.Context, clients *account.Clients, c account.Client) error {
			if _, err := clients.SetDisabled(ctx, c.ID, true, shell.Event()); err != nil {
				return explain(err)
			}
			sh.Note("client %s is disabled", c.Name)
			return nil
		}),
	}
}

func enableCommand(sh shell.Shell) *cobra.Command {
	return &cobra.Command{
		Use: "enable NAME|ID", Short: "Let a disabled client in again", Args: shell.Want("NAME|ID"),
		RunE: forClient(sh, func(ctx context.Context, clients *account.Clients, c account.Client) error {
			if _, err := clients.SetDisabled(ctx, c.ID, false, shell.Event()); err != nil {
				return explain(err)
			}
			sh.Note("client %s is enabled", c.Name)
			return nil
		}),
	}
}

func removeCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{Use: "remove NAME|ID", Short: "Remove a client and its credential, and end its tokens", Args: shell.Want("NAME|ID")}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	cmd.RunE = forClient(sh, func(ctx context.Context, clients *account.Clients, c account.Client) error {
		if err := sh.Confirm(*yes, "remove client "+c.Name); err != nil {
			return err
		}
		if _, err := clients.Remove(ctx, c.ID, shell.Event()); err != nil {
			return explain(err)
		}
		sh.Note("client %s is removed", c.Name)
		return nil
	})
	return cmd
}

// forClient makes the step of a command whose argument is the name or the ID of a client.
func forClient(sh shell.Shell, do func(context.Context, *account.Clients, account.Client) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			clients := b.Clients()
			c, err := clients.Find(ctx, args[0])
			if errors.Is(err, account.ErrNoClient) {
				return failure.Refused("doorward client list", "there is no client %q", args[0])
			}
			if err != nil {
				return err
			}
			return do(ctx, clients, c)
		})
	}
}

func all(ctx context.Context, clients *account.Clients) ([]account.Client, error) {
	var all []account.Client
	for after := ""; ; {
		page, err := clients.List(ctx, account.Query{After: after, Limit: account.MaxPage})
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		after = page[len(page)-1].Name
	}
}

// explain turns what account refuses into what a person can act on.
func explain(err error) error {
	switch {
	case errors.Is(err, account.ErrNameTaken):
		return failure.Refused("doorward client list", "there is a client of this name already")
	case errors.Is(err, account.ErrNoClient):
		return failure.Refused("doorward client list", "there is no such client")
	case errors.Is(err, account.ErrClientName), errors.Is(err, account.ErrClientGrant):
		return failure.Refused("", "%s", strings.TrimPrefix(err.Error(), "account: "))
	}
	return err
}

// clientJSON is a client for programs. Its names are stable.
type clientJSON struct {
	ID        string       `json:"client_id"`
	Name      string       `json:"name"`
	Scope     string       `json:"scope"`
	Audiences []string     `json:"audiences"`
	Disabled  bool         `json:"disabled"`
	CreatedAt time.Time    `json:"created_at"`
	Secrets   []secretJSON `json:"secrets"`
}

type secretJSON struct {
	ID        string     `json:"id"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	UsedAt    *time.Time `json:"last_used_at"`
}

func jsonOf(c account.Client) clientJSON {
	out := clientJSON{
		ID: c.ID, Name: c.Name, Scope: c.Scope.String(), Audiences: append([]string{}, c.Audiences...),
		Disabled: c.Disabled, CreatedAt: c.CreatedAt.UTC(), Secrets: []secretJSON{},
	}
	for _, secret := range c.Secrets {
		out.Secrets = append(out.Secrets, secretJSON{
			secret.ID, secret.CreatedAt.UTC(), ago.Optional(secret.ExpiresAt), ago.Optional(account.ShownUse(secret.UsedAt, secret.CreatedAt)),
		})
	}
	return out
}

func status(c account.Client) string {
	if c.Disabled {
		return "disabled"
	}
	return "active"
}
