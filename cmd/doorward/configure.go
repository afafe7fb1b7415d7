package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/doorward/doorward/cmd/doorward/internal/backend"
	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/admin"
	"github.com/spf13/cobra"
)

func configCommand(sh shell.Shell) *cobra.Command {
	check := &cobra.Command{
		Use:     "check",
		Short:   "Check the configuration and say file, line and key of each fault",
		Example: `  doorward config check --config doorward.yaml`,
		Args:    shell.Want(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return checkConfig(sh, cmd) },
	}
	show := &cobra.Command{
		Use:   "print",
		Short: "Print the effective configuration and where each value came from",
		Long: `Print the effective configuration as YAML that --config reads again. Each line
says where its value came from. Secrets are not part of it, only their files.`,
		Args: shell.Want(),
	}
	asJSON := shell.JSONFlag(show)
	show.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Read(cmd)
		if err != nil {
			return err
		}
		if *asJSON {
			return sh.JSON(settingsOf(cfg))
		}
		_, err = io.WriteString(sh.Out, cfg.YAML())
		return err
	}
	for _, cmd := range []*cobra.Command{check, show} {
		config.AddFlags(cmd, serveSettings...)
	}
	return shell.Group("config", "Check and print the configuration", check, show)
}

func checkConfig(sh shell.Shell, cmd *cobra.Command) error {
	cfg, err := config.Read(cmd)
	if shell.IsTerminal(sh.Err) {
		for _, p := range config.AsProblems(err) {
			if text := p.Excerpt(os.Getenv("NO_COLOR") == ""); text != "" {
				fmt.Fprintln(sh.Err, text)
			}
		}
	}
	if err != nil {
		return err
	}
	for _, name := range config.Unknown(os.Environ()) {
		sh.Note("the environment variable %s means nothing here", name)
	}
	if p := cfg.Exposed(); p != nil {
		sh.Note("warning: %v", p)
		sh.Note("hint: %s", p.Hint)
	}
	if err := checkNamed(cfg); err != nil {
		return err
	}
	_, err = fmt.Fprintln(sh.Out, "the configuration is good")
	return err
}

// checkNamed looks at the files that the settings name.
func checkNamed(cfg *config.Config) error {
	if err := checkFiles(cfg); err != nil {
		return err
	}
	if _, err := listenerTLS(cfg, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	if breached, err := backend.OpenBreached(cfg); err != nil {
		return err
	} else if breached != nil {
		defer func() { _ = breached.Close() }()
	}
	if cfg.OnPostgres() {
		if _, err := backend.DatabaseConfig(cfg); err != nil {
			return err
		}
	}
	if folder.IsNew(cfg) { // then serve makes the master key
		return folder.CheckKeyFolder(cfg)
	}
	_, err := folder.MasterKey(cfg)
	return err
}

// settingsOf are all settings as a configuration has them.
func settingsOf(cfg *config.Config) []admin.Setting {
	list := []admin.Setting{}
	for _, s := range config.Settings() {
		list = append(list, admin.Setting{Key: s.Key, Value: cfg.Text(s), Origin: cfg.Origin(s.Key), Env: s.Env()})
	}
	return list
}

// problemsOf takes an error apart that says what is wrong with a configuration.
func problemsOf(err error) []admin.ConfigProblem {
	list := []admin.ConfigProblem{}
	for _, p := range config.AsProblems(err) {
		list = append(list, admin.ConfigProblem{Where: p.Where, Key: p.Key, Text: p.Text, Hint: p.Hint})
	}
	if err == nil || len(list) > 0 {
		return list
	}
	problem := admin.ConfigProblem{Text: err.Error()}
	if f, ok := errors.AsType[*failure.Error](err); ok {
		problem.Hint = f.Hint
	}
	return append(list, problem)
}
