package backend

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/diagnosis"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/internal/move"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/internal/sqlstore/accounts"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/postgres"
	"github.com/doorward/doorward/sqlite"
)

// Database is a *sqlite.Store or a *postgres.Store.
type Database interface {
	issuer.Store
	Pools() map[string]sql.DBStats
	ClockOffset() time.Duration
	Close() error
}

// Store is a database with all that is in it.
type Store struct {
	Database

	Shared   *sqlstore.Store // under the database
	Accounts *accounts.Store
	Audit    *sqlstore.Ledger
}

// OpenStore opens the store of a configuration, unless a move of it has begun.
func OpenStore(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Store, error) {
	if cfg.OnPostgres() {
		s, err := OpenPostgres(ctx, cfg, log)
		if err != nil {
			return nil, err
		}
		return prepare(ctx, s, s.Store, cfg.MaxSessions)
	}
	s, err := sqlite.Open(ctx, cfg.DatabasePath())
	if err != nil {
		return nil, Unopened(err, cfg.DatabasePath())
	}
	return prepare(ctx, s, s.Store, cfg.MaxSessions)
}

// prepare sets the limit of sessions of a store that was opened. A store that is being moved, or was moved to
// another place, it closes and refuses.
func prepare(ctx context.Context, db Database, shared *sqlstore.Store, maxSessions int) (*Store, error) {
	sqlstore.LimitSessions(shared, maxSessions)
	err := move.CheckMoved(ctx, shared)
	switch {
	case err == nil:
		return &Store{db, shared, accounts.In(shared), sqlstore.LedgerIn(shared)}, nil
	case errors.Is(err, move.ErrMoved):
		err = failure.Failed(err, "--database names it; doorward migrate --back makes the folder usable again, as it was then", "the content of this data folder was moved to a database")
	case errors.Is(err, move.ErrMoving):
		err = failure.Failed(err, "run doorward migrate again: it goes on where it stopped; --back makes the folder usable again", "a move from a data folder to a database is not complete")
	}
	return nil, errors.Join(err, db.Close())
}

// Unopened says why the store at path does not open and what to do about it.
func Unopened(err error, path string) error {
	const restore = "put a backup in its place, and remove doorward.db-wal and doorward.db-shm"
	for _, known := range []struct {
		err  error
		hint string
	}{
		{sqlite.ErrNotDatabase, restore},
		{sqlite.ErrDamaged, restore},
		{sqlite.ErrInUse, "doorward migrate has it for itself, or needs it and the server must be stopped first"},
		{sqlite.ErrForeign, "--data names another folder"},
		{sqlite.ErrNewer, "install the newer version, or restore the backup made before the upgrade"},
	} {
		if errors.Is(err, known.err) {
			return failure.Failed(err, known.hint, "cannot open the store %s: %s", path, strings.TrimPrefix(known.err.Error(), "sqlite: "))
		}
	}
	return failure.Failed(err, diagnosis.OfFile(err), "cannot open the store: %v", err)
}

// OpenPostgres opens the store in the database that cfg names.
func OpenPostgres(ctx context.Context, cfg *config.Config, log *slog.Logger) (*postgres.Store, error) {
	set, err := DatabaseConfig(cfg)
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

// DatabaseConfig returns how to reach the database, or what is wrong with the settings about it.
func DatabaseConfig(cfg *config.Config) (postgres.Config, error) {
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
