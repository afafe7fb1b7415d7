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

// watch notices commits of every process on the file. PRAGMA data_version tells of
// those of other connections; that of watch never writes.
type watch struct {
	db *sql.DB

	mu   sync.Mutex // guards what follows
	conn *sql.Conn
	seen int64 // what the last wait that noticed a change has seen
}

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
		// The version that another connection tells cannot be compared.
		_ = w.conn.Close()
		w.conn, w.seen = nil, 0
	}
	return version, err
}
