// Package audits has the commands about the audit record: they read, export and verify it.
package audits

import (
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/spf13/cobra"
)

// Command is "doorward audit".
func Command(sh shell.Shell) *cobra.Command {
	return shell.Group("audit", "Read, export and verify the record of security events",
		tailCommand(sh), searchCommand(sh), exportCommand(sh), verifyCommand(sh))
}
