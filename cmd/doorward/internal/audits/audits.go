// Package audits has the commands about the audit record: they read, export and verify it.
package audits

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
	"github.com/spf13/cobra"
)

// Store is what the commands work on.
type Store struct {
	audit.Store
	People *account.People
	Master func() (issuer.MasterKey, error)
}

// Shell is the program around the commands.
type Shell struct {
	shell.Shell

	// Beside runs a step on the store that a command names.
	Beside func(cmd *cobra.Command, do func(context.Context, Store) error) error
}

// Commands are those of "doorward audit".
func (s Shell) Commands() []*cobra.Command {
	return []*cobra.Command{s.tailCommand(), s.searchCommand(), s.exportCommand(), s.verifyCommand()}
}
