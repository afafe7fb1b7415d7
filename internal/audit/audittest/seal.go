package audittest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
)

var event = issuer.Event{Kind: "test", Actor: "audittest", Address: "192.0.2.1", RequestID: "r1"}

// sealer returns a Sealer of one node.
func (f *fixture) sealer(store audit.Store, retention time.Duration) *audit.Sealer {
	f.Helper()
	s, err := audit.NewSealer(audit.Config{Store: store, MasterKey: f.master, Retention: retention})
	f.ok(err)
	return s
}

// seal seals n new records as a block, and again until there are so many blocks.
func (f *fixture) seal(blocks, n int) {
	f.Helper()
	s := f.sealer(f.store, 0)
	for range blocks {
		for range n {
			f.ok(f.store.Record(f.Context(), event))
		}
		f.ok(s.Seal(f.Context()))
	}
}

func (f *fixture) verify(head *audit.Head) (audit.Report, error) {
	f.Helper()
	return audit.Verify(f.Context(), f.store, f.master, head, func(int64, int64) {})
}

// whole checks that the record verifies and returns what was seen.
func (f *fixture) whole() audit.Report {
	f.Helper()
	report, err := f.verify(nil)
	f.ok(err)
	return report
}

// broken checks that a block is the first one broken, and how.
func (f *fixture) broken(what string, head *audit.Head, block int64, want error) {
	f.Helper()
	_, err := f.verify(head)
	b, ok := errors.AsType[*audit.BrokenError](err)
	if !ok || b.Block != block || !errors.Is(err, want) || !errors.Is(err, audit.ErrBroken) {
		f.Errorf("%s: %v; want block %d: %v", what, err, block, want)
	}
}

func (f *fixture) head() audit.Head {
	f.Helper()
	page, err := f.store.AuditChain(f.Context(), math.MaxInt64)
	f.ok(err)
	return page.Last
}

// count counts rows.
func (f *fixture) count(table string) (n int64) {
	f.Helper()
	f.ok(f.db.QueryRowContext(f.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n))
	return n
}

func testSeal(f *fixture) {
	s := f.sealer(f.store, 0)
	f.ok(s.Seal(f.Context()))
	if f.count("audit")+f.count("audit_keys")+f.count("audit_blocks") != 0 {
		f.Fatal("something was written where there was nothing to seal")
	}
	if report := f.whole(); report != (audit.Report{}) {
		f.Fatalf("an empty record: %+v", report)
	}
	f.fill()
	const many = 2*audit.MaxRecords + 10
	for range many {
		f.ok(f.store.Record(f.Context(), event))
	}
	n, oldest, err := f.store.AuditWaiting(f.Context())
	f.ok(err)
	if n != many+7 || oldest.IsZero() {
		f.Errorf("%d wait since %v", n, oldest)
	}
	f.ok(s.Seal(f.Context()), s.Seal(f.Context()))
	report := f.whole() // with the event of the key
	if report.Records != many+8 || report.Blocks != 3 || report.Head != f.head() || report.From != (audit.Anchor{}) {
		f.Errorf("%+v", report)
	}
	if n, oldest, err = f.store.AuditWaiting(f.Context()); n != 0 || !oldest.IsZero() || err != nil {
		f.Errorf("%d wait since %v, %v", n, oldest, err)
	}
	var wrong int
	f.ok(f.db.QueryRowContext(f.Context(), `SELECT COUNT(*) FROM audit_blocks AS b WHERE first <> (SELECT MIN(seq) FROM audit WHERE block = b.number)
		OR last <> (SELECT MAX(seq) FROM audit WHERE block = b.number) OR count > 256`).Scan(&wrong))
	if wrong != 0 {
		f.Errorf("%d blocks do not say where they begin and end", wrong)
	}
	list, err := f.store.SearchAudit(f.Context(), audit.Query{Limit: 1, Kinds: []issuer.EventKind{audit.EventKeyRotate}})
	f.ok(err)
	if len(list) != 1 || list[0].Block == 0 || list[0].Subject == "" || list[0].Actor != "doorward" {
		f.Errorf("%+v", list)
	}
}

// cut deletes the blocks after one, and their records.
var cut = []string{`DELETE FROM audit_blocks WHERE number > 3`, `DELETE FROM audit WHERE block > 3`}

