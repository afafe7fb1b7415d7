package main

import (
	"context"
	"slices"

	"github.com/doorward/doorward/cmd/doorward/internal/apikeys"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

func apikeyCommand(sh shell.Shell) *cobra.Command {
	commands := apikeys.Shell{
		Shell: sh,
		Beside: func(cmd *cobra.Command, do func(context.Context, apikeys.Store) error) error {
			return beside(sh, cmd, func(ctx context.Context, b *backend) error {
				return do(ctx, apikeys.Store{Keys: b.apiKeys(), People: b.people, Clients: b.clients()})
			})
		},
	}
	return shell.Group("apikey", "Add, list and revoke the keys with which programs call without a login", commands.Commands()...)
}

// apiKeys are the keys of the store, with the audiences that the issuer of the configuration makes tokens for.
func (b *backend) apiKeys() *account.APIKeys {
	var audiences []string
	for _, name := range append([]string{b.cfg.Audience, b.cfg.Issuer}, b.cfg.Audiences...) {
		if name != "" && !slices.Contains(audiences, name) { // An issuer that follows from a port is not known before the first serve.
			audiences = append(audiences, name)
		}
	}
	return account.NewAPIKeys(account.APIKeysConfig{Store: b.store.accounts, Audiences: audiences, Failures: limit(b.cfg.KeyFailures)})
}
