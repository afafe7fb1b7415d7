package sqlite

import (
	"context"
	"time"

	"github.com/doorward/doorward/internal/sqlstore"
)

// Write runs f as the methods of the store do.
func (s *Store) Write(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	return s.engine.Write(ctx, f)
}

// Read runs f as the methods of the store do.
func (s *Store) Read(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	return s.engine.Read(ctx, f)
}

// SetClock makes now the clock of the store.
func (s *Store) SetClock(now func() time.Time) {
	s.engine.now = now
}
