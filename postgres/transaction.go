package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/doorward/doorward/internal/sqlstore"
)

var errUndone = errors.New("postgres: the transaction was rolled back")

// transaction is a connection on which a transaction was begun. It is not an sql.Tx, whose
// first message could carry nothing but BEGIN.
type transaction struct {
	*sql.Conn
	now time.Time // the clock of the database when it began
}

// begin sends a statement that begins the transaction and ends with the clock.
func (tx *transaction) begin(ctx context.Context, statement string) error {
	results, err := tx.send(ctx, statement)
	if err != nil {
		return err
	}
	last := results[len(results)-1]
	micros, err := strconv.ParseInt(string(last.Rows[0][0]), 10, 64)
	tx.now = time.UnixMicro(micros).UTC()
	return err
}

// run runs f and commits. The connection goes back to the pool.
func (tx *transaction) run(ctx context.Context, f func(context.Context, sqlstore.Tx) error) error {
	defer tx.release(ctx)
	if err := f(ctx, tx); err != nil {
		return err
	}
	results, err := tx.send(ctx, `COMMIT`)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if results[0].CommandTag.String() != "COMMIT" { // a statement failed, and f did not tell
		return errUndone
	}
	return nil
}

// release rolls back what was not committed and gives the connection back. The pool closes
// a connection that does not answer.
func (tx *transaction) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = tx.Raw(func(raw any) error {
		conn := raw.(*stdlib.Conn).Conn().PgConn()
		if !conn.IsClosed() && conn.TxStatus() != 'I' {
			_ = conn.Exec(ctx, `ROLLBACK`).Close()
		}
		if conn.IsClosed() || conn.TxStatus() != 'I' {
			return driver.ErrBadConn
		}
		return nil
	})
	_ = tx.Close()
}

// send sends statements in one message and returns their results. It returns
// driver.ErrBadConn if the connection has died.
func (tx *transaction) send(ctx context.Context, statements string) (results []*pgconn.Result, err error) {
	err = tx.Raw(func(raw any) error {
		conn := raw.(*stdlib.Conn).Conn().PgConn()
		var err error
		results, err = conn.Exec(ctx, statements).ReadAll()
		if err != nil && conn.IsClosed() {
			return fmt.Errorf("%w: %w", driver.ErrBadConn, err)
		}
		return err
	})
	return results, err
}
