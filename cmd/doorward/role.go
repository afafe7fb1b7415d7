package main

import (
	"github.com/doorward/doorward/cmd/doorward/internal/roles"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/spf13/cobra"
)

func roleCommand(sh shell.Shell) *cobra.Command {
	return shell.Group("role", "Define what roles allow", rolesIn(sh).Commands()...)
}

// rolesIn are the commands about roles in this program.
func rolesIn(sh shell.Shell) roles.Shell {
	return roles.Shell{
		Shell: sh, Beside: besidePeople(sh), Explain: explain,
	}
}
