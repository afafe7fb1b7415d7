package sqlite

import (
	"context"
	"database/sql"
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

// OnStatement has told called with each statement, in its transaction, before it is run.
func (s *Store) OnStatement(told func(ctx context.Context, tx sqlstore.Tx, query string, args []any)) {
	s.Store = sqlstore.New(overheard{s.engine, told})
}

type overheard struct {
	*engine
	told func(context.Context, sqlstore.Tx, string, []any)
}

func (e overheard) Write(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	return e.engine.Write(ctx, func(ctx context.Context, tx sqlstore.Tx) error { return f(ctx, overheardTx{tx, e.told}) })
}

func (e overheard) WriteAlone(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	return e.Write(ctx, f)
}

func (e overheard) Read(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	return e.engine.Read(ctx, func(ctx context.Context, tx sqlstore.Tx) error { return f(ctx, overheardTx{tx, e.told}) })
}

type overheardTx struct {
	sqlstore.Tx
	told func(context.Context, sqlstore.Tx, string, []any)
}

func (tx overheardTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	tx.told(ctx, tx.Tx, query, args)
	return tx.Tx.ExecContext(ctx, query, args...)
}

func (tx overheardTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	tx.told(ctx, tx.Tx, query, args)
	return tx.Tx.QueryContext(ctx, query, args...)
}

func (tx overheardTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	tx.told(ctx, tx.Tx, query, args)
	return tx.Tx.QueryRowContext(ctx, query, args...)
}
