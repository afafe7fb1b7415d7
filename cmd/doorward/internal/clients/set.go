package clients

import (
	"context"
	"slices"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

func setCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set NAME|ID",
		Short: "Change the scopes and audiences of a client",
		Long: `Change what a client may have tokens for: its scopes, its audiences, or both. It counts
for its next token; those that it has stay as they are until they expire, unless
"doorward client revoke" ends them.`,
		Example: `  doorward client set nightly --scope reports:read --scope reports:write
  doorward client set nightly --audience ''`,
		Args:        shell.Want("NAME|ID"),
		Annotations: map[string]string{"own": "audience"},
	}
	scopes := cmd.Flags().StringArray("scope", nil, "a `SCOPE` in the place of those that are there; may be repeated; empty for none")
	audiences := cmd.Flags().StringArray("audience", nil, "an `AUDIENCE` in the place of those that are there; may be repeated; empty for none")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var e account.ClientEdit
		if cmd.Flags().Changed("scope") {
			scope := doorward.Scope(present(*scopes))
			e.Scope = &scope
		}
		if cmd.Flags().Changed("audience") {
			list := present(*audiences)
			e.Audiences = &list
		}
		if e.Scope == nil && e.Audiences == nil {
			return failure.Misused(cmd.CommandPath()+" --help", "nothing to do: want --scope or --audience")
		}
		return forClient(sh, func(ctx context.Context, clients *account.Clients, c account.Client) error {
			c, _, err := clients.Edit(ctx, c.ID, e, shell.Event())
			if err != nil {
				return explain(err)
			}
			noteScope(sh, c)
			sh.Note("client %s: scope %s, audiences %s", c.Name, shell.OrDash(c.Scope.String()), shell.OrDash(strings.Join(c.Audiences, " ")))
			return nil
		})(cmd, args)
	}
	return cmd
}

// present leaves out what is empty.
func present(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" })
}
