// Package audits has the commands about the audit record: they read, export and verify it.
package audits

import (
	"context"
	"io"

	"github.com/doorward/doorward/cmd/doorward/internal/progress"
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

// Shell is what the commands need of the program around them.
type Shell struct {
	// Beside runs a step on the store that a command names.
	Beside func(cmd *cobra.Command, do func(context.Context, Store) error) error
	// Want admits arguments of these names.
	Want func(names ...string) cobra.PositionalArgs
	// Event says who does it.
	Event func() issuer.Event
	// Misused, Refused and Failed make the errors with the exit codes 2, 3 and 1.
	Misused, Refused func(hint, format string, args ...any) error
	Failed           func(err error, hint, format string, args ...any) error
	// Note writes a line for people, the others what was asked for.
	Note     func(format string, args ...any)
	Out      io.Writer
	JSON     func(any) error
	Progress func() *progress.Bar
}

// Commands are those of "doorward audit".
func (s Shell) Commands() []*cobra.Command {
	return []*cobra.Command{s.tailCommand(), s.searchCommand(), s.exportCommand(), s.verifyCommand()}
}
