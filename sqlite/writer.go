package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/doorward/doorward/internal/sqlstore"
)

// maxBatch bounds how many writers share a commit, and how long other processes wait.
const maxBatch = 256

var (
	errClosed    = errors.New("sqlite: the store is closed")
	errAbandoned = errors.New("sqlite: the shared transaction was abandoned")
)

// writer commits the work of concurrent writers together. The first to come leads:
// it runs its own function and those of everyone who queued behind it in one
// transaction, tells them and hands the lead to the next in the queue. There is
// no goroutine but the callers'.
type writer struct {
	db *sql.DB

	mu     sync.Mutex // guards what follows
	led    bool       // somebody leads
	closed bool
	queue  []*job
	idle   *sync.Cond // signalled when nobody leads any more
}

// job is one function that waits for its transaction.
type job struct {
	ctx  context.Context
	f    func(context.Context, sqlstore.Tx) error
	err  error
	lost any       // the value with which f panicked, or nil
	turn chan bool // true: lead; false: it is done
}

func newWriter(db *sql.DB) *writer {
	w := &writer{db: db}
	w.idle = sync.NewCond(&w.mu)
	return w
}

// do runs f and returns when it is durable. If ctx ends while f is queued, f is not
// run; once it has begun it is seen through. A panic in f goes to the caller of do.
func (w *writer) do(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	j := &job{ctx: ctx, f: f, turn: make(chan bool, 1)}
	lead, err := w.enter(j)
	if err != nil {
		return err
	}
	if lead || w.await(j) {
		w.lead(j)
	}
	if j.lost != nil {
		panic(j.lost)
	}
	return j.err
}

// close waits until nobody writes. Later writers are refused.
func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for w.led {
		w.idle.Wait()
	}
}

func (w *writer) enter(j *job) (lead bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false, errClosed
	}
	if w.led {
		w.queue = append(w.queue, j)
		return false, nil
	}
	w.led = true
	return true, nil
}

// await returns whether j has to lead; otherwise j is done.
func (w *writer) await(j *job) (lead bool) {
	select {
	case lead = <-j.turn:
		return lead
	case <-j.ctx.Done():
	}
	if w.withdraw(j) {
		j.err = j.ctx.Err()
		return false
	}
	return <-j.turn
}

// withdraw takes j out of the queue, unless a leader has taken it already.
func (w *writer) withdraw(j *job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.queue, j)
	if i < 0 {
		return false
	}
	w.queue = slices.Delete(w.queue, i, i+1)
	return true
}

// lead runs j and the jobs that wait in one transaction, and hands the lead over.
func (w *writer) lead(j *job) {
	batch := append([]*job{j}, w.take(maxBatch-1)...)
	for _, j := range batch {
		j.err = errAbandoned
	}
	defer w.handOver(batch[1:])
	w.run(context.WithoutCancel(j.ctx), batch)
}

// take removes up to n jobs from the queue.
func (w *writer) take(n int) []*job {
	w.mu.Lock()
	defer w.mu.Unlock()
	n = min(n, len(w.queue))
	taken := slices.Clone(w.queue[:n])
	w.queue = slices.Delete(w.queue, 0, n)
	return taken
}

// handOver tells the followers that they are done, and the next writer to lead.
func (w *writer) handOver(followers []*job) {
	for _, j := range followers {
		j.turn <- false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) > 0 {
		w.queue[0].turn <- true
		w.queue = slices.Delete(w.queue, 0, 1)
		return
	}
	w.led = false
	w.idle.Broadcast()
}

// run runs the batch in one transaction and sets the outcome of each job.
func (w *writer) run(ctx context.Context, batch []*job) {
	outcomes, err := w.transact(ctx, batch)
	for i, j := range batch {
		j.err = outcomes[i]
		if j.err == nil && err != nil {
			j.err = err
		}
	}
}

// transact returns each job's own error, and the error that all of them share.
func (w *writer) transact(ctx context.Context, batch []*job) (outcomes []error, err error) {
	outcomes = make([]error, len(batch))
	tx, err := w.begin(ctx, batch)
	if err != nil {
		return outcomes, err
	}
	defer func() { _ = tx.Rollback() }() // fails after the commit, as it should
	for i, j := range batch {
		if outcomes[i] = j.ctx.Err(); outcomes[i] != nil {
			continue
		}
		if outcomes[i], err = attempt(ctx, tx, j); err != nil {
			return outcomes, fmt.Errorf("%w: %w", errAbandoned, err)
		}
	}
	return outcomes, tx.Commit()
}

// begin takes the write lock. It tries again every millisecond while another process has it:
// SQLite's own waiting tries so rarely that a process which writes all the time would shut
// out the others. It gives up after waitFor, or when no job has a caller left.
func (w *writer) begin(ctx context.Context, batch []*job) (*sql.Tx, error) {
	for deadline := time.Now().Add(waitFor); ; {
		tx, err := w.db.BeginTx(ctx, nil)
		if !isBusy(err) || time.Now().After(deadline) || !slices.ContainsFunc(batch, (*job).wanted) {
			return tx, err
		}
		time.Sleep(time.Millisecond)
	}
}

func isBusy(err error) bool {
	e, ok := errors.AsType[*driver.Error](err)
	return ok && e.Code()&0xff == lib.SQLITE_BUSY
}

// attempt runs one job inside a savepoint. own is the job's error; shared is one that ends the
// transaction for all. SQLite rolls the whole transaction back after some errors, a full disk
// for example; the savepoint is gone then, and no job's work can be kept.
func attempt(ctx context.Context, tx *sql.Tx, j *job) (own, shared error) {
	if _, err := tx.ExecContext(ctx, `SAVEPOINT job`); err != nil {
		return nil, err
	}
	if own = j.call(tx); own != nil {
		if _, err := tx.ExecContext(ctx, `ROLLBACK TO job`); err != nil {
			return own, err
		}
	}
	_, err := tx.ExecContext(ctx, `RELEASE job`)
	return own, err
}

// wanted reports whether the caller still waits.
func (j *job) wanted() bool {
	return j.ctx.Err() == nil
}

// call runs the function. Its context cannot be cancelled: to interrupt a statement
// would roll back the transaction of everyone.
func (j *job) call(tx sqlstore.Tx) (err error) {
	defer func() {
		if j.lost = recover(); j.lost != nil {
			err = errAbandoned
		}
	}()
	return j.f(context.WithoutCancel(j.ctx), tx)
}
