// Package apikeys has the commands about API keys: who has which, and what they may do.
package apikeys

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/cmd/doorward/internal/ago"
	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

// Command is "doorward apikey".
func Command(sh shell.Shell) *cobra.Command {
	return shell.Group("apikey", "Add, list and revoke the keys with which programs call without a login",
		addCommand(sh), listCommand(sh), revokeCommand(sh), inspectCommand(sh))
}

func addCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add USER|CLIENT",
		Short: "Add a key for a user or a client, and print it once",
		Long: `Add a key with which a program calls in the name of a user or a client, without a
login. It is printed here, once, and kept nowhere. (doorward key is about the keys
that sign tokens.)

A key may do what --scope says, as far as its owner may at that moment, and has no
roles. With --everything it may do all that its owner may, whatever that becomes,
and has their roles; the role admin is never a key's.

It ends after 90 days, or when --expires says.`,
		Example: `  doorward apikey add alice --name backup --scope orders:read
  doorward apikey add billing --name nightly --everything --expires 30d`,
		Args:        shell.Want("USER|CLIENT"),
		Annotations: map[string]string{"own": "audience"},
	}
	flags := cmd.Flags()
	var n account.NewAPIKey
	flags.StringVar(&n.Name, "name", "", "`NAME` that says what the key is for; required")
	scope := flags.StringArray("scope", nil, "a `SCOPE` of the key; may be repeated")
	flags.BoolVar(&n.Everything, "everything", false, "all that the owner may do, with their roles")
	flags.StringArrayVar(&n.Audiences, "audience", nil, "an `AUDIENCE` that tokens may be made for; may be repeated (default all of the owner's)")
	expires := flags.String("expires", config.FormatDuration(account.APIKeyLifetime), "`D` after which the key ends, such as 30d, 366d at most; or never")
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n.Scope = doorward.Scope(*scope)
		switch changed := cmd.Flags().Changed; {
		case n.Name == "":
			return failure.Misused(cmd.CommandPath()+" --help", "--name is missing")
		case n.Everything && changed("scope"):
			return failure.Misused(cmd.CommandPath()+" --help", "--everything and --scope exclude each other")
		}
		var err error
		if n.NeverExpires = *expires == "never"; !n.NeverExpires {
			if n.Lifetime, err = config.ParseDuration(*expires); err != nil {
				return failure.Misused("", "--expires: want a duration such as 90d, or never")
			}
		}
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			owner, err := ownerOf(ctx, b, args[0])
			if err != nil {
				return err
			}
			n.Owner = owner
			key, text, err := b.APIKeys().Add(ctx, n, shell.Event())
			if err != nil {
				return explain(err)
			}
			return printNew(sh, key, text, args[0], *asJSON)
		})
	}
	return cmd
}

// printNew prints a key, on stdout and nothing else there.
func printNew(sh shell.Shell, key account.APIKey, text, owner string, asJSON bool) error {
	if asJSON {
		return sh.JSON(struct {
			keyJSON
			Key string `json:"key"`
		}{jsonOf(key), text})
	}
	sh.Note("key %s of %s; it is not shown again", key.ID, owner)
	if key.ExpiresAt.IsZero() {
		sh.Note("it NEVER expires: doorward apikey revoke %s ends it", key.ID)
	} else {
		sh.Note("it expires %s", ago.When(key.ExpiresAt))
	}
	_, err := io.WriteString(sh.Out, text+"\n")
	return err
}

func revokeCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke ID | --all USER|CLIENT",
		Short: "End a key and every token made from it",
		Long: `End a key and every token made from it, everywhere within the usual moment. ID is
what stands before the second "_" of a key: dwk_ and 16 characters. With --all the
argument is a user or a client, all of whose keys end.`,
		Example: `  doorward apikey revoke dwk_k3v7qhd2mwx4tzpa
  doorward apikey revoke --all alice`,
	}
	all := cmd.Flags().Bool("all", false, "end all keys of the user or client")
	yes := cmd.Flags().Bool("yes", false, "do not ask, with --all")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if *all {
			return shell.Want("USER|CLIENT")(cmd, args)
		}
		return shell.Want("ID")(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return backend.Beside(sh, cmd, func(ctx context.Context, b *backend.Backend) error {
			if *all {
				return revokeAll(ctx, sh, b, args[0], *yes)
			}
			id := args[0]
			if !account.IsAPIKeyID(id) {
				return failure.Refused("doorward apikey list has the IDs; --all ends all keys of a user or client", "this is not the ID of an API key: want %s and 16 characters", account.APIKeyPrefix)
			}
			cut, err := b.APIKeys().Revoke(ctx, id, "", shell.Event())
			switch {
			case err != nil:
				return explain(err)
			case cut.Kind == "":
				sh.Note("key %s had ended already", id)
			default:
				sh.Note("key %s has ended, and every token made from it", id)
			}
			return nil
		})
	}
	return cmd
}

