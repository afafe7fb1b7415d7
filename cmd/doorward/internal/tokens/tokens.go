// Package tokens has the commands about access tokens: they issue, take apart and verify them.
package tokens

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/admin"
	"github.com/doorward/doorward/internal/inspect"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
	"github.com/spf13/cobra"
)

// Command is "doorward token".
func Command(sh shell.Shell) *cobra.Command {
	return shell.Group("token", "Issue, look into and verify access tokens",
		issueCommand(sh), inspectCommand(sh), verifyCommand(sh))
}

func issueCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "issue NAME",
		Short: "Issue an access token of a user, without their password",
		Long: `Issue an access token of a user, without their password, and print it. It belongs
to a session of its own, which "doorward session list" shows and "doorward session
revoke" ends. There is no refresh token.`,
		Example: `  TOKEN=$(doorward token issue alice --ttl 1h)
  doorward token issue alice --audience orders   # one of the setting audiences`,
		Args:        shell.Want("NAME"),
		Annotations: map[string]string{"own": "audience"},
	}
	audience := cmd.Flags().String("audience", "", "audience `NAME` of the token (default the one of /login)")
	scope := cmd.Flags().String("scope", "", "`WORDS` with spaces between them (default all that the user has)")
	cmd.Flags().String(config.TTLFlag, "", "lifetime `D`, such as 1h (default access_ttl)")
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		req := issuer.LoginRequest{Audience: *audience, NoRefresh: true, Event: shell.Event()}
		req.Event.Reason = "issued"
		if cmd.Flags().Changed("scope") {
			words, err := doorward.ParseScope(*scope)
			if err != nil {
				return failure.Misused("separate words by one space", "--scope: %v", err)
			}
			req.Scope = append(doorward.Scope{}, words...) // An empty one asks for nothing, and nil for everything.
		}
		return backend.BesideIssuer(sh, cmd, func(ctx context.Context, b *backend.Backend, iss *issuer.Issuer) error {
			tokens, err := issue(ctx, b, iss, args[0], req)
			if err != nil {
				return err
			}
			if *asJSON {
				return sh.JSON(admin.ShowIssued(tokens))
			}
			sh.Note("session %s, valid for %s", tokens.SessionID, tokens.ExpiresIn)
			_, err = fmt.Fprintln(sh.Out, tokens.AccessToken)
			return err
		})
	}
	return cmd
}

func issue(ctx context.Context, b *backend.Backend, iss *issuer.Issuer, name string, req issuer.LoginRequest) (issuer.TokenSet, error) {
	u, err := b.User(ctx, name)
	if err != nil {
		return issuer.TokenSet{}, err
	}
	attempt, err := iss.Begin(ctx, u.ID)
	if err != nil {
		return issuer.TokenSet{}, err
	}
	tokens, err := iss.Login(ctx, attempt, req)
	switch {
	case errors.Is(err, issuer.ErrInactive):
		return tokens, failure.Refused("doorward user show "+u.Name, "user %s is disabled, or their first password was not changed in time", u.Name)
	case errors.Is(err, issuer.ErrAudience):
		return tokens, failure.Refused("name it under audiences in the configuration, or in DOORWARD_AUDIENCES", "no token is made for the audience %q", req.Audience)
	case errors.Is(err, issuer.ErrScope):
		return tokens, failure.Refused("doorward user show "+u.Name+" has their scope; doorward role set changes what their roles grant", "user %s may not have the scope %q", u.Name, req.Scope.String())
	}
	return tokens, err
}

func inspectCommand(sh shell.Shell) *cobra.Command {
	return &cobra.Command{
		Use:   "inspect [-]",
		Short: "Show what a token says, without verifying it",
		Long: `Read a token from standard input and show header and claims. NOTHING IS VERIFIED:
anybody can have written it. "doorward token verify" verifies.`,
		Example: `  printf %s "$TOKEN" | doorward token inspect`,
		Args:    shell.FromStdin,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := sh.ReadToken(cmd)
			if err != nil {
				return err
			}
			header, claims, err := decode(token)
			if err != nil {
				return err
			}
			sh.Note("NOT VERIFIED: ANYBODY CAN HAVE WRITTEN THIS TOKEN")
			noteTimes(sh, claims)
			return sh.JSON(map[string]json.RawMessage{"header": header, "claims": claims})
		},
	}
}

func verifyCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [-]",
		Short: "Verify an access token and say why it is refused",
		Long: `Read an access token from standard input and verify it as the server does: keys,
times, issuer, audience, revocations. Print its claims, or say precisely why it is
refused, and exit with 3.`,
		Example:     `  printf %s "$TOKEN" | doorward token verify`,
		Args:        shell.FromStdin,
		Annotations: map[string]string{"own": "audience"},
	}
	audience := cmd.Flags().String("audience", "", "audience `NAME` that the token must have (default the one of /login)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		token, err := sh.ReadToken(cmd)
		if err != nil {
			return err
		}
		if err := otherThanToken(token); err != nil {
			return err
		}
		return backend.BesideIssuer(sh, cmd, func(ctx context.Context, b *backend.Backend, iss *issuer.Issuer) error {
			name := cmp.Or(*audience, iss.Audience())
			if err := inspect.Verify(ctx, iss, name, token); err != nil {
				return explainToken(err, b, name)
			}
			_, claims, err := decode(token)
			if err != nil {
				return err
			}
			noteTimes(sh, claims)
			return sh.JSON(claims)
		})
	}
	return cmd
}

// explainToken says why a token is refused. It never repeats the token.
func explainToken(err error, b *backend.Backend, audience string) error {
	hint := ""
	switch {
	case errors.Is(err, doorward.ErrExpired):
		hint = "the client refreshes it, or logs in again"
	case errors.Is(err, doorward.ErrIssuer):
		hint = "this store's issuer is " + b.Config.Issuer + "; --config or DOORWARD_ISSUER sets it"
	case errors.Is(err, doorward.ErrAudience):
		hint = "verified for the audience " + audience + "; --audience names another"
	case errors.Is(err, jwt.ErrKey):
		hint = "another server made it, or its key is retired or revoked: doorward key list"
	}
	return failure.Refused(hint, "the token is refused: %s", inspect.Reason(err))
}

// otherThanToken refuses what looks like a credential of another kind.
func otherThanToken(text string) error {
	switch inspect.KindOf(text) {
	case inspect.RefreshToken:
		return failure.Refused("", "this is a refresh token: only the server that made it can read it")
	case inspect.APIKey:
		return failure.Refused("doorward apikey inspect", "this looks like an API key")
	}
	return nil
}

// decode takes a token apart without verifying it.
func decode(token string) (header, claims json.RawMessage, err error) {
	if err := otherThanToken(token); err != nil {
		return nil, nil, err
	}
	h, c, err := inspect.Decode(token)
	if err != nil {
		return nil, nil, failure.Refused("", "%v", err)
	}
	return json.RawMessage(h), json.RawMessage(c), nil
}

// noteTimes writes the times of the claims for people.
func noteTimes(sh shell.Shell, claims json.RawMessage) {
	var members map[string]any
	if json.Unmarshal(claims, &members) != nil {
		return
	}
	for _, name := range []string{"auth_time", "iat", "nbf", "exp"} {
		if seconds, ok := members[name].(float64); ok && seconds > 0 && seconds < 1<<40 {
			sh.Note("%s is %s", name, ago.When(time.Unix(int64(seconds), 0)))
		}
	}
}
