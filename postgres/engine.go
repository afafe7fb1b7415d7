package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/doorward/doorward/internal/sqlstore"
)

var (
	errNoAnswer = errors.New("postgres: the database did not answer in time")
	errFull     = errors.New("postgres: no connection became free in time")
)

// How transactions begin. The first message also reads the clock. A transaction that writes
// reads it after it has its lock, so that two which exclude each other are in the order of
// their times.
const (
	clock      = `SELECT (EXTRACT(epoch FROM clock_timestamp()) * 1000000)::bigint`
	beginRead  = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ` + clock
	beginWrite = `BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock_shared(` + lockWrites + `); ` + clock
	beginAlone = `BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(` + lockWrites + `); ` + clock
)

// engine is the sqlstore.Engine of one database.
//
// Writing transactions are READ COMMITTED: each statement waits for the rows that it
// changes and then sees what was committed meanwhile, so that a row lock taken first makes
// what follows serial. Under a stricter level the statements after the lock would see the
// state before it.
type engine struct {
	db        *sql.DB
	reserved  *sql.DB // of one connection
	size      int     // of both together
	listener  *listener
	announcer *announcer
}

// Write runs f in a transaction of its own. If the database rolls that back to resolve a deadlock,
// Write runs f again.
func (e *engine) Write(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	return e.write(ctx, beginWrite, f)
}

// WriteAlone is Write while no transaction of any node writes.
func (e *engine) WriteAlone(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	return e.write(ctx, beginAlone, f)
}

// Read runs f on one snapshot.
func (e *engine) Read(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	return e.run(ctx, e.db, beginRead, f)
}

// ReadReserved is Read on a connection that is there for such reads alone.
func (e *engine) ReadReserved(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	return e.run(ctx, e.reserved, beginRead, f)
}

// Now returns the clock of the database when the transaction began.
func (e *engine) Now(_ context.Context, tx sqlstore.Tx) (time.Time, error) {
	return tx.(*transaction).now, nil
}

// WaitChange returns when another process has announced something, and after a second.
func (e *engine) WaitChange(ctx context.Context) error { return e.listener.wait(ctx) }

// Announce wakes the WaitChange of other processes soon, once for all calls that come together.
func (e *engine) Announce() { e.announcer.announce() }

// TryLock takes the lock of the node that seals the audit record or deletes from it, until the
// transaction ends. It does not wait: free reports whether it has the lock.
func (e *engine) TryLock(ctx context.Context, tx sqlstore.Tx) (free bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock(`+lockAudit+`)`).Scan(&free)
	return free, err
}

func (e *engine) close() error {
	e.announcer.close()
	e.listener.close()
	return errors.Join(e.db.Close(), e.reserved.Close())
}

func (e *engine) notify() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = e.db.ExecContext(ctx, `SELECT pg_notify($1, '')`, channel) // a hint: who does not hear it reads within a second
}

func (e *engine) write(ctx context.Context, begin string, f func(context.Context, sqlstore.Tx) error) error {
	const attempts = 5
	for attempt := range attempts {
		err := e.run(ctx, e.db, begin, f)
		if !canRetry(err) || attempt == attempts-1 {
			return err
		}
		pause := time.NewTimer(jitter(10 * time.Millisecond << attempt))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
	return nil
}

// run runs f in one transaction, on a connection of db. If ctx is cancelled while run waits for a connection, it gives up. A
// transaction that has begun is seen through, since to cancel a statement would cost the connection. The
// deadline of ctx counts all the same: a caller with one does not wait for a database that hangs.
func (e *engine) run(ctx context.Context, db *sql.DB, begin string, f func(context.Context, sqlstore.Tx) error) error {
	end, theirs := time.Now().Add(transactionTimeout), false
	if sooner, ok := ctx.Deadline(); ok && sooner.Before(end) {
		end, theirs = sooner, true
	}
	seen, cancel := context.WithDeadline(context.WithoutCancel(ctx), end)
	defer cancel()
	tx, err := e.begin(ctx, seen, db, begin)
	if err == nil {
		err = tx.run(seen, f)
	}
	if err != nil && seen.Err() != nil && theirs {
		<-ctx.Done() // ctx has the same deadline, and its timer may be a moment late
	}
	if err != nil && seen.Err() != nil && ctx.Err() == nil {
		return noAnswer(errNoAnswer, err)
	}
	return err
}

// begin begins a transaction. It tries one connection after the other, since all of the pool may
// be dead after a restart of the server.
func (e *engine) begin(ctx, seen context.Context, db *sql.DB, statement string) (*transaction, error) {
	for attempt := 0; ; attempt++ {
		conn, err := acquire(ctx, db)
		if err != nil {
			return nil, err
		}
		tx := &transaction{Conn: conn}
		if err = tx.begin(seen, statement); err == nil {
			return tx, nil
		}
		tx.release(seen)
		if !errors.Is(err, driver.ErrBadConn) || seen.Err() != nil || attempt == e.size {
			return nil, err
		}
	}
}

func acquire(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	conn, err := db.Conn(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, noAnswer(errFull, err)
	}
	return conn, err
}

// noAnswer returns kind with the text of err. It does not wrap err, which is the end of a deadline that
// was not the caller's.
func noAnswer(kind, err error) error { return fmt.Errorf("%w (%s)", kind, err.Error()) }

// canRetry reports whether a transaction was rolled back for the sake of another.
func canRetry(err error) bool {
	const serializationFailure, deadlock = "40001", "40P01"
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == serializationFailure || e.Code == deadlock)
}

// jitter returns a random part of d, so that nodes do not do the same at the same time.
func jitter(d time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:])
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(d))
}
