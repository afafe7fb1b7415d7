// Package usage says what is wrong with a command line, what may have been meant, and repeats it for a hint.
package usage

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// OfFlag says what is wrong with a flag of cmd, without its value, and what to do.
func OfFlag(cmd *cobra.Command, err error) (text, hint string) {
	hint = cmd.CommandPath() + " --help"
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		flag := wrong.GetFlag()
		return "--" + flag.Name + ": " + wanted(flag, wrong), hint
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		if near := nearFlag(cmd, unknown.GetSpecifiedName()); near != "" {
			hint = "did you mean --" + near
		}
	}
	return err.Error(), hint
}

func wanted(flag *pflag.Flag, wrong *pflag.InvalidValueError) string {
	switch flag.Value.Type() {
	case "bool":
		return "want true or false"
	case "int", "int64":
		return "want a whole number"
	}
	return wrong.Unwrap().Error()
}

// nearFlag asks for flags as if they were commands, since cobra suggests only these.
func nearFlag(cmd *cobra.Command, name string) string {
	flags := &cobra.Command{SuggestionsMinimumDistance: 2}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		flags.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	near := flags.SuggestionsFor(name)
	if len(near) == 0 {
		return ""
	}
	return near[0]
}

// otherwise are the names by which other programs call what the commands of a name do.
var otherwise = map[string][]string{
	"serve":  {"start", "run", "server", "up"},
	"add":    {"create", "new", "register"},
	"list":   {"ls"},
	"show":   {"get", "info", "view"},
	"set":    {"update", "edit", "modify", "change"},
	"delete": {"remove", "rm"},
	"remove": {"delete", "rm"},
	"revoke": {"delete", "remove", "rm", "end", "logout"},
	"passwd": {"password"},
	"issue":  {"create", "new"},
	"print":  {"show", "get", "dump"},
	"check":  {"validate", "test", "lint"},
	"audit":  {"log", "logs", "events", "history"},
	"search": {"list", "ls", "find", "grep"},
}

// Teach lets cmd and all below it be suggested for what other programs call them.
func Teach(cmd *cobra.Command) {
	cmd.SuggestFor = otherwise[cmd.Name()]
	for _, sub := range cmd.Commands() {
		Teach(sub)
	}
}
