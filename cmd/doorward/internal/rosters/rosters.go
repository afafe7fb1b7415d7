// Package rosters has the commands about lists of users: from another program into the store, and from the store to a file.
package rosters

import (
	"context"

	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/spf13/cobra"
)

// Shell is the program around the commands.
type Shell struct {
	shell.Shell

	// Beside runs a step on the people that a command names.
	Beside func(cmd *cobra.Command, do func(context.Context, *account.People) error) error
}
