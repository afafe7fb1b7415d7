package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

func (a *app) clientCommand() *cobra.Command {
	return newGroup("client", "Add, list and change the programs with a credential of their own",
		a.clientAddCommand(), a.clientListCommand(), a.clientDisableCommand(), a.clientEnableCommand(), a.clientRemoveCommand())
}

func (a *app) clientAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a client and print its credential, the secret once",
		Long: `Add a client: a program that calls Doorward with a credential of its own. Its
client_id and client_secret are printed; the secret is stored nowhere and cannot
be shown again.

With the scope revocations:read it may follow revocations, which is what a service
needs to check tokens by itself.`,
		Example: `  doorward client add orders --scope revocations:read
  doorward client add orders --scope revocations:read --json >orders.json`,
		Args: want("NAME"),
	}
	scopes := cmd.Flags().StringArray("scope", nil, "a `SCOPE` that the client may use; may be repeated")
	audiences := cmd.Flags().StringArray("audience", nil, "an `AUDIENCE` that the client may have tokens for; may be repeated")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.beside(cmd, func(ctx context.Context, b *backend) error {
			n := account.NewClient{Name: args[0], Scope: doorward.Scope(*scopes), Audiences: *audiences}
			c, secret, err := b.clients().Add(ctx, n, event())
			if err != nil {
				return explainClient(err)
			}
			if *asJSON {
				return a.printJSON(struct {
					clientJSON
					Secret string `json:"client_secret"`
				}{jsonOfClient(c), secret})
			}
			a.note("client %s; the secret is not shown again", c.Name)
			return a.printFields([][2]string{{"client_id", c.ID}, {"client_secret", secret}})
		})
	}
	return cmd
}

func (a *app) clientListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List all clients", Args: want()}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.beside(cmd, func(ctx context.Context, b *backend) error {
			list, err := b.allClients(ctx)
			if err != nil {
				return err
			}
			if *asJSON {
				out := make([]clientJSON, len(list))
				for i, c := range list {
					out[i] = jsonOfClient(c)
				}
				return a.printJSON(out)
			}
			var rows [][]string
			for _, c := range list {
				rows = append(rows, []string{
					c.Name, c.ID, orDash(c.Scope.String()), orDash(strings.Join(c.Audiences, " ")),
					statusOfClient(c), when(c.CreatedAt),
				})
			}
			return a.printTable([]string{"NAME", "CLIENT ID", "SCOPE", "AUDIENCES", "STATUS", "CREATED"}, rows)
		})
	}
	return cmd
}

func (a *app) clientDisableCommand() *cobra.Command {
	return &cobra.Command{
		Use: "disable NAME|ID", Short: "Let a client in no more", Args: want("NAME|ID"),
		RunE: a.forClient(func(ctx context.Context, b *backend, c account.Client) error {
			if err := b.clients().SetDisabled(ctx, c.ID, true, event()); err != nil {
				return explainClient(err)
			}
			a.note("client %s is disabled", c.Name)
			return nil
		}),
	}
}

func (a *app) clientEnableCommand() *cobra.Command {
	return &cobra.Command{
		Use: "enable NAME|ID", Short: "Let a disabled client in again", Args: want("NAME|ID"),
		RunE: a.forClient(func(ctx context.Context, b *backend, c account.Client) error {
			if err := b.clients().SetDisabled(ctx, c.ID, false, event()); err != nil {
				return explainClient(err)
			}
			a.note("client %s is enabled", c.Name)
			return nil
		}),
	}
}

func (a *app) clientRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "remove NAME|ID", Short: "Remove a client and its credential", Args: want("NAME|ID")}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	cmd.RunE = a.forClient(func(ctx context.Context, b *backend, c account.Client) error {
		if err := a.confirm(*yes, "remove client "+c.Name); err != nil {
			return err
		}
		if err := b.clients().Remove(ctx, c.ID, event()); err != nil {
			return explainClient(err)
		}
		a.note("client %s is removed", c.Name)
		return nil
	})
	return cmd
}

// forClient makes the step of a command whose argument is the name or the ID of a client.
func (a *app) forClient(do func(context.Context, *backend, account.Client) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return a.beside(cmd, func(ctx context.Context, b *backend) error {
			c, err := b.clients().Find(ctx, args[0])
			if errors.Is(err, account.ErrNoClient) {
				return refused("doorward client list", "there is no client %q", args[0])
			}
			if err != nil {
				return err
			}
			return do(ctx, b, c)
		})
	}
}

func (b *backend) clients() *account.Clients { return account.NewClients(b.store) }

func (b *backend) allClients(ctx context.Context) ([]account.Client, error) {
	var all []account.Client
	for after := ""; ; {
		page, err := b.clients().List(ctx, account.Query{After: after, Limit: account.MaxPage})
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		after = page[len(page)-1].Name
	}
}

// explainClient turns what account refuses into what a person can act on.
func explainClient(err error) error {
	switch {
	case errors.Is(err, account.ErrNameTaken):
		return refused("doorward client list", "there is a client of this name already")
	case errors.Is(err, account.ErrNoClient):
		return refused("doorward client list", "there is no such client")
	case errors.Is(err, account.ErrClientName), errors.Is(err, account.ErrClientGrant):
		return refused("", "%s", strings.TrimPrefix(err.Error(), "account: "))
	}
	return err
}

// clientJSON is a client for programs. Its names are stable.
type clientJSON struct {
	ID        string    `json:"client_id"`
	Name      string    `json:"name"`
	Scope     string    `json:"scope"`
	Audiences []string  `json:"audiences"`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
}

func jsonOfClient(c account.Client) clientJSON {
	return clientJSON{
		ID: c.ID, Name: c.Name, Scope: c.Scope.String(), Audiences: append([]string{}, c.Audiences...),
		Disabled: c.Disabled, CreatedAt: c.CreatedAt.UTC(),
	}
}

func statusOfClient(c account.Client) string {
	if c.Disabled {
		return "disabled"
	}
	return "active"
}