func testHead(f *fixture) {
	f.seal(3, 2)
	early := f.head()
	f.seal(3, 2)
	late := f.head()
	for _, head := range []audit.Head{{}, early, late} {
		parsed, err := audit.ParseHead(" " + head.String() + "\n")
		f.ok(err)
		_, err = f.verify(&parsed)
		f.ok(err)
	}
	f.tampered(cut, func() {
		f.whole() // which nobody can tell without a head
		_, err := f.verify(&early)
		f.ok(err)
		f.broken("cut", &late, 4, audit.ErrTailCut)
		f.seal(5, 2)
		f.whole()
		f.broken("cut, and grown again", &late, late.Number, audit.ErrHistory)
	})
	f.tampered([]string{`DELETE FROM audit_blocks`, `DELETE FROM audit`, `DELETE FROM audit_keys`}, func() {
		f.broken("emptied", &early, 1, audit.ErrTailCut)
	})
	other := late
	other.MAC[0] ^= 1
	f.broken("another mac", &other, late.Number, audit.ErrHistory)
	for _, text := range []string{
		"", "dwah1", "dwah2" + late.String()[5:], "dwah1.-1." + strings.Repeat("A", 43), "dwah1.01." + strings.Repeat("A", 43),
		"dwah1.0." + strings.Repeat("B", 42) + "A", late.String() + "=", late.String()[:40], "dwah1.1." + strings.Repeat("A", 42) + "B",
	} {
		_, err := audit.ParseHead(text)
		f.fails(err, audit.ErrHead)
	}
}

// Blocks of a copy that went its own way, which has the same keys, and of a database with the same master key.
func testForeign(f *fixture) {
	f.seal(3, 2)
	f.tampered(cut, func() {
		f.seal(2, 2)
		f.exec(`CREATE TABLE fork AS SELECT * FROM audit_blocks WHERE number > 3`)
	})
	f.seal(3, 2)
	f.tampered([]string{
		`DELETE FROM audit_blocks WHERE number IN (SELECT number FROM fork WHERE number > 4)`, `INSERT INTO audit_blocks SELECT * FROM fork WHERE number > 4`,
	}, func() { f.broken("of a copy", nil, 5, audit.ErrBlockChanged) })

	mine := f.master
	f.tampered([]string{`DELETE FROM audit_blocks`, `DELETE FROM audit_keys`}, func() {
		f.exec(`UPDATE audit SET block = 0`)
		f.seal(3, 2)
		f.exec(`CREATE TABLE other AS SELECT * FROM audit_blocks`)
		f.exec(`CREATE TABLE other_keys AS SELECT * FROM audit_keys`)
	})
	f.tampered([]string{`DELETE FROM audit_blocks WHERE number = 2`, `INSERT INTO audit_blocks SELECT * FROM other WHERE number = 2`}, func() {
		f.broken("of another database", nil, 2, audit.ErrKeyMissing)
		f.exec(`DELETE FROM audit_keys`)
		f.exec(`INSERT INTO audit_keys SELECT * FROM other_keys`)
		f.broken("with the keys of another database", nil, 1, audit.ErrKeyMissing)
	})
	f.master = issuer.GenerateMasterKey()
	_, err := f.verify(nil)
	f.fails(err, issuer.ErrMasterKey)
	f.fails(f.sealer(f.store, 0).Seal(f.Context()), issuer.ErrMasterKey)
	f.master = mine
	f.whole()
}

func testRotate(f *fixture) {
	f.seal(2, 2)
	here, there := f.sealer(f.store, 0), f.sealer(f.again(), 0)
	f.ok(f.store.Record(f.Context(), event), here.Seal(f.Context()), f.store.Record(f.Context(), event), there.Seal(f.Context()))
	id, err := here.Rotate(f.Context(), issuer.Event{Actor: "cli:root"})
	f.ok(err)
	f.ok(there.Seal(f.Context()))
	_, err = there.Rotate(f.Context(), issuer.Event{Actor: "cli:root"})
	f.ok(err)
	f.ok(here.Seal(f.Context()))
	f.whole()
	var blocks, keys int
	f.ok(f.db.QueryRowContext(f.Context(), `SELECT COUNT(*) FROM audit_blocks WHERE key = $1`, id).Scan(&blocks))
	f.ok(f.db.QueryRowContext(f.Context(), `SELECT COUNT(DISTINCT key) FROM audit_blocks`).Scan(&keys))
	if blocks != 1 || keys != 3 {
		f.Errorf("%d blocks under %s, %d keys", blocks, id, keys)
	}
	// A key that was replaced seals nothing, also if somebody stole it, and does not become the newest again.
	for _, statements := range [][]string{
		{`UPDATE audit_keys SET number = 9 WHERE number = 1`},
		{`UPDATE audit_keys SET id = id || 'x' WHERE number = 1`},
		{`UPDATE audit_keys SET sealed = (SELECT sealed FROM audit_keys WHERE number = 2) WHERE number = 1`},
	} {
		f.tampered(statements, func() {
			_, err := f.verify(nil)
			f.fails(err, issuer.ErrMasterKey)
		})
	}
	stored, err := f.store.AuditKeys(f.Context())
	f.ok(err)
	_, err = here.Rotate(f.Context(), event)
	f.ok(err, here.Seal(f.Context()), f.store.Record(f.Context(), event))
	f.whole()
	last := f.head().Number
	f.ok(f.sealer(&replaced{f.store, stored}, 0).Seal(f.Context()))
	f.broken("sealed with a key that was replaced", nil, last+1, audit.ErrKeyOrder)
}

