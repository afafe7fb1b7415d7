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

// OnWrite has measured called with how long each write transaction went on: from when the
// writer's own work began in it until it was durable.
func (s *Store) OnWrite(measured func(context.Context, time.Duration)) {
	s.Store = sqlstore.New(timed{s.engine, measured})
}

type timed struct {
	*engine
	measured func(context.Context, time.Duration)
}

func (e timed) Write(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	var began time.Time
	err := e.engine.Write(ctx, func(ctx context.Context, tx sqlstore.Tx) error {
		began = time.Now()
		return f(ctx, tx)
	})
	if err == nil {
		e.measured(ctx, time.Since(began))
	}
	return err
}
