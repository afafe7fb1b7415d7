package users

import (
	"context"
	"net/url"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

func resetCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reset NAME",
		Short: "Make a link with which the user sets a password",
		Long: `Make a token with which the user sets a password of their own choice, once. Send
it to them in a way that only they read. It is printed here and kept nowhere; it
replaces one made before, and ends with any other change of the password. Until it
is used the old password works; when it is used, all sessions of the user end.

POST /password/reset takes it, with the new password:

  {"token": "dwp_…", "new": "…"}

With --url what is printed is a link to a page of yours that does so. The token
stands behind the #, which browsers send to nobody.`,
		Example: `  doorward user reset alice
  doorward user reset alice --expires 24h --url https://app.example.com/new-password`,
		Args: shell.Want("NAME"),
	}
	lifetime := cmd.Flags().String("expires", config.FormatDuration(account.ResetLifetime), "`D` for which it works, such as 24h; at most 7d")
	page := cmd.Flags().String("url", "", "print a link to the page `URL`")
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = forUser(sh, func(ctx context.Context, b *backend.Backend, u account.User) error {
		lasts, err := config.ParseDuration(*lifetime)
		if err != nil || lasts < time.Minute || lasts > account.MaxResetLifetime {
			return failure.Misused("", "--expires: want a duration from 1m to 7d, such as 24h")
		}
		if to, err := url.Parse(*page); *page != "" && (err != nil || to.Host == "" || to.Fragment != "" || to.Scheme != "https" && to.Scheme != "http") {
			return failure.Misused("", "--url: want the address of a page, such as https://app.example.com/new-password")
		}
		token, expires, err := b.People.StartReset(ctx, u.ID, lasts, shell.Event())
		if err != nil {
			return backend.Explain(err)
		}
		return printReset(sh, b, u, token, expires, *page, *asJSON)
	})
	return cmd
}

// printReset prints the link, on stdout and nothing else there.
func printReset(sh shell.Shell, b *backend.Backend, u account.User, token string, expires time.Time, page string, asJSON bool) error {
	link := token
	if page != "" {
		link = page + "#token=" + token
	}
	if asJSON {
		return sh.JSON(struct {
			Username  string    `json:"username"`
			Token     string    `json:"token"`
			Link      string    `json:"link"`
			ExpiresAt time.Time `json:"expires_at"`
		}{u.Name, token, link, expires})
	}
	sh.Note("for user %s, once, until %s", u.Name, ago.When(expires))
	if u.Disabled {
		sh.Note("the user is disabled: the link works once they are enabled")
	}
	if page == "" {
		sh.Note("it goes to %s/password/reset", b.Config.Front())
	}
	_, err := sh.Out.Write([]byte(link + "\n"))
	return err
}
