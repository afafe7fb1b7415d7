package main

import (
	"context"
	"slices"

	"github.com/doorward/doorward/cmd/doorward/internal/apikeys"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

func (a *app) apikeyCommand() *cobra.Command {
	commands := apikeys.Shell{
		Shell: a.shell(),
		Beside: func(cmd *cobra.Command, do func(context.Context, apikeys.Store) error) error {
			return a.beside(cmd, func(ctx context.Context, b *backend) error {
				return do(ctx, apikeys.Store{Keys: account.NewAPIKeys(account.APIKeysConfig{Store: b.store}), People: b.people, Clients: b.clients()})
			})
		},
		FromStdin: fromStdin, ReadToken: a.readToken,
	}
	return newGroup("apikey", "Add, list and revoke the keys with which programs call without a login", commands.Commands()...)
}

// apiKeys are the keys of a running server.
func (n *node) apiKeys(iss *issuer.Issuer) *account.APIKeys {
	audiences := []string{iss.Audience()}
	for _, name := range append([]string{iss.URL()}, n.cfg.Audiences...) {
		if !slices.Contains(audiences, name) {
			audiences = append(audiences, name)
		}
	}
	return account.NewAPIKeys(account.APIKeysConfig{Store: n.store, Audiences: audiences, Failures: limit(n.cfg.KeyFailures)})
}
