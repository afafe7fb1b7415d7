package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	check := &cobra.Command{
		Use:     "check",
		Short:   "Check the configuration and say file, line and key of each fault",
		Example: `  doorward config check --config doorward.yaml`,
		Args:    want(),
		RunE:    a.checkConfig,
	}
	show := &cobra.Command{
		Use:   "print",
		Short: "Print the effective configuration and where each value came from",
		Long: `Print the effective configuration as YAML that --config reads again. Each line
says where its value came from. Secrets are not part of it, only their files.`,
		Args: want(),
	}
	asJSON := jsonFlag(show)
	show.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(cmd, false, "")
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(jsonOfConfig(cfg))
		}
		_, err = io.WriteString(a.out, cfg.YAML())
		return err
	}
	for _, cmd := range []*cobra.Command{check, show} {
		addFlags(cmd, serveSettings...)
	}
	return newGroup("config", "Check and print the configuration", check, show)
}

func (a *app) checkConfig(cmd *cobra.Command, _ []string) error {
	cfg, err := a.load(cmd, false, "")
	if isTerminal(a.errs) {
		for _, p := range config.AsProblems(err) {
			if text := p.Excerpt(os.Getenv("NO_COLOR") == ""); text != "" {
				fmt.Fprintln(a.errs, text)
			}
		}
	}
	if err != nil {
		return err
	}
	for _, name := range config.Unknown(os.Environ()) {
		a.note("the environment variable %s means nothing here", name)
	}
	if err := checkFiles(cfg); err != nil {
		return err
	}
	if _, err := listenerTLS(cfg, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	if breached, err := openBreached(cfg); err != nil {
		return err
	} else if breached != nil {
		defer func() { _ = breached.Close() }()
	}
	if _, err := (folder{a, cfg}).masterKey(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err = fmt.Fprintln(a.out, "the configuration is good")
	return err
}

// settingJSON is a setting for programs. Its names are stable.
type settingJSON struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
	Env    string `json:"env"`
}

func jsonOfConfig(cfg *config.Config) []settingJSON {
	list := []settingJSON{}
	for _, s := range config.Settings() {
		list = append(list, settingJSON{Key: s.Key, Value: cfg.Text(s), Origin: cfg.Origin(s.Key), Env: s.Env()})
	}
	return list
}
