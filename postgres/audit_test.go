package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

const insertAudit = `INSERT INTO audit (at, kind, actor, address, request_id, subject, session, reason)
	VALUES (1, 'test', '', '', $1, '', '', '')`

// nodes are processes on one database with one master key.
func nodes(t *testing.T, n int) ([]*sqlstore.Ledger, []*audit.Sealer, *sql.DB, issuer.MasterKey) {
	t.Helper()
	url, master := template(t), issuer.GenerateMasterKey()
	stores, sealers := make([]*sqlstore.Ledger, n), make([]*audit.Sealer, n)
	for i := range n {
		stores[i] = sqlstore.LedgerIn(open(t, url).Store)
		var err error
		if sealers[i], err = audit.NewSealer(audit.Config{Store: stores[i], MasterKey: master}); err != nil {
			t.Fatal(err)
		}
	}
	return stores, sealers, raw(t, url), master
}

func verified(t *testing.T, s audit.Store, master issuer.MasterKey) audit.Report {
	t.Helper()
	report, err := audit.Verify(t.Context(), s, master, nil, func(int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// blockOf is the block of the row of a request.
func blockOf(t *testing.T, db *sql.DB, request string) (block int64) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), `SELECT block FROM audit WHERE request_id = $1`, request).Scan(&block); err != nil {
		t.Fatal(err)
	}
	return block
}

// A row that got its number early and commits late is sealed late, and holds nothing up. Nor does a transaction that
// stays open.
func TestAuditLateCommit(t *testing.T) {
	t.Parallel()
	stores, sealers, db, master := nodes(t, 2)
	begin(t, db, `INSERT INTO meta (name, value) VALUES ('open', '')`)
	late := begin(t, db, insertAudit, "late")
	exec(t, db, insertAudit, "early")
	if err := sealers[0].Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if early := blockOf(t, db, "early"); early != 1 {
		t.Fatalf("the early row is in block %d", early)
	}
	before := verified(t, stores[0], master)
	if err := late.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := sealers[1].Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if block := blockOf(t, db, "late"); block != 2 {
		t.Errorf("the late row is in block %d", block)
	}
	if after := verified(t, stores[0], master); after.Records != before.Records+1 {
		t.Errorf("%d records, then %d", before.Records, after.Records)
	}
}

// A node that seals, and hangs, holds up no writer, and no other node waits for it.
func TestAuditNobodyWaits(t *testing.T) {
	t.Parallel()
	stores, sealers, db, master := nodes(t, 2)
	if err := stores[0].Record(t.Context(), issuer.Event{Kind: "test"}); err != nil {
		t.Fatal(err)
	}
	hangs := begin(t, db, `SELECT pg_advisory_xact_lock(1685024626, 3)`)
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second) // less than a lock is waited for
	defer stop()
	if err := sealers[1].Seal(ctx); err != nil {
		t.Fatal(err)
	}
	if err := stores[1].Record(ctx, issuer.Event{Kind: "test"}); err != nil {
		t.Fatal(err)
	}
	if report := verified(t, stores[0], master); report.Blocks != 0 {
		t.Fatalf("%d blocks beside a node that seals", report.Blocks)
	}
	if err := hangs.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := sealers[1].Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if report := verified(t, stores[0], master); report.Records != 3 { // and the key
		t.Errorf("%d records", report.Records)
	}
}

// Three nodes seal while others write, in transactions that stay open for a while and commit in another order than they
// began, or not at all. Each row that was committed is in one block; what is in a block never changes; and of two
// rows, one of which was committed before the other began, the first is sealed first.
func TestAuditThreeNodes(t *testing.T) {
	t.Parallel()
	stores, sealers, db, master := nodes(t, 3)
	ctx, stop := context.WithCancel(t.Context())
	var sealing, writing sync.WaitGroup
	for i := range sealers {
		sealing.Go(func() {
			for ctx.Err() == nil {
				if err := sealers[i].Seal(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	kept := map[int64]audit.Block{}
	sealing.Go(func() {
		for ctx.Err() == nil {
			page, err := stores[0].AuditChain(t.Context(), 0)
			if err != nil {
				t.Error(err)
				return
			}
			for _, b := range page.Blocks {
				if old, ok := kept[b.Number]; ok && old != b {
					t.Errorf("block %d was %+v, and is %+v", b.Number, old, b)
				}
				kept[b.Number] = b
			}
		}
	})
	const writers, rows = 6, 40
	for w := range writers {
		writing.Go(func() {
			for n := range rows {
				if err := writeSlowly(t.Context(), db, fmt.Sprintf("%d-%d", w, n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	stop()
	sealing.Wait()
	if err := sealers[0].Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	report := verified(t, stores[0], master)
	if report.Records < writers*rows/2 || len(kept) == 0 {
		t.Errorf("%+v, %d blocks watched", report, len(kept))
	}
	for w := range writers {
		inOrder(t, db, fmt.Sprint(w, "-"))
	}
	var open int
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM audit WHERE block = 0`).Scan(&open); err != nil || open != 0 {
		t.Errorf("%d rows are in no block, %v", open, err)
	}
}

// writeSlowly writes a row in a transaction that stays open for a while. Of eight one is rolled back.
func writeSlowly(ctx context.Context, db *sql.DB, request string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, insertAudit, request); err != nil {
		_ = tx.Rollback()
		return err
	}
	if _, err := tx.ExecContext(ctx, `SELECT pg_sleep($1)`, rand.Float64()/50); err != nil {
		_ = tx.Rollback()
		return err
	}
	if rand.IntN(8) == 0 {
		return tx.Rollback()
	}
	return tx.Commit()
}

// inOrder checks that rows of one writer, each of which began when the one before was committed, were sealed in that order.
func inOrder(t *testing.T, db *sql.DB, prefix string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT CAST(substr(request_id, $1) AS INT) FROM audit WHERE request_id LIKE $2 ORDER BY block, seq`,
		len(prefix)+1, prefix+"%")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	last, n := -1, 0
	for rows.Next() {
		var number int
		if err := rows.Scan(&number); err != nil {
			t.Fatal(err)
		}
		if number <= last {
			t.Errorf("of writer %s row %d is sealed behind row %d", prefix, number, last)
		}
		last, n = number, n+1
	}
	if n == 0 || rows.Err() != nil {
		t.Errorf("%d rows, %v", n, rows.Err())
	}
}
