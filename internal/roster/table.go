package roster

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

// maxText is how many characters of a value are read. A longer value is cut there, and is
// refused later, since no name, address or hash may be that long.
const maxText = 4096

// tableReader reads a table or a view of an SQLite database.
type tableReader struct {
	db      *sql.DB
	rows    *sql.Rows
	asked   []string
	row     int
	whole   int64
	columns Columns
}

// OpenTable opens a table of an SQLite database for reading only. Another program may go
// on writing to it; the rows are those of one moment.
func OpenTable(ctx context.Context, path, table string, c Columns) (Reader, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := openDatabase(path)
	if err != nil {
		return nil, err
	}
	r := &tableReader{db: db, columns: c}
	if err := r.open(ctx, table); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return r, nil
}

// Next returns the user of the next row.
func (r *tableReader) Next() (Row, error) {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return Row{}, fmt.Errorf("%w from row %d on: %w", ErrSyntax, r.row+1, err)
		}
		return Row{}, io.EOF
	}
	r.row++
	values := make([]sql.NullString, len(r.asked))
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	if err := r.rows.Scan(into...); err != nil {
		return Row{}, fmt.Errorf("%w from row %d on: %w", ErrSyntax, r.row, err)
	}
	return r.columns.row(r.row, func(column string) (string, error) {
		return values[slices.Index(r.asked, column)].String, nil
	})
}

// Progress counts rows.
func (r *tableReader) Progress() (read, whole int64) { return int64(r.row), r.whole }

// Close closes the database.
func (r *tableReader) Close() error { return errors.Join(r.rows.Close(), r.db.Close()) }

func openDatabase(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	uri := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&_pragma=query_only(1)&_pragma=trusted_schema(0)&_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", uri.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func (r *tableReader) open(ctx context.Context, table string) error {
	names, err := columnsOf(ctx, r.db, table)
	if err != nil {
		return err
	}
	if err := r.columns.check(names); err != nil {
		return err
	}
	var asked []string
	r.asked = r.columns.asked()
	for _, column := range r.asked {
		// The cast is for hashes that Python has stored as bytes, which are BLOBs.
		asked = append(asked, fmt.Sprintf("substr(CAST(%s AS TEXT), 1, %d)", quoted(column), maxText))
	}
	if err := r.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+quoted(table)).Scan(&r.whole); err != nil {
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	r.rows, err = r.db.QueryContext(ctx, "SELECT "+strings.Join(asked, ", ")+" FROM "+quoted(table)) //nolint:sqlclosecheck // Close closes it
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return nil
}

// columnsOf returns the names of a table's columns. They must be checked before a query, since
// SQLite takes a quoted name that it does not know for a text.
func columnsOf(ctx context.Context, db *sql.DB, table string) (names []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT name FROM pragma_table_info($1)`, table)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	if rows.Err() == nil && len(names) == 0 {
		return nil, fmt.Errorf("%w: %q", ErrTable, table)
	}
	return names, rows.Err()
}

// quoted quotes a name for SQL.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
