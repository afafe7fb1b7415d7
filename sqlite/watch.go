package sqlite

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

const (
	pollEvery = 250 * time.Millisecond
	waitMost  = time.Second
)

// watch notices every commit to the file, of any process. PRAGMA data_version changes with
// each commit of another connection; that of watch never writes.
type watch struct {
	db *sql.DB

	mu   sync.Mutex // guards what follows
	conn *sql.Conn  // nil until the first wait
	seen int64      // the version that the last wait which noticed a change has seen
}

// wait returns when there was a commit that no earlier wait has noticed, and after waitMost.
func (w *watch) wait(ctx context.Context) error {
	w.mu.Lock()
	base := w.seen
	w.mu.Unlock()
	most, poll := time.NewTimer(waitMost), time.NewTicker(pollEvery)
	defer most.Stop()
	defer poll.Stop()
	for {
		changed, err := w.changed(ctx, base)
		if err != nil || changed {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-most.C:
			return nil
		case <-poll.C:
		}
	}
}

func (w *watch) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		return nil
	}
	c := w.conn
	w.conn = nil
	return c.Close()
}

// changed reports whether the version is another than base, and remembers it.
func (w *watch) changed(ctx context.Context, base int64) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	version, err := w.version(ctx)
	if err != nil {
		return false, err
	}
	if version == base {
		return false, nil
	}
	w.seen = version
	return true, nil
}

func (w *watch) version(ctx context.Context) (version int64, err error) {
	if w.conn == nil {
		if w.conn, err = w.db.Conn(ctx); err != nil {
			return 0, err
		}
	}
	err = w.conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version)
	if err != nil {
		// The versions of two connections cannot be compared.
		_ = w.conn.Close()
		w.conn, w.seen = nil, 0
	}
	return version, err
}
