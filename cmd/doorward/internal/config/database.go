package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// UseDatabase names the database by a flag that is none of the settings'.
func (c *Config) UseDatabase(url, flag string) {
	c.Database, c.DatabaseFile = NewSecret(url), ""
	c.origin["database"] = flag
	delete(c.origin, "database_file")
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