func revokeAll(ctx context.Context, sh shell.Shell, b *backend.Backend, name string, yes bool) error {
	owner, err := ownerOf(ctx, b, name)
	if err != nil {
		return err
	}
	if err := sh.Confirm(yes, "end all API keys of "+name); err != nil {
		return err
	}
	cuts, err := b.APIKeys().RevokeAll(ctx, owner, shell.Event())
	if err != nil {
		return err
	}
	sh.Note("%d API keys of %s have ended, and every token made from them", len(cuts), name)
	return nil
}

func inspectCommand(sh shell.Shell) *cobra.Command {
	return &cobra.Command{
		Use:   "inspect [-]",
		Short: "Tell whether a text is an API key, without asking anybody",
		Long: `Read a text from standard input and tell whether it is an API key: its form and its
checksum. Print the ID of one, and exit with 3 for anything else. Whether the key
works, nobody is asked.`,
		Example: `  printf %s "$KEY" | doorward apikey inspect`,
		Args:    shell.FromStdin,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := sh.ReadToken(cmd)
			if err != nil {
				return err
			}
			id, err := account.ParseAPIKey(text)
			switch {
			case errors.Is(err, account.ErrAPIKeySum):
				return failure.Refused("it was mistyped, cut, or made up", "this looks like an API key, and its checksum is wrong")
			case err != nil:
				return failure.Refused("a key matches "+account.APIKeyPattern, "this is no API key")
			}
			_, err = io.WriteString(sh.Out, id+"\n")
			return err
		},
	}
}

// ownerOf returns the ID of a user or client with a name or an ID.
func ownerOf(ctx context.Context, b *backend.Backend, name string) (string, error) {
	user, err := b.People.Find(ctx, name)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return "", err
	}
	client, err := b.Clients().Find(ctx, name)
	if err != nil && !errors.Is(err, account.ErrNoClient) {
		return "", err
	}
	id, like := account.ParseID(name)
	switch {
	case like && (id == user.ID || id == client.ID): // whoever else has it for their name
		return id, nil
	case user.ID != "" && client.ID != "":
		return "", failure.Refused("name one by its ID: "+user.ID+" or "+client.ID, "there are a user and a client %q", name)
	case user.ID == "" && client.ID == "":
		return "", failure.Refused("doorward user list, doorward client list", "there is no user or client %q", name)
	}
	return user.ID + client.ID, nil
}

// explain turns what account refuses into what a person can act on.
func explain(err error) error {
	for _, known := range []struct {
		err  error
		hint string
	}{
		{account.ErrNoAPIKey, "doorward apikey list"},
		{account.ErrAPIKeyBounds, "doorward apikey list; doorward apikey revoke makes room"},
		{account.ErrAPIKeyScope, "doorward user show, doorward client show: a key may do no more than its owner"},
		{account.ErrAPIKeyName, "--name says what the key is for"},
		{account.ErrAPIKeyGrant, ""},
		{issuer.ErrAudience, "those of users are the settings issuer, audience and audiences, of --config or else of the last serve; a client has its own: doorward client set"},
		{account.ErrAPIKeyLifetime, "--expires takes 1m to 366d, or never"},
	} {
		if errors.Is(err, known.err) {
			prefix, _, _ := strings.Cut(known.err.Error(), ": ")
			_, text, _ := strings.Cut(err.Error(), prefix+": ")
			return failure.Refused(known.hint, "%s", text)
		}
	}
	return err
}
