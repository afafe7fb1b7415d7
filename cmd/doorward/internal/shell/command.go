package shell

import (
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/spf13/cobra"
)

// Group is a command that does nothing by itself.
func Group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: RunGroup, SuggestionsMinimumDistance: 2}
	cmd.AddCommand(commands...)
	return cmd
}

// RunGroup runs a command that does nothing by itself: it shows the help, or refuses an unknown subcommand.
func RunGroup(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	hint := cmd.CommandPath() + " --help"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + cmd.CommandPath() + " " + near[0]
	}
	return failure.Misused(hint, "unknown command %q for %q", args[0], cmd.CommandPath())
}

// Want admits as many arguments as there are names, which errors use.
func Want(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return failure.Misused(cmd.CommandPath()+" --help", "%s is missing", names[len(args)])
		case len(args) > len(names):
			return failure.Misused(cmd.CommandPath()+" --help", "unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// FromStdin admits no argument but "-": what is in the arguments of a process
// every user of the machine can read.
func FromStdin(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || len(args) == 1 && args[0] == "-" {
		return nil
	}
	return failure.Misused(strings.TrimSpace(cmd.Example), "a secret is read from standard input, since everybody on this machine can read arguments")
}

// JSONFlag adds --json to cmd.
func JSONFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}
