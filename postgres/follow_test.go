package postgres_test

import (
	"database/sql"
	"slices"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/postgres"
)

// A number is given when a transaction writes, and seen when it commits: who goes on "after the last number" loses what
// commits late. The store's reader does not, nor does it read twice or wait, while transactions that write stay open in this
// and in another database of the cluster.
func TestLateCommits(t *testing.T) {
	t.Parallel()
	url := template(t)
	store, db := open(t, url), raw(t, url)
	begin(t, raw(t, postgrestest.URL(t)), `SELECT pg_current_xact_id()`)
	begin(t, db, `INSERT INTO meta (name, value) VALUES ('open', '')`)
	exec(t, db, `CREATE TABLE numbered (number BIGINT GENERATED ALWAYS AS IDENTITY, id TEXT)`)
	const insert = `WITH n AS (INSERT INTO numbered (id) VALUES ($1))
		INSERT INTO revocations (kind, id, before, expires_at, recorded_at) VALUES ('session', $1, '', 0, 1)`
	cursor, last := since(t, store, "").Next, int64(0)

	late := begin(t, db, insert, "late")
	exec(t, db, insert, "early")
	page := since(t, store, cursor)
	wantIDs(t, page, "early")
	if got := after(t, db, &last); !slices.Equal(got, []string{"early"}) {
		t.Fatalf("by number: %q", got)
	}
	if err := late.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := after(t, db, &last); len(got) != 0 {
		t.Errorf("by number: %q: the late one was to be lost there", got)
	}
	page = since(t, store, page.Next)
	wantIDs(t, page, "late")
	wantIDs(t, since(t, store, page.Next))
	wantIDs(t, since(t, store, cursor), "early", "late")
}

// With more transactions open than a cursor holds, a reader may see entries again and still misses none.
func TestManyOpenTransactions(t *testing.T) {
	// Not beside others: transactions are those of the whole cluster, and others count on few.
	url := template(t)
	store, db := open(t, url), raw(t, url)
	const insert = `INSERT INTO revocations (kind, id, before, expires_at, recorded_at) VALUES ('session', $1, '', 0, 1)`
	var open []*sql.Tx
	for i := range 70 {
		open = append(open, begin(t, db, insert, string(rune('A'+i))))
	}
	exec(t, db, insert, "early")
	page := since(t, store, "")
	wantIDs(t, page, "early")
	if len(page.Next) > 200 {
		t.Errorf("the cursor has %d bytes", len(page.Next))
	}
	for _, tx := range open {
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(since(t, store, page.Next).Entries); got < len(open) {
		t.Errorf("%d entries, want at least %d", got, len(open))
	}
}

// A copy of the database is another history, and so is a cursor from before a start of the server.
func TestLineage(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t, "fsync=off")
	url := s.Database(t)
	first := open(t, url)
	if _, err := first.EndSession(t.Context(), "s_1", "logout", issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	before := since(t, first, "")
	wantIDs(t, since(t, first, before.Next))
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	page := since(t, first, before.Next)
	wantIDs(t, page, "s_1")
	if page.Lineage != before.Lineage {
		t.Error("a restart is another history")
	}
	if err := s.Cut(postgrestest.Name(url)); err != nil {
		t.Fatal(err)
	}
	copied := since(t, open(t, s.Clone(t, postgrestest.Name(url))), page.Next)
	wantIDs(t, copied, "s_1")
	if copied.Lineage == page.Lineage {
		t.Error("a copy of the database has the history of the original")
	}
}

// A dump that comes from a server with more transactions behind it is read once, not with every read.
func TestPositionsOfAnotherServer(t *testing.T) {
	t.Parallel()
	url := template(t)
	exec(t, raw(t, url), `INSERT INTO revocations (position, kind, id, before, expires_at, recorded_at) VALUES (1000000000000, 'session', 's_1', '', 0, 1)`)
	s := open(t, url)
	page := since(t, s, "")
	wantIDs(t, page, "s_1")
	wantIDs(t, since(t, s, page.Next))
}

// What one node writes wakes another long before it would look by itself.
func TestHint(t *testing.T) {
	t.Parallel()
	url := template(t)
	here, there := open(t, url), open(t, url)
	if err := there.WaitChange(t.Context()); err != nil { // begins to listen
		t.Fatal(err)
	}
	fastest := time.Hour
	for range 5 {
		woken := make(chan time.Time)
		go func() {
			_ = there.WaitChange(t.Context())
			woken <- time.Now()
		}()
		written := time.Now()
		if _, err := here.EndSubject(t.Context(), "u_1", "logout", issuer.Event{}); err != nil {
			t.Fatal(err)
		}
		fastest = min(fastest, (<-woken).Sub(written))
	}
	if fastest > 500*time.Millisecond {
		t.Errorf("a waiting node is woken after %v", fastest)
	}
}

func since(t *testing.T, s *postgres.Store, after issuer.Cursor) issuer.RevocationPage {
	t.Helper()
	page, err := s.RevocationsSince(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func wantIDs(t *testing.T, page issuer.RevocationPage, want ...string) {
	t.Helper()
	var got []string
	for _, cut := range page.Entries {
		got = append(got, cut.ID)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("entries %q, want %q", got, want)
	}
}

// after reads the table by its number, as one would who takes the order of numbers for that of commits.
func after(t *testing.T, db *sql.DB, last *int64) (ids []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT number, id FROM numbered WHERE number > $1 ORDER BY number`, *last)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(last, &id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// raw opens a database without the store.
func raw(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url+"&search_path=doorward")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// begin executes a statement in a transaction that stays open until the test ends.
func begin(t *testing.T, db *sql.DB, statement string, args ...any) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	if _, err := tx.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
	return tx
}

func exec(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}
