package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/admin"
	"github.com/spf13/cobra"
)

func versionCommand(sh shell.Shell) *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "Print version, commit and Go version", Args: shell.Want()}
	asJSON := shell.JSONFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if *asJSON {
			return sh.JSON(readVersion())
		}
		return printVersion(sh)
	}
	return cmd
}

func printVersion(sh shell.Shell) error {
	v := readVersion()
	commit := shell.OrDash(v.Commit)
	if v.Modified {
		commit += " (modified)"
	}
	_, err := fmt.Fprintf(sh.Out, "doorward %s\ncommit %s\n%s %s\n", v.Version, commit, v.Go, v.Platform)
	return err
}

func readVersion() admin.Version {
	v := admin.Version{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
