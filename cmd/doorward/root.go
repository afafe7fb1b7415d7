package main

import (
	"github.com/doorward/doorward/cmd/doorward/internal/apikeys"
	"github.com/doorward/doorward/cmd/doorward/internal/audits"
	"github.com/doorward/doorward/cmd/doorward/internal/clients"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/keys"
	"github.com/doorward/doorward/cmd/doorward/internal/roles"
	"github.com/doorward/doorward/cmd/doorward/internal/sessions"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/cmd/doorward/internal/tokens"
	"github.com/doorward/doorward/cmd/doorward/internal/usage"
	"github.com/doorward/doorward/cmd/doorward/internal/users"
	"github.com/spf13/cobra"
)

const rootHelp = `Doorward gives any HTTP API login, short-lived access tokens, refresh and a
logout that works.

"doorward serve" is the server. The other commands work beside it on the same
data folder, or with --database on the same database; what they change holds in
the server within two seconds.

Settings come from flags, then the environment (DOORWARD_DATA, DOORWARD_LISTEN,
…), then the file that --config or DOORWARD_CONFIG names, then defaults;
"doorward config print" shows each one and where it came from.

Exit codes: 0 done · 1 failed · 2 the command line or the configuration is wrong
· 3 refused: no such user, session or key, a token that is not valid, or a data
folder of somebody else.`

func rootCommand(sh shell.Shell) *cobra.Command {
	showVersion := false
	root := &cobra.Command{
		Use:   "doorward",
		Short: "Login, refresh and a logout that works, for any HTTP API",
		Long:  rootHelp,
		Example: `  doorward serve
  doorward user add alice --role editor
  doorward session list --user alice
  doorward token issue alice`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if showVersion {
				return printVersion(sh)
			}
			return shell.RunGroup(cmd, args)
		},

		SuggestionsMinimumDistance: 2,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		text, hint := usage.OfFlag(cmd, err)
		return failure.Misused(hint, "%s", text)
	})
	config.AddFlags(root, "data", "database")
	root.PersistentFlags().String("config", "", "configuration `FILE` (YAML); also DOORWARD_CONFIG")
	root.AddCommand(
		serveCommand(sh), users.Command(sh), roles.Command(sh), clients.Command(sh), apikeys.Command(sh),
		sessions.Command(sh), keys.Command(sh), tokens.Command(sh), audits.Command(sh),
		backupCommand(sh), migrateCommand(sh), configCommand(sh), versionCommand(sh),
	)
	root.Flags().BoolVar(&showVersion, "version", false, "print version, commit and Go version")
	usage.Teach(root)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Run, cmd.RunE = nil, helpOn
		case "completion":
			cmd.Args, cmd.RunE = cobra.ArbitraryArgs, shell.RunGroup
		}
	}
	return root
}

// helpOn shows the help of the command that args name.
func helpOn(cmd *cobra.Command, args []string) error {
	named, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return shell.RunGroup(named, rest)
	}
	named.InitDefaultHelpFlag()
	return named.Help()
}
