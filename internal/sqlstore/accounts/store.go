// Package accounts keeps people and programs in the database of a [sqlstore.Store].
package accounts

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/sqlstore"
)

// Store keeps people and programs beside the sessions of a [sqlstore.Store]. All methods may be called concurrently.
type Store struct {
	sessions *sqlstore.Store
}

var (
	_ account.Store     = (*Store)(nil)
	_ account.Throttle  = (*Store)(nil)
	_ account.BulkStore = (*Store)(nil)
)

// In returns the accounts in the database of a store.
func In(s *sqlstore.Store) *Store { return &Store{s} }

type statements = func(context.Context, sqlstore.Tx, time.Time) error

func (s *Store) read(ctx context.Context, what string, f statements) error {
	return sqlstore.Read(ctx, s.sessions, what, deciding(f))
}

func (s *Store) write(ctx context.Context, what string, f statements) error {
	return sqlstore.Write(ctx, s.sessions, what, deciding(f))
}

// writeNews is write for what verifiers have to learn at once.
func (s *Store) writeNews(ctx context.Context, what string, f statements) error {
	return sqlstore.WriteNews(ctx, s.sessions, what, deciding(f))
}

// deciding marks the errors of f that say something about the data or the caller.
func deciding(f statements) statements {
	return func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		err := f(ctx, tx, now)
		if slices.ContainsFunc(decisions, func(known error) bool { return errors.Is(err, known) }) {
			return sqlstore.Decided(err)
		}
		return err
	}
}

// decisions are the errors of package account that a store returns.
var decisions = []error{
	account.ErrNotFound, account.ErrConflict, account.ErrReset, account.ErrNameTaken, account.ErrExternalIDTaken, account.ErrNotEmpty, account.ErrNoClient,
	account.ErrClientSecrets, account.ErrNoSecret, account.ErrLastSecret, account.ErrNoRole, account.ErrRoleThere, account.ErrRoleBounds,
	account.ErrLastAdmin, account.ErrNoAPIKey, account.ErrAPIKeyBounds, account.ErrAPIKeyScope,
}

func pageLimit(q account.Query) int {
	if q.Limit <= 0 {
		return account.DefaultPage
	}
	return q.Limit
}
