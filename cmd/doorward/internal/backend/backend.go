// Package backend is what commands work on: the store that the configuration names, and what stands on it.
package backend

import (
	"context"
	"os"
	"runtime"
	"slices"

	"github.com/doorward/doorward/cmd/doorward/internal/config"
	"github.com/doorward/doorward/cmd/doorward/internal/durable"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/password"
)

// Backend is a store that was opened, and what stands on it.
type Backend struct {
	Config *config.Config
	Store  *Store
	Hasher *password.Hasher
	People *account.People
	// BreachedErr says why the file of breached passwords cannot be read: only what needs the file fails then.
	BreachedErr error

	breached *password.Breached // nil if there is none
}

// New makes the backend over a store.
func New(cfg *config.Config, store *Store) (*Backend, error) {
	slots := max(2, runtime.GOMAXPROCS(0))
	hasher := password.New(password.Config{Slots: slots, Reserved: slots / 2, Busy: besideHashes(slots)})
	breached, breachedErr := OpenBreached(cfg)
	kept := store.Accounts
	people, err := account.New(account.Config{
		Store: kept, Bulk: kept, Resets: kept, Devices: kept, Edits: kept, Roles: kept, Throttle: kept,
		Hasher: hasher, Reserved: hasher.Reserved(),
		MinPassword: cfg.PasswordMinLength, ServiceNames: serviceNames(cfg), Breached: breached,
	})
	if err != nil {
		return nil, err
	}
	return &Backend{Config: cfg, Store: store, Hasher: hasher, People: people, BreachedErr: breachedErr, breached: breached}, nil
}

// besideHashes returns the password.Config.Busy that lets requests be answered beside hashes: while passwords are hashed
// the Go runtime uses one thread more for each slot. Go takes a core from a hash only after 10 ms, for which each request
// would wait; the operating system, which shares the cores between all threads, does so at once. Without hashes more
// threads than cores are a cost and no gain. If the environment sets GOMAXPROCS, that holds.
func besideHashes(slots int) func(busy bool) {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	return func(busy bool) {
		if busy {
			runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + slots)
		} else {
			runtime.SetDefaultGOMAXPROCS()
		}
	}
}

// Close closes what the backend opened beside its store.
func (b *Backend) Close() error {
	if b.breached == nil {
		return nil
	}
	return b.breached.Close()
}

// Clients are the clients in the store.
func (b *Backend) Clients() *account.Clients {
	return account.NewClients(account.ClientsConfig{Store: b.Store.Accounts})
}

// APIKeys are the keys in the store, with the audiences that the issuer of the configuration makes tokens for.
func (b *Backend) APIKeys() *account.APIKeys {
	var audiences []string
	for _, name := range append([]string{b.Config.Audience, b.Config.Issuer}, b.Config.Audiences...) {
		if name != "" && !slices.Contains(audiences, name) { // An issuer that follows from a port is not known before the first serve.
			audiences = append(audiences, name)
		}
	}
	return account.NewAPIKeys(account.APIKeysConfig{Store: b.Store.Accounts, Audiences: audiences, Failures: b.Config.KeyFailures.Limits()})
}

// LastServing returns the settings that the last serve left in the database. For a store in a file,
// which has them beside it, it returns "".
func (b *Backend) LastServing(ctx context.Context) (string, error) {
	if !b.Config.OnPostgres() {
		return "", nil
	}
	return sqlstore.Serving(ctx, b.Store.Shared)
}

// LeaveServing leaves the settings that commands beside this server need.
func (b *Backend) LeaveServing(ctx context.Context, text string) error {
	if b.Config.OnPostgres() {
		return sqlstore.SetServing(ctx, b.Store.Shared, text)
	}
	path := b.Config.ServingPath()
	err := durable.Replace(path, text)
	if there, _ := os.ReadFile(path); string(there) == text {
		return nil // Nothing was lost with what could not be written.
	}
	return err
}
