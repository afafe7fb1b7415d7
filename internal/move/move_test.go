package move_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"github.com/doorward/doorward/internal/move"
	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/internal/sqlstore"
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
