package main

import (
	"github.com/doorward/doorward/cmd/doorward/internal/roles"
	"github.com/spf13/cobra"
)

func (a *app) roleCommand() *cobra.Command {
	return newGroup("role", "Define what roles allow", a.roles().Commands()...)
}

// roles are the commands about roles in this program.
func (a *app) roles() roles.Shell {
	return roles.Shell{
		Shell: a.shell(), Beside: a.besidePeople, Explain: explain,
	}
}
