package main

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/spf13/cobra"
)

// A flag that is called like a setting is that setting, unless its command says that it is its own: else what it says of
// one token, say, would hold for the whole configuration that the command reads.
func TestFlagsCalledLikeSettings(t *testing.T) {
	t.Parallel()
	settings, own := 0, 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		named := map[string]bool{}
		for _, s := range config.Settings() {
			f := cmd.Flag(s.Flag)
			if s.Flag == "" || f == nil {
				continue
			}
			named[s.Flag] = true
			isSetting := f.Usage == s.Usage+"; also "+s.Env()
			switch {
			case isSetting == (cmd.Annotations["own"] == s.Flag):
				t.Errorf("%s: --%s, %q, is to be the flag of the setting %s, by AddFlags, or the annotation own names it", cmd.CommandPath(), s.Flag, f.Usage, s.Key)
			case isSetting:
				settings++
			default:
				own++
			}
		}
		if name, ok := cmd.Annotations["own"]; ok && !named[name] {
			t.Errorf("%s: the annotation own names --%s, which it does not have, or which is no setting's", cmd.CommandPath(), name)
		}
		if f := cmd.Flag(config.TTLFlag); f != nil && !strings.Contains(f.Usage, "access_ttl") {
			t.Errorf("%s: --%s, %q, is read as access_ttl", cmd.CommandPath(), config.TTLFlag, f.Usage)
		}
	}
	walk(rootCommand(shell.Shell{}))
	if settings == 0 || own == 0 {
		t.Errorf("%d flags of settings and %d others were seen", settings, own)
	}
}
