package config

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime"
	"strings"
)

// UseDatabase names the database by a flag that is none of the settings'.
func (c *Config) UseDatabase(url, flag string) {
	c.Database, c.DatabaseFile = NewSecret(url), ""
	c.origin["database"] = flag
	delete(c.origin, "database_file")
}

// Exposed says that the configuration file holds the password of the database and that others may read it; nil if
// not. It is for a warning: a server that has run with the file goes on.
func (c *Config) Exposed() *Problem {
	info, err := os.Stat(c.file)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o007 == 0 || !strings.HasPrefix(c.origin["database"], c.file+":") || !holdsPassword(c.Database.reveal()) {
		return nil
	}
	return &Problem{
		Where: c.origin["database"], Key: "database", Text: fmt.Sprintf("holds a password, and others may read the file: it has mode %#o", info.Mode().Perm()),
		Hint: "chmod o= " + Tried(c.file) + ", or put the URL into a file of its own and name that in database_file",
	}
}

// holdsPassword reports whether the URL of a database has a password in it, or cannot be read.
func holdsPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return true
	}
	_, found := u.User.Password()
	query := u.Query()
	return found || query.Has("password") || query.Has("sslpassword")
}

// DatabaseURL returns the URL of the PostgreSQL database, which may hold a password: as
// it was set, or as its file says.
func (c *Config) DatabaseURL() (string, error) {
	if c.DatabaseFile == "" {
		return c.Database.reveal(), nil
	}
	if err := c.CheckSecrets(); err != nil {
		return "", err
	}
	const most = 1 << 16
	f, err := os.Open(c.DatabaseFile)
	if err != nil {
		return "", fmt.Errorf("the file with the URL of the database: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("the file with the URL of the database: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
