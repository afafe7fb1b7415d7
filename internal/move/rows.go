package move

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/sqlstore"
)

// moveBatch is how many rows one statement reads or writes. Postgres takes 65,535 parameters.
const moveBatch = 500

// row is the values of a table's columns, the key's first.
type row []any

// rowsAfter reads the next rows of a table in the order of its key, moveBatch at most. A nil after is the beginning.
func rowsAfter(ctx context.Context, s *sqlstore.Store, t table, after row) (list []row, err error) {
	order := names(t.key)
	query := `SELECT ` + names(t.all()) + ` FROM ` + t.name
	if after != nil {
		query += ` WHERE (` + order + `) > (` + places(1, len(after)) + `)`
	}
	query += fmt.Sprintf(` ORDER BY %s LIMIT %d`, order, moveBatch)
	err = sqlstore.Read(ctx, s, "read "+t.name, func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		list, err = scanRows(ctx, tx, t.all(), query, after...)
		return err
	})
	return list, err
}

// lastKey returns the greatest key of a table, nil if it is empty.
func lastKey(ctx context.Context, s *sqlstore.Store, t table) (key row, err error) {
	order := strings.ReplaceAll(names(t.key), ",", " DESC,") + " DESC"
	err = sqlstore.Read(ctx, s, "read "+t.name, func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		list, err := scanRows(ctx, tx, t.key, `SELECT `+names(t.key)+` FROM `+t.name+` ORDER BY `+order+` LIMIT 1`)
		if len(list) > 0 {
			key = list[0]
		}
		return err
	})
	return key, err
}

func countRows(ctx context.Context, s *sqlstore.Store, t table) (n int64, err error) {
	err = sqlstore.Read(ctx, s, "count "+t.name, func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		return tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+t.name).Scan(&n)
	})
	return n, err
}

// insertRows writes rows that are not there yet, all of them or none.
func insertRows(ctx context.Context, s *sqlstore.Store, t table, list []row) error {
	width := len(t.all())
	values := make([]string, len(list))
	args := make([]any, 0, len(list)*width)
	for i, r := range list {
		values[i] = `(` + places(i*width+1, width) + `)`
		args = append(args, r...)
	}
	query := `INSERT INTO ` + t.name + ` (` + names(t.all()) + `) VALUES ` + strings.Join(values, ", ")
	return sqlstore.Write(ctx, s, "write "+t.name, func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

// digest returns the number of rows of a table and the SHA-256 of them in the order of the key. It calls each
// after each batch with the number of its rows.
func digest(ctx context.Context, s *sqlstore.Store, t table, each func(rows int)) (n int64, sum [32]byte, err error) {
	h := sha256.New()
	var last row
	for {
		list, err := rowsAfter(ctx, s, t, last)
		if err != nil {
			return 0, sum, err
		}
		for _, r := range list {
			r.hash(h)
		}
		n += int64(len(list))
		each(len(list))
		if len(list) < moveBatch {
			return n, [32]byte(h.Sum(nil)), nil
		}
		last = list[len(list)-1][:len(t.key)]
	}
}

// hash writes each value with its length before it, so that no two rows look the same.
func (r row) hash(h hash.Hash) {
	var size [8]byte
	for _, value := range r {
		var b []byte
		switch value := value.(type) {
		case string:
			b = []byte(value)
		case []byte:
			b = value
		default:
			b = fmt.Append(nil, value)
		}
		binary.BigEndian.PutUint64(size[:], uint64(len(b)))
		h.Write(size[:])
		h.Write(b)
	}
}

func scanRows(ctx context.Context, tx sqlstore.Tx, cols []column, query string, args ...any) (list []row, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		into := make([]any, len(cols))
		for i, c := range cols {
			into[i] = c.kind.target()
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		r := make(row, len(cols))
		for i := range into {
			r[i] = scanned(into[i])
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// target is where a value of the kind is scanned to.
func (k kind) target() any {
	switch k {
	case text:
		return new(string)
	case number:
		return new(int64)
	case truth:
		return new(bool)
	default:
		return new([]byte)
	}
}

func scanned(target any) any {
	switch v := target.(type) {
	case *string:
		return *v
	case *int64:
		return *v
	case *bool:
		return *v
	case *[]byte:
		return *v
	}
	return nil
}

func names(cols []column) string {
	list := make([]string, len(cols))
	for i, c := range cols {
		list[i] = c.name
	}
	return strings.Join(list, ", ")
}

// places returns the text of n parameters, from $first on.
func places(first, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("$%d", first+i)
	}
	return strings.Join(list, ", ")
}
