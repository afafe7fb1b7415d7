// Package sqlstore keeps sessions, revocations and keys in an SQL database, and
// hands it on to those who keep other things there: people, by package accounts,
// and the audit record, by package ledger. Statements are written once, in the
// SQL that SQLite and Postgres have in common; no driver is imported. What differs
// between the two is an [Engine], which the packages sqlite and postgres provide.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/clock"
	"github.com/doorward/doorward/issuer"
)

// ErrText says that a text cannot be stored: it holds a NUL or is no UTF-8, which
// Postgres refuses and SQLite would not.
var ErrText = errors.New("sqlstore: text holds a NUL or is not UTF-8")

// Engine is one open database. All methods may be called concurrently.
type Engine interface {
	// Write runs f in a transaction of its own and returns when it is durable. Of
	// transactions that touch the same rows one waits for the other. If f returns an
	// error, nothing is written and Write returns that error. f is run with the
	// context it is given, and may be run again from the start.
	Write(ctx context.Context, f func(context.Context, Tx) error) error

	// WriteAlone is Write while no other transaction writes: f sees what all before it
	// wrote, and all after it see what f wrote.
	WriteAlone(ctx context.Context, f func(context.Context, Tx) error) error

	// Read runs f, which only reads, on one snapshot of the database.
	Read(ctx context.Context, f func(context.Context, Tx) error) error

	// Now is the clock of the store as this transaction read it when it began.
	Now(ctx context.Context, tx Tx) (time.Time, error)

	// Resume finds the place of a cursor in the table revocations.
	Resume(ctx context.Context, tx Tx, after issuer.Cursor) (Place, error)

	// WaitChange is [issuer.RevocationLog].WaitChange.
	WaitChange(ctx context.Context) error

	// Announce tells those who wait in WaitChange, in other processes too, that
	// revocations or keys were written. It does not wait for them, and is a hint.
	Announce()
}

// Place is where a reader of the table revocations goes on.
type Place struct {
	// Lineage names the history of the database.
	Lineage string
	// From is the position from which the reader has not read yet. It is 0 for the
	// zero cursor and for one that is not of this history.
	From int64
	// Also are positions before From that the reader has not read either, at most 64.
	Also []int64
	// Next is the cursor after all that this transaction sees. A reader that goes on
	// there misses nothing that this transaction does not see.
	Next issuer.Cursor
}

// maxAlso bounds Place.Also, which is a part of cursors.
const maxAlso = 64

// Tx is a transaction. Its statements bind $1, $2, … by number.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Store implements issuer.Store on an [Engine]. What else Doorward keeps in the same database has types of its own, since
// the methods of a Store are those of the public sqlite.Store and postgres.Store.
type Store struct {
	engine      Engine
	clock       clock.Other
	maxSessions int // of one subject at once; 0 is any number
}

var _ issuer.Store = (*Store)(nil)

// New returns a Store on a database whose schema [Migrate] has brought up to date.
func New(engine Engine) *Store {
	return &Store{engine: engine}
}

// write runs f in a writing transaction that has read the clock.
func (s *Store) write(ctx context.Context, what string, f func(context.Context, Tx, time.Time) error) error {
	return s.run(ctx, s.engine.Write, what, f)
}

// writeNews is write for revocations and keys: whoever waits in WaitChange is told.
func (s *Store) writeNews(ctx context.Context, what string, f func(context.Context, Tx, time.Time) error) error {
	return s.announced(s.write(ctx, what, f))
}

// writeAlone is writeNews while no other transaction writes.
func (s *Store) writeAlone(ctx context.Context, what string, f func(context.Context, Tx, time.Time) error) error {
	return s.announced(s.run(ctx, s.engine.WriteAlone, what, f))
}

func (s *Store) announced(err error) error {
	if err == nil {
		s.engine.Announce()
	}
	return err
}

// read runs f in a reading transaction that has read the clock.
func (s *Store) read(ctx context.Context, what string, f func(context.Context, Tx, time.Time) error) error {
	return s.readBy(ctx, s.engine.Read, what, f)
}

