package config

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Source is where a configuration is read from.
type Source struct {
	// Flags holds what was given on the command line, by the key of the setting.
	Flags map[string]string
	// FlagNames holds, by key, the names of those flags that are not called like their setting.
	FlagNames map[string]string
	// Environ is the environment, as [os.Environ] returns it.
	Environ []string
	// File is the configuration file; "" means what DOORWARD_CONFIG names, or none.
	File string
	// Beside is for a command that works beside a server: shared settings that nothing sets are
	// those of the last serve on the data folder or, if it is not empty, of Serving.
	Beside bool
	// Serving is what the last serve has left in the database.
	Serving string
}

// Load reads the configuration and checks it. It returns [Problems] with every
// fault that it found.
func Load(src Source) (*Config, error) {
	cfg, faults := Default(), Problems{}
	env := environment(src.Environ)
	if src.File == "" {
		src.File = env["DOORWARD_CONFIG"]
	}
	if val, ok := env["DOORWARD_CONFIG"]; ok && val == "" {
		faults.add("DOORWARD_CONFIG", "", "is empty")
		faults.hint(unsetIt)
	}
	if cfg.file = src.File; src.File != "" {
		layer{cfg, src.File, func(Setting) bool { return true }, &faults}.read(src.File)
	}
	cfg.fromEnvironment(env, &faults)
	cfg.fromFlags(src, &faults)
	if src.Beside && len(faults) == 0 {
		cfg.fromServing(src.Serving, &faults)
	}
	cfg.derive()
	cfg.check(&faults)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// Unknown returns the DOORWARD_ variables of the environment that no setting
// reads, sorted. Kubernetes sets such ones for a service called doorward.
func Unknown(environ []string) []string {
	var names []string
	for name := range environment(environ) {
		known := slices.ContainsFunc(settings, func(s Setting) bool { return s.Env() == name })
		if !known && name != "DOORWARD_CONFIG" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func environment(environ []string) map[string]string {
	vars := map[string]string{}
	for _, entry := range environ {
		name, val, ok := strings.Cut(entry, "=")
		if ok && strings.HasPrefix(name, "DOORWARD_") {
			vars[name] = val
		}
	}
	return vars
}

// unsetIt is the hint for a variable that must not be empty. It may be empty by mistake: where a script
// makes it of another variable that is missing.
const unsetIt = "give it a value, or unset it"

func (c *Config) fromEnvironment(env map[string]string, faults *Problems) {
	if _, ok := env["DOORWARD_MASTER_KEY"]; ok {
		faults.add("DOORWARD_MASTER_KEY", "", "the environment is no place for the master key")
		faults.hint("put it into a file of mode 0600 and name the file in DOORWARD_MASTER_KEY_FILE")
	}
	for _, s := range settings {
		val, ok := env[s.Env()]
		if !ok || (val == "" && !s.nonempty) {
			continue
		}
		c.apply(s, s.Env(), val, faults)
		if val == "" {
			faults.hint(unsetIt)
		}
	}
}

func (c *Config) fromFlags(src Source, faults *Problems) {
	for _, s := range settings {
		if val, ok := src.Flags[s.Key]; ok {
			c.apply(s, "--"+cmp.Or(src.FlagNames[s.Key], s.Flag), val, faults)
		}
	}
}

func (c *Config) apply(s Setting, where, val string, faults *Problems) {
	if err := s.bind(c).parse(val); err != nil {
		faults.add(where, "", "%v", err)
		return
	}
	c.origin[s.Key] = where
}

// fromServing takes the shared settings that nothing has set yet.
func (c *Config) fromServing(text string, faults *Problems) {
	unset := func(s Setting) bool { return s.Shared && c.origin[s.Key] == "" }
	if text != "" {
		layer{c, "the database", unset, faults}.parse([]byte(text))
		return
	}
	if c.OnPostgres() {
		return
	}
	path := c.ServingPath()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return
	}
	layer{c, path, unset, faults}.read(path)
}

// LastIssuer returns the issuer of the last serve, "" if there is none. Serving is what it
// left in the database; without one it is what it left in the data folder.
func (c *Config) LastIssuer(serving string) string {
	last := Default()
	last.Data, last.Database, last.DatabaseFile = c.Data, c.Database, c.DatabaseFile
	last.fromServing(serving, &Problems{})
	return last.Issuer
}

// derive fills in what follows from other settings.
func (c *Config) derive() {
	if c.MasterKeyFile == "" {
		c.MasterKeyFile = filepath.Join(c.Data, "master.key")
	}
	// Commands beside a server are called in other folders.
	if path, err := filepath.Abs(c.PasswordBreachedFile); err == nil && c.PasswordBreachedFile != "" {
		c.PasswordBreachedFile = path
	}
	if c.RefreshStrict && c.origin["refresh.window"] == "" {
		c.RefreshWindow = 0
	}
	if c.RefreshStrict && c.origin["refresh.budget"] == "" {
		c.RefreshBudget = 1
	}
	if !strings.HasSuffix(c.Listen, ":0") {
		c.Resolve(c.Listen)
	}
}