// replaced is a store whose keys stay as they were: a Sealer goes on with the one that was the newest.
type replaced struct {
	audit.Store
	keys []audit.StoredKey
}

func (r *replaced) AuditKeys(context.Context) ([]audit.StoredKey, error) { return r.keys, nil }

func (r *replaced) SealAudit(ctx context.Context, _ string, seal func(audit.Head, []audit.Record, time.Time) audit.Block) (int, error) {
	keys, err := r.Store.AuditKeys(ctx)
	if err != nil {
		return 0, err
	}
	return r.Store.SealAudit(ctx, keys[len(keys)-1].ID, seal)
}

// age seals like seal, with a clock that is two hours behind.
func (f *fixture) age(blocks, n int) {
	f.Helper()
	now := f.store
	f.store = &skewed{now, -2 * time.Hour}
	f.seal(blocks, n)
	f.store = now
}

func testRetention(f *fixture) {
	f.seal(1, 2)
	keep := f.sealer(f.store, time.Hour)
	n, err := keep.Prune(f.Context())
	f.ok(err)
	if n != 0 || f.count("audit_anchor") != 0 {
		f.Fatalf("%d records deleted that are young", n)
	}
	f.age(1, 1)
	if n, err = f.sealer(f.store, 0).Prune(f.Context()); n != 0 || err != nil || f.count("audit_anchor") != 0 {
		f.Fatalf("%d records deleted that are kept for ever, %v", n, err)
	}
	f.exec(`DELETE FROM audit`)
	f.exec(`DELETE FROM audit_blocks`)
	f.age(200, 3)
	old := f.head()
	_, err = keep.Rotate(f.Context(), event)
	f.ok(err)
	f.seal(2, 2)
	if n, err = keep.Prune(f.Context()); n != 600 || err != nil {
		f.Fatalf("%d records deleted, %v", n, err)
	}
	f.whole()
	f.seal(3, 2)
	report := f.whole()
	if report.From.Number != 200 || report.From.Head != old || report.From.MadeAt.IsZero() || report.Head != f.head() || report.Blocks != 5 {
		f.Errorf("%+v", report)
	}
	list, err := f.store.SearchAudit(f.Context(), audit.Query{Kinds: []issuer.EventKind{audit.EventPrune}})
	f.ok(err)
	if len(list) != 1 || list[0].Reason != "600 records, blocks 1 to 200" || list[0].Actor != "doorward" {
		f.Errorf("%+v", list)
	}
	if f.count("audit_keys") != 1 {
		f.Errorf("%d keys are kept", f.count("audit_keys"))
	}
	for _, change := range []string{
		`number = number + 1`, `number = number - 1`, `made_at = made_at + 1`, `mac = (SELECT digest FROM audit_blocks ORDER BY number LIMIT 1)`,
		`proof = (SELECT digest FROM audit_blocks ORDER BY number LIMIT 1)`,
	} {
		f.tampered([]string{`UPDATE audit_anchor SET ` + change}, func() {
			_, err := f.verify(nil)
			f.fails(err, audit.ErrAnchor)
		})
	}
	f.tampered([]string{`DELETE FROM audit_anchor`}, func() { f.broken("no anchor", nil, 1, audit.ErrBlockMissing) })
	_, err = f.verify(&old)
	f.ok(err)
	other := old
	other.MAC[0] ^= 1
	f.broken("another head where the record begins", &other, old.Number, audit.ErrHistory)
	old.Number--
	_, err = f.verify(&old)
	f.fails(err, audit.ErrHeadOld)
}

// The front is deleted and the end grows while the record is verified.
func testOvertaken(f *fixture) {
	f.age(pageful+10, 1)
	keep, pruned := f.sealer(f.store, time.Hour), 0
	report, err := audit.Verify(f.Context(), f.store, f.master, nil, func(int64, int64) {
		if pruned == 0 {
			n, err := keep.Prune(f.Context())
			f.ok(err)
			pruned = n
			f.seal(2, 1)
		}
	})
	f.ok(err)
	if pruned != pageful+11 || report.Head != f.head() || report.From.Number != pageful+10 {
		f.Errorf("%d pruned, verified from %v to %v of %v", pruned, report.From.Number, report.Head, f.head())
	}
}

