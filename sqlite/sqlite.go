// Package sqlite keeps sessions, revocations, keys and people in one SQLite file,
// for one machine. Several processes on that machine may have it open at once.
//
// What a method has written when it returns is on the disk (WAL, synchronous=FULL);
// concurrent writers share one commit. The file and its companions -wal and -shm
// can be read by their owner alone.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/doorward/doorward/internal/sqlstore"
)

// Errors of [Open] and [Store.Backup]. They name the file.
var (
	// ErrNotDatabase says that the file is no SQLite database.
	ErrNotDatabase = errors.New("sqlite: not an SQLite database")
	// ErrDamaged says that the file is damaged. A backup can be put in its place.
	ErrDamaged = errors.New("sqlite: the database is damaged")
	// ErrForeign says that the file is an SQLite database of another program.
	ErrForeign = errors.New("sqlite: the database of another program; doorward needs a file of its own")
	// ErrNewer says that a newer version of doorward has changed the file.
	ErrNewer = sqlstore.ErrNewer
	// ErrGone says that the file was removed, moved or replaced while it was open. What
	// was written to it now would be lost.
	ErrGone = errors.New("sqlite: the file was removed, moved or replaced while it was open; put it back, or restart")
	// ErrInUse says that another process has opened the file by [OpenAlone], or, as an error of
	// OpenAlone, that another process has it open.
	ErrInUse = errors.New("sqlite: another process uses the database")
	// ErrExists says that a backup would overwrite a file.
	ErrExists = errors.New("sqlite: the file exists")
)

// Store is an issuer.Store in one file. All methods may be called concurrently.
type Store struct {
	*sqlstore.Store
	engine *engine
	close  func() error
}

// Open opens the store in the file at path, and makes the file if there is none;
// its folder must exist. It brings an older file up to date, which it logs to slog.Default(), and
// refuses a newer one with [ErrNewer]. It starts no goroutine but those of database/sql, which
// end with Close.
func Open(ctx context.Context, path string) (*Store, error) {
	return open(ctx, path, openShared)
}

// OpenAlone is [Open] for one process at a time: until Close no other can open the file. It
// returns [ErrInUse] if another has it open. The store has one connection only. WaitChange, and so
// issuer.Issuer.Run, would take that for good, and must not be called.
func OpenAlone(ctx context.Context, path string) (*Store, error) {
	return open(ctx, path, openAlone)
}

func open(ctx context.Context, path string, openEngine func(context.Context, string) (*engine, error)) (*Store, error) {
	path, err := prepare(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %q: %w", path, err)
	}
	e, err := openEngine(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %q: %w", path, explain(err))
	}
	return &Store{Store: sqlstore.New(e), engine: e, close: sync.OnceValue(e.close)}, nil
}

// Close waits for the writers that have begun and closes the file. No method may be
// called after it.
func (s *Store) Close() error {
	return s.close()
}

// Pools returns the state of the connections: of the one that writes, and of those that read.
func (s *Store) Pools() map[string]sql.DBStats {
	return map[string]sql.DBStats{"write": s.engine.writers.Stats(), "read": s.engine.readers.Stats()}
}

// engine is the sqlstore.Engine and sqlstore.Rester of one file.
type engine struct {
	path    string
	file    fs.FileInfo // of the file that is open
	writers *sql.DB     // one connection
	readers *sql.DB
	writer  *writer
	watch   *watch
	now     func() time.Time // time.Now but in tests of a clock that goes back
}

