package clients

import (
	"context"
	"errors"

	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

func rotateCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate NAME|ID",
		Short: "Give a client another secret, or drop one",
		Long: `Give a client another secret, printed once. Both work, until the old one is dropped or
--expire-old is over; there are never more than two.

--drop makes none: it ends the secret with that ID, which "doorward client show" names,
or the oldest. Tokens that a secret was used for live on: if it was stolen, end them too,
with "doorward client revoke".`,
		Example: `  doorward client rotate orders
  doorward client rotate orders --drop old
  doorward client rotate billing --expire-old 24h`,
		Args: shell.Want("NAME|ID"),
	}
	expire := cmd.Flags().String("expire-old", "0", "the old secret works for `D` more, such as 24h or 7d; 0 is until it is dropped")
	drop := cmd.Flags().String("drop", "", "end the secret `ID`, or the oldest with \"old\", and make none")
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		changed := cmd.Flags().Changed
		lasts, err := config.ParseDuration(*expire)
		if err != nil {
			return failure.Misused("", "--expire-old: want a duration such as 24h or 7d")
		}
		if changed("drop") && changed("expire-old") || lasts < 0 {
			return failure.Misused(cmd.CommandPath()+" --help", "--expire-old is a time to come, for a new secret; --drop makes none")
		}
		return forClient(sh, func(ctx context.Context, clients *account.Clients, c account.Client) error {
			if changed("drop") {
				return dropSecret(ctx, sh, clients, c, *drop, *asJSON)
			}
			c, secret, err := clients.Rotate(ctx, c.ID, lasts, shell.Event())
			if errors.Is(err, account.ErrClientSecrets) {
				return failure.Refused("doorward client rotate "+args[0]+" --drop old", "the client has two secrets already")
			}
			if err != nil {
				return explain(err)
			}
			return printSecret(sh, c, secret, *asJSON)
		})(cmd, args)
	}
	return cmd
}

func dropSecret(ctx context.Context, sh shell.Shell, clients *account.Clients, c account.Client, secret string, asJSON bool) error {
	left, err := clients.DropSecret(ctx, c.ID, secret, shell.Event())
	switch {
	case errors.Is(err, account.ErrNoSecret):
		return failure.Refused("doorward client show "+c.Name, "the client has no secret %q", secret)
	case errors.Is(err, account.ErrLastSecret):
		return failure.Refused("doorward client disable "+c.Name+" keeps it out", "it is the only secret of the client")
	case err != nil:
		return explain(err)
	case asJSON:
		return sh.JSON(jsonOf(left))
	}
	sh.Note("client %s has one secret now, %s", left.Name, left.Secrets[0].ID)
	return nil
}

// about says what there is to know of a secret. The time of its last use is exact to the hour.
func about(secret account.ClientSecret) string {
	text := "created " + ago.When(secret.CreatedAt) + ", "
	if secret.UsedAt.IsZero() {
		text += "never used"
	} else {
		text += "last used " + account.ShownUse(secret.UsedAt, secret.CreatedAt).Format("2006-01-02 15:04Z")
	}
	if !secret.ExpiresAt.IsZero() {
		text += ", expires " + ago.When(secret.ExpiresAt)
	}
	return text
}
