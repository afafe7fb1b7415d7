package backend

import (
	"errors"
	"net/url"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/password"
)

// OpenBreached opens the file of breached passwords, if one is set.
func OpenBreached(cfg *config.Config) (*password.Breached, error) {
	path := cfg.PasswordBreachedFile
	if path == "" {
		return nil, nil
	}
	b, err := password.OpenBreached(path)
	if errors.Is(err, password.ErrBreachedFile) {
		return nil, cfg.Problem("password.breached_file", `it has to be the SHA-1 list "ordered by hash", unpacked; sort -u sorts another one`,
			"%s: %s", path, strings.TrimPrefix(err.Error(), "password: "))
	}
	if err != nil {
		return nil, cfg.Problem("password.breached_file", "name a file that is there, or remove the setting", "%s: %v", path, shell.WithoutPath(err))
	}
	return b, nil
}

// serviceNames are what everybody knows about the service.
func serviceNames(cfg *config.Config) []string {
	names := []string{"doorward"}
	if u, err := url.Parse(cfg.Issuer); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
	}
	return names
}
