package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// batches is in how many steps a store is filled.
const batches = 64

// measureGrowth refreshes among ever more sessions.
func measureGrowth(ctx context.Context, e effort) (loads []load, err error) {
	dir, err := os.MkdirTemp("", "doorward-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var paces []pace
	for _, sessions := range e.sessions {
		file := filepath.Join(dir, fmt.Sprint(sessions))
		r, err := newRefresher(ctx, file, false, e.refreshed)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.store.Close()) }()
		if err := r.fill(ctx, file, sessions); err != nil {
			return nil, fmt.Errorf("%d sessions: %w", sessions, err)
		}
		r.shuffle()
		paces = append(paces, pace{thousands(sessions) + " sessions", func(d time.Duration) (float64, error) { return r.refresh(ctx, growthCallers, d) }})
	}
	return alternate(e, paces)
}

// fill adds sessions in batches: a few logins, whose tokens wait to be refreshed, and copies of the last of them. So those
// that are refreshed later lie all over the table.
func (r *refresher) fill(ctx context.Context, file string, sessions int) error {
	db, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(10000)&_pragma=synchronous(0)&_pragma=cache_size(-262144)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	statement, err := copyStatement(ctx, db)
	for range batches {
		var id string
		if err == nil {
			id, err = r.login(ctx, cap(r.tokens)/batches)
		}
		if err == nil {
			_, err = db.ExecContext(ctx, statement, sessions/batches-cap(r.tokens)/batches, id)
		}
	}
	if err == nil {
		_, err = db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	}
	syscall.Sync() // so that no refresh waits for what was copied
	return errors.Join(err, db.Close())
}

// copyStatement copies the session ?2 ?1 times. Each copy has an ID of the same millisecond, and handle and subject of its own.
func copyStatement(ctx context.Context, db *sql.DB) (string, error) {
	var columns string
	if err := db.QueryRowContext(ctx, `SELECT group_concat(name) FROM pragma_table_info('sessions')`).Scan(&columns); err != nil {
		return "", err
	}
	values := strings.Split(columns, ",")
	for i, name := range values {
		switch name {
		case "id":
			values[i] = `substr(id, 1, 15) || lower(substr(hex(randomblob(2)), 2)) || '-8' || lower(substr(hex(randomblob(2)), 2)) || '-' || lower(hex(randomblob(6)))`
		case "handle":
			values[i] = "randomblob(32)"
		case "subject":
			values[i] = "'u_' || lower(hex(randomblob(13)))"
		}
	}
	return `WITH RECURSIVE n(i) AS (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO sessions (` + columns + `) SELECT ` + strings.Join(values, ", ") + ` FROM n, sessions WHERE id = ?2`, nil
}
