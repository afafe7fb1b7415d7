package move_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/doorward/doorward/internal/move"
	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/postgres"
	"github.com/doorward/doorward/sqlite"
)

// Both schemas have the same tables and columns, and a move copies each: what a migration adds is not forgotten.
func TestMoveCopiesEveryColumn(t *testing.T) {
	t.Parallel()
	const lite = `SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'`
	path := filepath.Join(t.TempDir(), "doorward.db")
	one, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	file, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	wantMoved(t, file, lite)

	url := postgrestest.URL(t)
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wantMoved(t, db, `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'doorward'`)
}

func wantMoved(t *testing.T, db *sql.DB, columns string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), columns)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	moved, left := move.MovedColumns(), 0
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		if table == "meta" || table == sqlstore.VersionTable || table == "revocations" && column == "position" {
			left++
			continue
		}
		i := slices.Index(moved[table], column)
		if i < 0 {
			t.Errorf("a move leaves %s.%s behind", table, column)
			continue
		}
		moved[table] = slices.Delete(moved[table], i, i+1)
	}
	for table, columns := range moved {
		if len(columns) > 0 {
			t.Errorf("%s has no columns %q", table, columns)
		}
	}
	if left == 0 || rows.Err() != nil {
		t.Errorf("%d columns are not copied, %v", left, rows.Err())
	}
}

// A store moves to one place. What another move has filled, before or after, is never taken for it.
func TestMoveOneAtATime(t *testing.T) {
	t.Parallel()
	from := store(t)
	if err := sqlstore.LedgerIn(from.Store).Record(t.Context(), issuer.Event{Kind: "test"}); err != nil {
		t.Fatal(err)
	}
	here, there, nowhere := store(t), store(t), store(t)
	to := func(ctx context.Context, s *sqlite.Store, want error) {
		t.Helper()
		if err := move.Move(ctx, from.Store, s.Store, func(int64, int64) {}); !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
	}
	to(t.Context(), here, nil)
	to(t.Context(), here, nil) // a second time changes nothing
	to(t.Context(), there, move.ErrMoved)
	back(t, from)
	to(t.Context(), here, sqlstore.ErrOccupied)
	if err := move.CheckMoved(t.Context(), from.Store); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
	ctx, kill := context.WithCancel(t.Context())
	if err := move.Move(ctx, from.Store, there.Store, func(int64, int64) { kill() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("a move that was killed: %v", err)
	}
	to(t.Context(), here, sqlstore.ErrOccupied)
	if err := move.Move(t.Context(), nowhere.Store, there.Store, func(int64, int64) {}); !errors.Is(err, sqlstore.ErrOccupied) {
		t.Errorf("two into one: %v", err)
	}
	if err := move.CheckMoved(t.Context(), from.Store); !errors.Is(err, move.ErrMoving) {
		t.Errorf("while it is on its way: %v", err)
	}
	to(t.Context(), there, nil)
	to(t.Context(), here, move.ErrMoved)
	to(t.Context(), nowhere, move.ErrMoved)
}

// What is in the store to fill already stays, and a copy that is not what was copied is no store to use.
func TestMoveIsCompared(t *testing.T) {
	t.Parallel()
	from, used := store(t), store(t)
	for _, s := range []*sqlite.Store{from, used} {
		if err := sqlstore.LedgerIn(s.Store).Record(t.Context(), issuer.Event{Kind: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := move.Move(t.Context(), from.Store, used.Store, func(int64, int64) {}); !errors.Is(err, sqlstore.ErrOccupied) {
		t.Errorf("into a store in use: %v", err)
	}
	path := filepath.Join(t.TempDir(), "doorward.db")
	to, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = move.Move(t.Context(), from.Store, to.Store, func(int64, int64) {
		if _, err := db.ExecContext(t.Context(), `UPDATE audit SET reason = 'x'`); err != nil {
			t.Error(err)
		}
	})
	if !errors.Is(err, move.ErrDiffers) {
		t.Errorf("%v, want ErrDiffers", err)
	}
	for name, s := range map[string]*sqlite.Store{"from": from, "to": to} {
		if err := move.CheckMoved(t.Context(), s.Store); !errors.Is(err, move.ErrMoving) {
			t.Errorf("%s: %v, want ErrMoving", name, err)
		}
	}
}

func store(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "doorward.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func back(t *testing.T, s *sqlite.Store) {
	t.Helper()
	if marked, err := move.Stay(t.Context(), s.Store); err != nil || !marked {
		t.Fatal(marked, err)
	}
}