// pageful is more blocks than a page has.
const pageful = 300

// Nobody gets an anchor that the retention did not make.
func testFront(f *fixture) {
	f.seal(6, 2)
	keep := f.sealer(f.store, time.Hour)
	refused := func(what string, statements []string, want error) {
		f.Helper()
		f.tampered(statements, func() {
			n, err := keep.Prune(f.Context())
			if n != 0 || !errors.Is(err, want) || f.count("audit_anchor") > 1 {
				f.Errorf("%s: %d records deleted, %v", what, n, err)
			}
		})
	}
	const aged = `UPDATE audit_blocks SET sealed_at = 1 WHERE number <= 3`
	refused("blocks made older", []string{aged}, audit.ErrBlockChanged)
	refused("cut, and the next made older", []string{`DELETE FROM audit_blocks WHERE number = 1`, `DELETE FROM audit WHERE block = 1`, aged}, audit.ErrBlockMissing)
	refused("anchor forged", []string{`INSERT INTO audit_anchor (one, number, mac, made_at, key, proof)
		SELECT 1, 1, mac, sealed_at, key, mac FROM audit_blocks WHERE number = 2`}, audit.ErrAnchor)
}

// What was changed before it is old enough stays to be looked at.
func testBrokenStays(f *fixture) {
	f.age(1, audit.MaxRecords-1) // with the event of the key as much as is deleted at once
	f.age(6, 2)
	f.exec(`UPDATE audit SET reason = 'x' WHERE block = 3`)
	n, err := f.sealer(f.store, time.Hour).Prune(f.Context())
	f.fails(err, audit.ErrRowChanged)
	if n != audit.MaxRecords || f.count("audit_blocks") != 6 {
		f.Errorf("%d records deleted, %d blocks left", n, f.count("audit_blocks"))
	}
	f.broken("after the retention", nil, 3, audit.ErrRowChanged)
	list, err := f.store.SearchAudit(f.Context(), audit.Query{Kinds: []issuer.EventKind{audit.EventPrune}})
	f.ok(err)
	if len(list) != 1 || list[0].Reason != "256 records, blocks 1 to 1" {
		f.Errorf("what was deleted before is on record as %+v", list)
	}
}

// The order is that of blocks and not of times, and a clock that goes back keeps more, never less.
func testClock(f *fixture) {
	ahead := &skewed{Store: f.store, by: time.Hour}
	f.fill()
	f.ok(f.sealer(ahead, 0).Seal(f.Context()))
	f.seal(2, 2)
	f.age(2, 2)
	f.whole()
	if n, err := f.sealer(f.store, time.Hour).Prune(f.Context()); n != 0 || err != nil {
		f.Errorf("%d records behind a block of the future deleted, %v", n, err)
	}
	f.whole()
}

// skewed is a store whose clock is wrong when it seals.
type skewed struct {
	audit.Store
	by time.Duration
}

func (s *skewed) SealAudit(ctx context.Context, newest string, seal func(audit.Head, []audit.Record, time.Time) audit.Block) (int, error) {
	return s.Store.SealAudit(ctx, newest, func(last audit.Head, records []audit.Record, now time.Time) audit.Block {
		return seal(last, records, now.Add(s.by))
	})
}

// Three processes write and seal at once.
func testTogether(f *fixture) {
	const each = 40
	stores := []audit.Store{f.store, f.again(), f.again()}
	var all sync.WaitGroup
	errs := make(chan error, 100)
	ctx, stop := context.WithCancel(f.Context())
	var sealing sync.WaitGroup
	for i, store := range stores {
		sealer := f.sealer(store, 0)
		sealing.Go(func() {
			for ctx.Err() == nil {
				if err := sealer.Seal(f.Context()); err != nil {
					errs <- err
					return
				}
			}
		})
		all.Go(func() {
			for n := range each {
				ev := event
				ev.RequestID = fmt.Sprint(i, "-", n)
				if err := store.Record(f.Context(), ev); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	stop()
	sealing.Wait()
	close(errs)
	for err := range errs {
		f.Fatal(err)
	}
	f.ok(f.sealer(f.store, 0).Seal(f.Context()))
	if report := f.whole(); report.Records != f.count("audit") || report.Records < 3*each {
		f.Errorf("%+v of %d", report, f.count("audit"))
	}
}
