package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/diagnosis"
	"github.com/doorward/doorward/cmd/doorward/internal/durable"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/postgres"
)

// openPostgres opens the store in the database that cfg names.
func openPostgres(ctx context.Context, cfg *config.Config, log *slog.Logger) (*postgres.Store, error) {
	set, err := databaseConfig(cfg)
	if err != nil {
		return nil, err
	}
	set.Logger = log
	s, err := postgres.Open(ctx, set)
	if err == nil {
		return s, nil
	}
	text, hint := diagnosis.OfConnection(err)
	if errors.Is(err, postgres.ErrNewer) {
		hint = "install the newer version on this node, too; others go on meanwhile"
	}
	return nil, failure.Failed(err, hint, "cannot open the store: %s", text)
}

// databaseConfig returns how to reach the database, or what is wrong with the settings about it.
func databaseConfig(cfg *config.Config) (postgres.Config, error) {
	url, err := cfg.DatabaseURL()
	if err != nil {
		return postgres.Config{}, err
	}
	set := postgres.Config{URL: url, Connections: cfg.DatabaseConnections}
	if err := set.Validate(); err != nil {
		key := "database"
		if cfg.DatabaseFile != "" {
			key = "database_file"
		}
		return postgres.Config{}, cfg.Problem(key, diagnosis.OfURL(url), "%s", strings.TrimPrefix(err.Error(), postgres.ErrURL.Error()+": "))
	}
	return set, nil
}

// lastServing returns the settings that the last serve left in the database. For a store in a file,
// which has them beside it, it returns "".
func (b *backend) lastServing(ctx context.Context) (string, error) {
	if !b.cfg.OnPostgres() {
		return "", nil
	}
	return sqlstore.Serving(ctx, b.store.shared)
}

// leaveServing leaves the settings that commands beside this server need.
func (b *backend) leaveServing(ctx context.Context, text string) error {
	if b.cfg.OnPostgres() {
		return sqlstore.SetServing(ctx, b.store.shared, text)
	}
	path := b.cfg.ServingPath()
	err := durable.Replace(path, text)
	if there, _ := os.ReadFile(path); string(there) == text {
		return nil // Nothing was lost with what could not be written.
	}
	return err
}

// storeAttr says in a log record where the store is.
func storeAttr(cfg *config.Config) slog.Attr {
	if cfg.OnPostgres() {
		return slog.String("database", "postgres")
	}
	return slog.String("data", cfg.Data)
}
