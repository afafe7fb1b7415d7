package config

import (
	"os"

	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/spf13/cobra"
)

// TTLFlag is what token issue calls the setting access_ttl.
const TTLFlag = "ttl"

// AddFlags gives cmd the flags of settings. Those of the root are for every command.
func AddFlags(cmd *cobra.Command, keys ...string) {
	flags := cmd.Flags()
	if !cmd.HasParent() && cmd.Name() == "doorward" {
		flags = cmd.PersistentFlags()
	}
	for _, key := range keys {
		s, ok := Find(key)
		if !ok {
			panic("no setting " + key)
		}
		usage := s.Usage + "; also " + s.Env()
		if s.Bool() {
			flags.Bool(s.Flag, false, usage)
			continue
		}
		flags.String(s.Flag, s.DefaultText(), usage)
	}
}

// Read reads the configuration for cmd, as it was set.
func Read(cmd *cobra.Command) (*Config, error) {
	src, err := sourceOf(cmd)
	if err != nil {
		return nil, err
	}
	return Load(src)
}

// ReadBeside is [Read] for a command that works beside a server. What is not set is taken from serving, which the last
// serve left in the database, or, if that is empty, from what it left in the data folder.
func ReadBeside(cmd *cobra.Command, serving string) (*Config, error) {
	src, err := sourceOf(cmd)
	if err != nil {
		return nil, err
	}
	src.Beside, src.Serving = true, serving
	return Load(src)
}

// sourceOf is what cmd's flags and the environment say. The annotation "own" names a flag of cmd that is called like a
// setting and has a meaning of its own.
func sourceOf(cmd *cobra.Command) (Source, error) {
	src := Source{Flags: map[string]string{}, Environ: os.Environ()}
	for _, s := range settings {
		if f := cmd.Flags().Lookup(s.Flag); s.Flag != "" && f != nil && f.Changed && cmd.Annotations["own"] != s.Flag {
			src.Flags[s.Key] = f.Value.String()
		}
	}
	if f := cmd.Flags().Lookup(TTLFlag); f != nil && f.Changed {
		src.Flags["access_ttl"], src.FlagNames = f.Value.String(), map[string]string{"access_ttl": TTLFlag}
	}
	if f := cmd.Flags().Lookup("config"); f != nil && f.Changed {
		if src.File = f.Value.String(); src.File == "" {
			return Source{}, failure.Misused("", "--config: is empty")
		}
	}
	return src, nil
}