// openShared is openEngine, but tries again for a while if another process is opening the
// same file: SQLite itself does not wait for each of the locks that this takes.
func openShared(ctx context.Context, path string) (*engine, error) {
	for deadline := time.Now().Add(waitFor); ; {
		e, err := openEngine(ctx, path)
		if !isBusy(err) || time.Now().After(deadline) || ctx.Err() != nil {
			return e, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// openAlone returns an engine with one connection, which locks the file until it is closed.
func openAlone(ctx context.Context, path string) (*engine, error) {
	db, err := openPool(path, 1, time.Second, "_txlock", "immediate",
		"_pragma", "locking_mode(EXCLUSIVE)", "_pragma", "journal_mode(WAL)")
	if err != nil {
		return nil, err
	}
	db.SetConnMaxIdleTime(0)
	e := &engine{path: path, writers: db, readers: db, writer: newWriter(db), watch: &watch{db: db}, now: time.Now}
	if e.file, err = os.Stat(path); err == nil {
		err = checkOwner(ctx, db)
	}
	if err == nil {
		err = sqlstore.Migrate(ctx, db, sqlstore.SQLite, slog.Default())
	}
	if err == nil { // takes the lock, which is kept
		_, err = db.ExecContext(ctx, `UPDATE meta SET value = '' WHERE name = 'users'`)
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// openEngine returns an engine with one connection that writes and several that read.
func openEngine(ctx context.Context, path string) (*engine, error) {
	setup, err := setUp(ctx, path)
	if err != nil {
		return nil, err
	}
	e := &engine{path: path, now: time.Now}
	if e.file, err = os.Stat(path); err != nil {
		return nil, errors.Join(err, setup.Close())
	}
	// The writer waits for other processes in its own way.
	if e.writers, err = openPool(path, 1, 0, "_txlock", "immediate"); err == nil {
		// One reader more than processors: WaitChange holds a connection for good.
		e.readers, err = openPool(path, runtime.NumCPU()+1, waitFor, "_query_only", "1")
	}
	if err == nil {
		e.writer, e.watch = newWriter(e.writers), &watch{db: e.readers}
		err = e.writers.PingContext(ctx)
	}
	if err = errors.Join(err, setup.Close()); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// setUp makes the file a database of ours and returns a connection to it. It is to be closed
// only when there is another, since SQLite moves the write-ahead log into the file when the
// last one is closed.
func setUp(ctx context.Context, path string) (*sql.DB, error) {
	db, err := openPool(path, 1, waitFor, "_txlock", "immediate", "_pragma", "journal_mode(WAL)")
	if err != nil {
		return nil, err
	}
	if err = checkOwner(ctx, db); err == nil {
		err = sqlstore.Migrate(ctx, db, sqlstore.SQLite, slog.Default())
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Write runs f in one transaction, which may be shared with other callers' functions.
func (e *engine) Write(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	if err := e.present(); err != nil {
		return err
	}
	return e.writer.do(ctx, f)
}

// WriteAlone is Write, since SQLite has only one writer at a time.
func (e *engine) WriteAlone(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	return e.Write(ctx, f)
}

// Read runs f on one snapshot.
func (e *engine) Read(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	if err := e.present(); err != nil {
		return err
	}
	tx, err := e.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	if err := f(ctx, tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// Now is the clock of this process: all processes of a file run on one machine.
func (e *engine) Now(context.Context, sqlstore.Tx) (time.Time, error) {
	return e.now().UTC(), nil
}

// Rest moves what is in the write-ahead log into the file, as far as that takes no lock.
// Otherwise the commit that makes the log too long would have to, while all writers wait.
func (e *engine) Rest(ctx context.Context) error {
	var busy, pages, moved int64
	return e.readers.QueryRowContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`).Scan(&busy, &pages, &moved)
}

// WaitChange returns when a connection other than its own has committed.
func (e *engine) WaitChange(ctx context.Context) error {
	return e.watch.wait(ctx)
}

// present returns ErrGone if the path no longer leads to the file that is open. A file that
// was removed can still be written to, but all of that would be lost at the next start.
func (e *engine) present() error {
	file, err := os.Stat(e.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(e.file, file) {
		return ErrGone
	}
	return err
}

// Announce has nothing to do: WaitChange notices every commit by itself.
func (e *engine) Announce() {}

func (e *engine) close() error {
	var errs []error
	if e.writer != nil {
		e.writer.close()
		errs = append(errs, e.watch.close())
	}
	// The last connection to close moves the write-ahead log into the file.
	for _, pool := range []*sql.DB{e.readers, e.writers} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

// checkOwner returns ErrForeign unless the database is ours or empty.
func checkOwner(ctx context.Context, db *sql.DB) error {
	const ours = 0x646f6f72 // set by the first migration
	var id, tables int64
	err := db.QueryRowContext(ctx, `
		SELECT (SELECT application_id FROM pragma_application_id),
			(SELECT COUNT(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' AND tbl_name <> $1)`,
		sqlstore.VersionTable).Scan(&id, &tables)
	if err != nil {
		return err
	}
	if id != ours && (id != 0 || tables > 0) {
		return ErrForeign
	}
	return nil
}

// explain adds the error of this package that says what an error of the driver means.
func explain(err error) error {
	e, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_BUSY:
		return fmt.Errorf("%w: %w", ErrInUse, err)
	case lib.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrNotDatabase, err)
	case lib.SQLITE_CORRUPT:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// ignoreDone drops the error of ending a transaction that has ended already.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}
