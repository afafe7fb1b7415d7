package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrMode says that the mode of a secret's file is too open.
var ErrMode = errors.New("others may read it")

// check finds settings that are good each by itself, but not together.
func (c *Config) check(faults *Problems) {
	if len(*faults) > 0 {
		return
	}
	if c.Database.reveal() != "" && c.DatabaseFile != "" {
		c.fault(faults, "database_file", "and database are both set; one of them names the database")
	}
	c.checkListener(faults)
	c.checkTLS(faults)
	c.checkLifetimes(faults)
	c.checkRefresh(faults)
	c.checkGate(faults)
	if slices.Contains(c.Audiences, c.Audience) || slices.Contains(c.Audiences, c.Issuer) {
		c.fault(faults, "audiences", "names the default audience or the issuer; both are there without it")
	}
	for key, header := range map[string]string{"tokens.header": c.TokensHeader, "api_keys.header": c.APIKeysHeader} {
		if strings.EqualFold(header, "Authorization") || strings.EqualFold(header, "Cookie") {
			c.fault(faults, key, "name another header; Authorization: Bearer is read without it")
		}
	}
	if c.APIKeysHeader != "" && strings.EqualFold(c.APIKeysHeader, c.TokensHeader) {
		c.fault(faults, "api_keys.header", "is tokens.header already, where API keys are read too")
	}
}

// CheckSecrets refuses secret files that others may read or that are empty. The
// master key is checked when it is read.
func (c *Config) CheckSecrets() error {
	var faults Problems
	c.checkSecret(&faults, "tls.key", c.TLSKey)
	c.checkSecret(&faults, "database_file", c.DatabaseFile)
	if c.UpstreamToken != nil {
		c.checkSecret(&faults, "upstream.token.secret_file", c.UpstreamToken.SecretFile)
	}
	return faults.Err()
}

func (c *Config) checkSecret(faults *Problems, key, path string) {
	if path == "" {
		return
	}
	if err := SecretFile(path, 0o007); err != nil {
		c.fault(faults, key, "%v", err)
		if errors.Is(err, ErrMode) {
			faults.hint("chmod o= " + path)
		}
	}
}

// SecretFile checks that path is a file with something in it whose mode grants
// none of the forbidden bits.
func SecretFile(path string, forbidden fs.FileMode) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", Tried(path), errors.Unwrap(err))
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", path)
	case info.Mode().Perm()&forbidden != 0:
		return fmt.Errorf("%s has mode %#o: %w", path, info.Mode().Perm(), ErrMode)
	case info.Size() == 0:
		return fmt.Errorf("%s is empty", path)
	}
	return nil
}

// Tried is where a file was looked for. A relative name is below the working directory, which for a service is often /.
func Tried(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

func (c *Config) checkListener(faults *Problems) {
	c.checkApart(faults)
	c.checkPlain(faults, "admin.listen", c.AdminListen)
	if !c.checkPlain(faults, "listen", c.Listen) {
		return
	}
	if c.origin["issuer"] == "" {
		c.fault(faults, "issuer", "is required when listening on anything but loopback")
		faults.hint("--issuer https://… is the URL by which clients reach this server")
	}
}

// checkApart wants another address for each listener.
func (c *Config) checkApart(faults *Problems) {
	keys, addresses := []string{"listen", "metrics.listen", "admin.listen"}, []string{c.Listen, c.MetricsListen, c.AdminListen}
	for i, key := range keys {
		for j := range i {
			if overlap(addresses[i], addresses[j]) {
				c.fault(faults, key, "%s is taken by %s", addresses[i], keys[j])
				faults.hint("give each listener a port of its own")
				return
			}
		}
	}
}

// overlap reports whether two addresses cannot both be listened on. One without a host, or with an unspecified one,
// stands for all addresses with its port. Port 0 is any free port.
func overlap(one, other string) bool {
	host, port, err := net.SplitHostPort(one)
	otherHost, otherPort, otherErr := net.SplitHostPort(other)
	if err != nil || otherErr != nil || port != otherPort || port == "0" {
		return false
	}
	return strings.EqualFold(host, otherHost) || everywhere(host) || everywhere(otherHost)
}

func everywhere(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}

// checkPlain wants TLS of a listener off loopback, and reports whether it is one.
func (c *Config) checkPlain(faults *Problems, key, address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || isLoopback(host) {
		return false
	}
	if !c.TLS() && !c.InsecureHTTP {
		c.fault(faults, key, "%s is not loopback, and there is no TLS", address)
		faults.hint("give --tls-cert and --tls-key, or --insecure-http where a proxy ends TLS")
	}
	return true
}

func (c *Config) checkTLS(faults *Problems) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		c.fault(faults, "tls", "a certificate and its key go together")
		faults.hint("give both --tls-cert and --tls-key")
	}
	if c.InsecureHTTP && c.TLS() {
		c.fault(faults, "insecure_http", "excludes tls.cert: one says that a proxy ends TLS, the other that Doorward does")
	}
	if c.H2C && c.TLS() {
		c.fault(faults, "server.h2c", "excludes tls.cert: with TLS HTTP/2 is spoken anyway")
	}
}