// readFirst is read for what every process needs at all times.
func (s *Store) readFirst(ctx context.Context, what string, f func(context.Context, Tx, time.Time) error) error {
	if r, ok := s.engine.(Reserver); ok {
		return s.readBy(ctx, r.ReadReserved, what, f)
	}
	return s.read(ctx, what, f)
}

func (s *Store) readBy(ctx context.Context, in runner, what string, f func(context.Context, Tx, time.Time) error) error {
	asked := time.Now()
	return s.run(ctx, in, what, func(ctx context.Context, tx Tx, now time.Time) error {
		if time.Since(asked) < time.Second {
			s.clock.Read(now, asked)
		}
		return f(ctx, tx, now)
	})
}

// Reserver is an [Engine] with a connection for short reads that wait for no other caller. What was revoked is read on it,
// and the keys: a table that somebody has locked, so that all other connections wait for it, must not stop the checks of tokens.
type Reserver interface {
	ReadReserved(ctx context.Context, f func(context.Context, Tx) error) error
}

// ClockOffset is how far the store's clock is ahead of this process's, to half a second; below zero where this
// process's is fast. It is 0 before the first reading, and where the two are one clock.
func (s *Store) ClockOffset() time.Duration { return s.clock.Ahead() }

// ErrOccupied says that a store that should be filled with the content of another is not empty.
var ErrOccupied = errors.New("the database to move to is in use by Doorward already")

// Mover is an [Engine] that has to finish a store which was filled with the content of
// another, such as by setting its sequences.
type Mover interface {
	Moved(ctx context.Context, tx Tx) error
}

// Moved finishes a store that was filled with the content of another.
func Moved(ctx context.Context, s *Store) error {
	return s.writeAlone(ctx, "finish the move", func(ctx context.Context, tx Tx, _ time.Time) error {
		if engine, ok := s.engine.(Mover); ok {
			return engine.Moved(ctx, tx)
		}
		return nil
	})
}

// Read runs f in a reading transaction of the store, which has read the clock.
func Read(ctx context.Context, s *Store, what string, f func(context.Context, Tx, time.Time) error) error {
	return s.read(ctx, what, f)
}

// Write runs f in a writing transaction of the store, which has read the clock.
func Write(ctx context.Context, s *Store, what string, f func(context.Context, Tx, time.Time) error) error {
	return s.write(ctx, what, f)
}

// WriteNews is Write for revocations and keys: whoever waits in WaitChange is told.
func WriteNews(ctx context.Context, s *Store, what string, f func(context.Context, Tx, time.Time) error) error {
	return s.writeNews(ctx, what, f)
}

// WriteAlone runs f in a transaction of the store while nobody else writes.
func WriteAlone(ctx context.Context, s *Store, what string, f func(context.Context, Tx, time.Time) error) error {
	return s.writeAlone(ctx, what, f)
}

type runner func(context.Context, func(context.Context, Tx) error) error

func (s *Store) run(ctx context.Context, in runner, what string, f func(context.Context, Tx, time.Time) error) error {
	err := in(ctx, func(ctx context.Context, tx Tx) error {
		now, err := s.engine.Now(ctx, tx)
		if err != nil {
			return err
		}
		return f(ctx, tx, now)
	})
	if err == nil {
		return nil
	}
	if gone := ctx.Err(); gone != nil { // The driver may say only that it was interrupted.
		err = fmt.Errorf("%w: %w", gone, err)
	}
	if !isDecided(err) {
		err = fmt.Errorf("%w: %w", issuer.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Decided marks an error that a transaction's function returns: it says something about the data or the caller. Any
// other means that the database failed.
func Decided(err error) error { return decided{err} }

type decided struct{ error }

func (d decided) Unwrap() error { return d.error }

// isDecided reports whether an error does not mean that the database failed.
func isDecided(err error) bool {
	if _, ok := errors.AsType[decided](err); ok {
		return true
	}
	return slices.ContainsFunc([]error{
		issuer.ErrNotFound, issuer.ErrConflict, issuer.ErrEpoch, issuer.ErrInactive,
		audit.ErrBroken, ErrOccupied, context.Canceled, context.DeadlineExceeded,
	}, func(known error) bool { return errors.Is(err, known) })
}
