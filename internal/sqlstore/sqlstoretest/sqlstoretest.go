// Package sqlstoretest shows tests all that Doorward keeps in one database, in one value.
package sqlstoretest

import (
	"context"

	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/internal/sqlstore/accounts"
	"github.com/doorward/doorward/issuer"
)

type people = accounts.Store

// Whole is a store with the accounts, the audit record and the record of cut-offs in the same database.
type Whole struct {
	*sqlstore.Store
	*people
	*sqlstore.Ledger
	*sqlstore.Feed
}

// In returns all that is in the database of a store.
func In(s *sqlstore.Store) Whole {
	return Whole{s, accounts.In(s), sqlstore.LedgerIn(s), sqlstore.FeedIn(s)}
}

// Record writes ev to the audit record.
func (w Whole) Record(ctx context.Context, ev issuer.Event) error { return w.Ledger.Record(ctx, ev) }