func (c *Config) checkLifetimes(faults *Problems) {
	switch {
	case c.SessionIdle > c.SessionAbsolute:
		c.clash(faults, "session.idle", "is longer than", "session.absolute", "is shorter than")
	case c.AccessTTL > c.SessionAbsolute:
		c.clash(faults, "access_ttl", "is longer than", "session.absolute", "is shorter than")
	case c.PublishLead >= c.KeyLifetime:
		c.clash(faults, "keys.publish_lead", "is not shorter than", "keys.lifetime", "is not longer than")
	}
}

// clash says that one setting does not go with another, and how the other does not go with it. It blames the one that was
// set: of a default nobody knows.
func (c *Config) clash(faults *Problems, key, relation, other, converse string) {
	if c.origin[key] == "" && c.origin[other] != "" {
		key, relation, other = other, converse, key
	}
	c.fault(faults, key, "%s %s: %s against %s", relation, other, c.inForce(key), c.inForce(other))
	if c.origin[other] == "" {
		faults.hint("set " + other + " too")
	}
}

// inForce is the value of a setting, and whether it is the default.
func (c *Config) inForce(key string) string {
	s, _ := Find(key)
	if c.origin[key] == "" {
		return c.Text(s) + " (the default)"
	}
	return c.Text(s)
}

func (c *Config) checkRefresh(faults *Problems) {
	if c.RefreshStrict && (c.RefreshWindow != 0 || c.RefreshBudget != 1) {
		c.fault(faults, "refresh.strict", "excludes refresh.window and refresh.budget: strict is window 0s and budget 1")
	}
	if !c.RefreshStrict && c.RefreshWindow == 0 {
		c.fault(faults, "refresh.window", "0s is for refresh.strict: true alone")
	}
}

// fault adds a fault of a setting, with the place that set it.
func (c *Config) fault(faults *Problems, key, format string, args ...any) {
	where, key := c.place(key)
	faults.add(where, key, format, args...)
}

// place returns where a setting was set, and its key. The key is "" for a flag or a variable,
// whose name says it already.
func (c *Config) place(key string) (where, shown string) {
	where = c.origin[key]
	if strings.HasPrefix(where, "--") || strings.HasPrefix(where, "DOORWARD_") {
		return where, ""
	}
	return where, key
}

// Problem returns a fault of a setting that Load cannot find: in the file that the setting names, for example. key may be
// that of a part of the setting, such as upstream.token.secret_file.
func (c *Config) Problem(key, hint, format string, args ...any) Problems {
	where, shown := c.place(key)
	for setting := key; where == "" && strings.Contains(setting, "."); {
		setting = setting[:strings.LastIndex(setting, ".")]
		where = c.origin[setting]
	}
	return Problems{{Where: where, Key: shown, Text: fmt.Sprintf(format, args...), Hint: hint}}
}

// AsProblems returns the problems that err is made of, nil when it is none.
func AsProblems(err error) Problems {
	ps, _ := errors.AsType[Problems](err)
	return ps
}
