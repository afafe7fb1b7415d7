package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
)

// connector makes connections that keep their statements prepared, since SQLite takes
// longer to compile a statement than to run it.
type connector struct {
	driver.Connector
}

// Connect opens a connection.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	raw, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{rawConn: raw.(rawConn), prepared: make(map[string]driver.Stmt)}, nil
}

// rawConn is what the driver's connections can do.
type rawConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.SessionResetter
	driver.Validator
}

// conn is a connection that keeps every statement it has run. There are few, since their
// texts are constants of this program. It is used by one goroutine at a time, and runs no
// statement again before the rows of its last run are closed.
type conn struct {
	rawConn
	prepared map[string]driver.Stmt
}

// ExecContext executes a statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	stmt, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

// QueryContext executes a statement that returns rows.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stmt, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

// Close closes the statements and the connection.
func (c *conn) Close() error {
	errs := make([]error, 0, len(c.prepared)+1)
	for _, stmt := range c.prepared {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, c.rawConn.Close())...)
}

func (c *conn) statement(ctx context.Context, query string) (driver.Stmt, error) {
	if stmt, ok := c.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := c.PrepareContext(ctx, query)
	if err == nil {
		c.prepared[query] = stmt
	}
	return stmt, err
}
