package main

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/diagnosis"
	"github.com/doorward/doorward/cmd/doorward/internal/failure"
	"github.com/doorward/doorward/cmd/doorward/internal/folder"
	"github.com/doorward/doorward/cmd/doorward/internal/shell"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/internal/move"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/internal/sqlstore/accounts"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/password"
	"github.com/doorward/doorward/sqlite"
	"github.com/spf13/cobra"
)

// backend is what commands work on: the store, and what stands on it.
type backend struct {
	cfg    *config.Config
	store  *store
	hasher *password.Hasher
	people *account.People
	// breached is the file of breached passwords. It is nil if there is none or, with
	// breachedErr set, if it cannot be read: only what needs the file fails then.
	breached    *password.Breached
	breachedErr error
	feed        *feed.Feed // of a server
}

// database is a *sqlite.Store or a *postgres.Store.
type database interface {
	issuer.Store
	Pools() map[string]sql.DBStats
	ClockOffset() time.Duration
	Close() error
}

// store is a database with all that is in it.
type store struct {
	database
	shared   *sqlstore.Store // under the database
	accounts *accounts.Store
	audit    *sqlstore.Ledger
}

// beside runs a command on the store beside a server, which may be running: it opens the store,
// passes it to do, and closes it.
func beside(sh shell.Shell, cmd *cobra.Command, do func(context.Context, *backend) error) error {
	cfg, err := config.ReadBeside(cmd, "")
	if err != nil {
		return err
	}
	if !cfg.OnPostgres() {
		if err := folder.MustExist(cfg, sh.Args); err != nil {
			return err
		}
	}
	store, err := openStore(cmd.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(besideStore(sh, cmd, cfg, store, do), store.Close())
}

// besidePeople is beside for commands that need no more of the backend than people.
func besidePeople(sh shell.Shell) func(*cobra.Command, func(context.Context, *account.People) error) error {
	return func(cmd *cobra.Command, do func(context.Context, *account.People) error) error {
		return beside(sh, cmd, func(ctx context.Context, b *backend) error { return do(ctx, b.people) })
	}
}

// besideStore calls do with the settings of the last serve, which a database holds itself.
func besideStore(sh shell.Shell, cmd *cobra.Command, cfg *config.Config, store *store, do func(context.Context, *backend) error) error {
	if cfg.OnPostgres() {
		serving, err := sqlstore.Serving(cmd.Context(), store.shared)
		if err != nil {
			return err
		}
		if cfg, err = config.ReadBeside(cmd, serving); err != nil {
			return err
		}
	}
	b, err := newBackend(cfg, store)
	if err != nil {
		return err
	}
	return errors.Join(do(cmd.Context(), b), b.close())
}

// openStore opens the store of a configuration, unless a move of it has begun.
func openStore(ctx context.Context, cfg *config.Config, log *slog.Logger) (*store, error) {
	if cfg.OnPostgres() {
		s, err := openPostgres(ctx, cfg, log)
		if err != nil {
			return nil, err
		}
		return prepareStore(ctx, s, s.Store, cfg.MaxSessions)
	}
	s, err := sqlite.Open(ctx, cfg.DatabasePath())
	if err != nil {
		return nil, unopened(err, cfg.DatabasePath())
	}
	return prepareStore(ctx, s, s.Store, cfg.MaxSessions)
}

// prepareStore sets the limit of sessions of a store that was opened. A store that is being moved, or was moved to
// another place, it closes and refuses.
func prepareStore(ctx context.Context, db database, shared *sqlstore.Store, maxSessions int) (*store, error) {
	sqlstore.LimitSessions(shared, maxSessions)
	err := move.CheckMoved(ctx, shared)
	switch {
	case err == nil:
		return &store{db, shared, accounts.In(shared), sqlstore.LedgerIn(shared)}, nil
	case errors.Is(err, move.ErrMoved):
		err = failure.Failed(err, "--database names it; doorward migrate --back makes the folder usable again, as it was then", "the content of this data folder was moved to a database")
	case errors.Is(err, move.ErrMoving):
		err = failure.Failed(err, "run doorward migrate again: it goes on where it stopped; --back makes the folder usable again", "a move from a data folder to a database is not complete")
	}
	return nil, errors.Join(err, db.Close())
}

func newBackend(cfg *config.Config, store *store) (*backend, error) {
	slots := max(2, runtime.GOMAXPROCS(0))
	hasher := password.New(password.Config{Slots: slots, Reserved: slots / 2, Busy: besideHashes(slots)})
	breached, breachedErr := openBreached(cfg)
	kept := store.accounts
	people, err := account.New(account.Config{
		Store: kept, Bulk: kept, Resets: kept, Devices: kept, Edits: kept, Roles: kept, Throttle: kept,
		Hasher: hasher, Reserved: hasher.Reserved(),
		MinPassword: cfg.PasswordMinLength, ServiceNames: serviceNames(cfg), Breached: breached,
	})
	if err != nil {
		return nil, err
	}
	return &backend{cfg: cfg, store: store, hasher: hasher, people: people, breached: breached, breachedErr: breachedErr}, nil
}

// close closes what the backend opened beside its store.
func (b *backend) close() error {
	if b.breached == nil {
		return nil
	}
	return b.breached.Close()
}

// unopened says why the store at path does not open and what to do about it.
func unopened(err error, path string) error {
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

// issuer makes the issuer over the store, with the keys that key opens.
func (b *backend) issuer(ctx context.Context, key issuer.MasterKey, log *slog.Logger) (*issuer.Issuer, error) {
	cfg := b.issuerConfig(key, log)
	if b.feed != nil {
		clock := clockWatch{store: b.store, log: log}
		cfg.Followed = func(page issuer.RevocationPage) {
			b.feed.Publish(page)
			clock.look()
		}
	}
	iss, err := issuer.New(ctx, cfg)
	if errors.Is(err, issuer.ErrMasterKey) {
		return nil, failure.Failed(err, "use the one that was there when the store was made or, after doorward key replace-master, the new one", "%s is not the master key of this store", b.cfg.MasterKeyFile)
	}
	return iss, err
}

func (b *backend) issuerConfig(key issuer.MasterKey, log *slog.Logger) issuer.Config {
	cfg := issuer.Config{
		Issuer: b.cfg.Issuer, Store: b.store, MasterKey: key, Subjects: b.people,
		Audience: b.cfg.Audience, Audiences: b.cfg.Audiences,
		Algorithm: jwt.Algorithm(b.cfg.KeyAlgorithm),
		AccessTTL: b.cfg.AccessTTL, IdleTTL: b.cfg.SessionIdle, AbsoluteTTL: b.cfg.SessionAbsolute,
		StrictRefresh: b.cfg.RefreshStrict, RefreshLimit: b.cfg.RefreshLimit,
		KeyTTL: b.cfg.KeyLifetime, PublishLead: b.cfg.PublishLead,
		MaxStaleness: b.cfg.MaxStaleness, Username: b.cfg.TokensUsername, Logger: log,
	}
	if !b.cfg.RefreshStrict {
		cfg.Window, cfg.Budget = b.cfg.RefreshWindow, b.cfg.RefreshBudget
	}
	return cfg
}

// withIssuer is beside for commands that need the keys.
func withIssuer(sh shell.Shell, cmd *cobra.Command, do func(context.Context, *backend, *issuer.Issuer) error) error {
	return beside(sh, cmd, func(ctx context.Context, b *backend) error {
		key, err := folder.MasterKey(b.cfg)
		if err != nil {
			return err
		}
		iss, err := b.issuer(ctx, key, nil)
		if err != nil {
			return err
		}
		return do(ctx, b, iss)
	})
}

// byName returns the user with this name or ID.
func (b *backend) byName(ctx context.Context, name string) (account.User, error) {
	u, err := b.people.Find(ctx, name)
	if errors.Is(err, account.ErrNotFound) {
		return u, failure.Refused("doorward user list", "there is no user %q", name)
	}
	return u, err
}
