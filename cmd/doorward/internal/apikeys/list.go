package apikeys

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

func listCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [USER|CLIENT]",
		Short: "List all keys, or those of a user or client, newest first",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return nil
			}
			return shell.Want("USER|CLIENT")(cmd, args)
		},
	}
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			owner := ""
			if len(args) == 1 {
				var err error
				if owner, err = ownerOf(ctx, b, args[0]); err != nil {
					return err
				}
			}
			list, err := all(ctx, b.APIKeys(), owner)
			if err != nil {
				return err
			}
			if *asJSON {
				out := make([]keyJSON, len(list))
				for i, key := range list {
					out[i] = jsonOf(key)
				}
				return sh.JSON(out)
			}
			var rows [][]string
			names := map[string]string{}
			for _, key := range list {
				name, err := nameOf(ctx, b, names, key.Owner)
				if err != nil {
					return err
				}
				rows = append(rows, []string{key.ID, key.Name, name, may(key), status(key), expiry(key), ago.When(account.ShownUse(key.UsedAt, key.CreatedAt))})
			}
			return sh.Table([]string{"ID", "NAME", "OWNER", "SCOPE", "STATUS", "EXPIRES", "USED"}, rows)
		})
	}
	return cmd
}

// nameOf is the name of an owner, or the ID of one who was deleted meanwhile; names holds
// what was looked up.
func nameOf(ctx context.Context, b *backend.Backend, names map[string]string, id string) (string, error) {
	if name, ok := names[id]; ok {
		return name, nil
	}
	names[id] = id
	user, err := b.People.ByID(ctx, id)
	if err == nil {
		names[id] = user.Name
	}
	if !errors.Is(err, account.ErrNotFound) {
		return names[id], err
	}
	client, err := b.Clients().Find(ctx, id)
	if err == nil {
		names[id] = client.Name
	}
	if errors.Is(err, account.ErrNoClient) {
		err = nil
	}
	return names[id], err
}

// all reads every page, and sorts.
func all(ctx context.Context, keys *account.APIKeys, owner string) ([]account.APIKey, error) {
	var list []account.APIKey
	for q := (account.APIKeyQuery{Owner: owner, Limit: account.MaxPage}); ; {
		page, err := keys.List(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			slices.SortStableFunc(list, func(a, b account.APIKey) int { return b.CreatedAt.Compare(a.CreatedAt) })
			return list, nil
		}
		list, q.After = append(list, page...), page[len(page)-1].ID
	}
}

// keyJSON is a key for programs. Its names are stable.
type keyJSON struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Owner      string     `json:"owner"`
	Scope      string     `json:"scope"`
	Everything bool       `json:"everything"`
	Audiences  []string   `json:"audiences"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"` // null: never
	LastUsed   *time.Time `json:"last_used"`  // null: not yet
	RevokedAt  *time.Time `json:"revoked_at"` // null: not revoked
}

func jsonOf(k account.APIKey) keyJSON {
	return keyJSON{
		ID: k.ID, Name: k.Name, Owner: k.Owner, Scope: k.Scope.String(), Everything: k.Everything,
		Audiences: append([]string{}, k.Audiences...), CreatedAt: k.CreatedAt.UTC(),
		ExpiresAt: ago.Optional(k.ExpiresAt), LastUsed: ago.Optional(account.ShownUse(k.UsedAt, k.CreatedAt)), RevokedAt: ago.Optional(k.RevokedAt),
	}
}

// may is what a key may do.
func may(k account.APIKey) string {
	switch {
	case k.Everything:
		return "everything"
	case len(k.Scope) == 0:
		return "-"
	}
	return strings.ReplaceAll(k.Scope.String(), " ", ",")
}

func status(k account.APIKey) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case !k.Live(time.Now()):
		return "expired"
	}
	return "live"
}

func expiry(k account.APIKey) string {
	if k.ExpiresAt.IsZero() {
		return "never"
	}
	return ago.When(k.ExpiresAt)
}
