package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// CheckText refuses what one of the databases would not store.
func CheckText(texts ...string) error {
	for _, t := range texts {
		if !utf8.ValidString(t) || strings.IndexByte(t, 0) >= 0 {
			return ErrText
		}
	}
	return nil
}

// Millis is how a time is stored: 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Moment is the time that Millis stored.
func Moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Truncate gives a time the precision that a stored one has.
func Truncate(t time.Time) time.Time {
	return Moment(Millis(t))
}

// InMillis rounds up, so that nothing is kept for less time than was asked.
func InMillis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// ChangedOne reports whether a statement changed a row.
func ChangedOne(r sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// OrNone returns v, or its zero value with an error: what a failed transaction has left in v means nothing.
func OrNone[T any](v T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}

// OrAbsent returns absent for a query that found no row, and err otherwise.
func OrAbsent(err, absent error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return absent
	}
	return err
}

// Scanner is a row.
type Scanner interface{ Scan(...any) error }

// ScanTexts reads the one column of a query.
func ScanTexts(ctx context.Context, tx Tx, query string, args ...any) (list []string, err error) {
	var rows *sql.Rows
	if rows, err = tx.QueryContext(ctx, query, args...); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, rows.Err()
}
