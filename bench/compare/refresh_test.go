package main

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// The sessions among which others are refreshed are there, each with an ID and a handle of its own.
func TestFill(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "doorward.db")
	r, err := newRefresher(t.Context(), file, false, batches)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.fill(t.Context(), file, 2_000); err != nil {
		t.Fatal(err)
	}
	rate, err := r.refresh(t.Context(), 2, 20*time.Millisecond)
	if err != nil || rate == 0 {
		t.Errorf("%.0f refreshes a second, %v", rate, err)
	}
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	var sessions, subjects, malformed int
	err = db.QueryRowContext(t.Context(), `SELECT count(DISTINCT handle), count(DISTINCT subject), sum(length(id) <> 36 OR substr(id, 15, 1) <> '7') FROM sessions`).
		Scan(&sessions, &subjects, &malformed)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if sessions != 2_000/batches*batches || subjects != sessions-batches+1 || malformed != 0 {
		t.Errorf("%d sessions, %d subjects, %d malformed IDs", sessions, subjects, malformed)
	}
}
