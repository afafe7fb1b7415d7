package audittest

import (
	"errors"
	"fmt"

	"github.com/doorward/doorward/internal/audit"
)

// tampering is what somebody does to the database by hand, and what is noticed of it first.
type tampering struct {
	name  string
	do    []string
	block int64
	want  error
}

// Several pages of the chain are read.
func testTampering(f *fixture) {
	f.fill()
	f.seal(10, 7)
	f.seal(pageful, 1)
	if report := f.whole(); report.Records != f.count("audit") {
		f.Fatalf("%+v of %d", report, f.count("audit"))
	}
	var first int64
	f.ok(f.db.QueryRowContext(f.Context(), `SELECT first FROM audit_blocks WHERE number = 5`).Scan(&first))
	for _, tt := range append(withRows(first+3, f.head().Number), withBlocks(f.head().Number)...) {
		f.tampered(tt.do, func() { f.broken(tt.name, nil, tt.block, tt.want) })
	}
	f.whole()
}

// pageLast is the last block of the first page.
const pageLast = 256

// withRows tampers with one row of block 5 and the one behind it.
func withRows(seq, last int64) []tampering {
	row, next := fmt.Sprintf(`seq = %d`, seq), fmt.Sprintf(`seq = %d`, seq+1)
	return []tampering{
		{"at", []string{`UPDATE audit SET at = at + 1 WHERE ` + row}, 5, audit.ErrRowChanged},
		{"kind", []string{`UPDATE audit SET kind = 'logout' WHERE ` + row}, 5, audit.ErrRowChanged},
		{"actor", []string{`UPDATE audit SET actor = 'mallory' WHERE ` + row}, 5, audit.ErrRowChanged},
		{"address", []string{`UPDATE audit SET address = '' WHERE ` + row}, 5, audit.ErrRowChanged},
		{"request", []string{`UPDATE audit SET request_id = 'r2' WHERE ` + row}, 5, audit.ErrRowChanged},
		{"subject", []string{`UPDATE audit SET subject = 'u' WHERE ` + row}, 5, audit.ErrRowChanged},
		{"session", []string{`UPDATE audit SET session = 's' WHERE ` + row}, 5, audit.ErrRowChanged},
		{"reason", []string{`UPDATE audit SET reason = ' ' WHERE ` + row}, 5, audit.ErrRowChanged},
		{"seq", []string{`UPDATE audit SET seq = -1 WHERE ` + row}, 5, audit.ErrRowChanged},
		{"text moved to the next column", []string{`UPDATE audit SET actor = 'audittes', address = 't192.0.2.1' WHERE ` + row}, 5, audit.ErrRowChanged},
		{"two rows swapped", []string{
			`UPDATE audit SET actor = 'x' WHERE ` + row, `UPDATE audit SET seq = -1 WHERE ` + row,
			fmt.Sprintf(`UPDATE audit SET seq = %d WHERE `, seq) + next, fmt.Sprintf(`UPDATE audit SET seq = %d WHERE seq = -1`, seq+1),
		}, 5, audit.ErrRowChanged},
		{"row deleted", []string{`DELETE FROM audit WHERE ` + row}, 5, audit.ErrRowMissing},
		{"all rows deleted", []string{`DELETE FROM audit WHERE block = 5`}, 5, audit.ErrRowMissing},
		{"row unsealed", []string{`UPDATE audit SET block = 0 WHERE ` + row}, 5, audit.ErrRowMissing},
		{"row moved to an earlier block", []string{`UPDATE audit SET block = 2 WHERE ` + row}, 2, audit.ErrRowAdded},
		{"row moved to a later block", []string{`UPDATE audit SET block = 300 WHERE ` + row}, 5, audit.ErrRowMissing},
		{"row moved before the first block", []string{`UPDATE audit SET block = -1 WHERE ` + row}, -1, audit.ErrRowAdded},
		{"row added", []string{`INSERT INTO audit (at, kind, actor, address, request_id, subject, session, reason, block)
			VALUES (1, 'login', 'm', '', '', '', '', '', 5)`}, 5, audit.ErrRowAdded},
		{"row added to the last block", []string{fmt.Sprintf(`INSERT INTO audit (at, kind, actor, address, request_id, subject, session, reason, block)
			VALUES (1, 'login', 'm', '', '', '', '', '', %d)`, last)}, last, audit.ErrRowAdded},
		{"row added to the last block of a page", []string{fmt.Sprintf(`INSERT INTO audit (at, kind, actor, address, request_id, subject, session, reason, block)
			VALUES (1, 'login', 'm', '', '', '', '', '', %d)`, pageLast)}, pageLast, audit.ErrRowAdded},
		{"row added behind the last block", []string{fmt.Sprintf(`INSERT INTO audit (at, kind, actor, address, request_id, subject, session, reason, block)
			VALUES (1, 'login', 'm', '', '', '', '', '', %d)`, last+1)}, last + 1, audit.ErrBlockMissing},
	}
}

// withBlocks tampers with blocks, keys and anchors.
func withBlocks(last int64) []tampering {
	return []tampering{
		{"block deleted", []string{`DELETE FROM audit_blocks WHERE number = 5`}, 5, audit.ErrBlockMissing},
		{"block and rows deleted", []string{`DELETE FROM audit_blocks WHERE number = 5`, `DELETE FROM audit WHERE block = 5`}, 5, audit.ErrBlockMissing},
		{"block deleted, the rest moved up", []string{
			`DELETE FROM audit_blocks WHERE number = 100`, `DELETE FROM audit WHERE block = 100`,
			`UPDATE audit_blocks SET number = -number WHERE number > 100`, `UPDATE audit_blocks SET number = -number - 1 WHERE number < 0`,
			`UPDATE audit SET block = block - 1 WHERE block > 100`,
		}, 100, audit.ErrBlockChanged},
		{"last block deleted", []string{fmt.Sprintf(`DELETE FROM audit_blocks WHERE number = %d`, last)}, last, audit.ErrBlockMissing},
		{"blocks swapped", []string{
			`UPDATE audit_blocks SET number = -1 WHERE number = 5`, `UPDATE audit_blocks SET number = 5 WHERE number = 6`,
			`UPDATE audit_blocks SET number = 6 WHERE number = -1`, `UPDATE audit SET block = 11 - block WHERE block IN (5, 6)`,
		}, 5, audit.ErrBlockChanged},
		{"block 0", []string{`UPDATE audit_blocks SET number = 0 WHERE number = 5`}, 5, audit.ErrBlockMissing},
		{"count", []string{`UPDATE audit_blocks SET count = count + 1 WHERE number = 5`}, 5, audit.ErrBlockChanged},
		{"count of very many", []string{`UPDATE audit_blocks SET count = 9223372036854775807 WHERE number = 5`}, 5, audit.ErrBlockChanged},
		{"first", []string{`UPDATE audit_blocks SET first = first + 1 WHERE number = 5`}, 5, audit.ErrBlockChanged},
		{"last", []string{`UPDATE audit_blocks SET last = last + 1 WHERE number = 5`}, 5, audit.ErrBlockChanged},
		{"sealed_at", []string{`UPDATE audit_blocks SET sealed_at = sealed_at + 1 WHERE number = 5`}, 5, audit.ErrBlockChanged},
		{"digest", []string{`UPDATE audit_blocks SET digest = (SELECT digest FROM audit_blocks WHERE number = 6) WHERE number = 5`}, 5, audit.ErrBlockChanged},
		{"mac", []string{`UPDATE audit_blocks SET mac = (SELECT mac FROM audit_blocks WHERE number = 6) WHERE number = 5`}, 5, audit.ErrBlockChanged},
		{"mac that is longer", []string{`UPDATE audit_blocks SET mac = (SELECT sealed FROM audit_keys) WHERE number = 5`}, 5, audit.ErrBlockChanged},
		{"key", []string{`UPDATE audit_blocks SET key = 'dwa_x' WHERE number = 5`}, 5, audit.ErrKeyMissing},
		{"no keys", []string{`DELETE FROM audit_keys`}, 1, audit.ErrKeyMissing},
		{"anchor forged", []string{`INSERT INTO audit_anchor (one, number, mac, made_at, key, proof)
			SELECT 1, number, mac, sealed_at, key, mac FROM audit_blocks WHERE number = 5`}, 5, audit.ErrAnchor},
		{"anchor of nobody", []string{`INSERT INTO audit_anchor (one, number, mac, made_at, key, proof)
			SELECT 1, number, mac, sealed_at, 'x', mac FROM audit_blocks WHERE number = 5`}, 5, audit.ErrAnchor},
		{"anchor before the first block", []string{`INSERT INTO audit_anchor (one, number, mac, made_at, key, proof)
			SELECT 1, 0, mac, sealed_at, key, mac FROM audit_blocks WHERE number = 5`}, 0, audit.ErrAnchor},
	}
}

// tampered runs statements and then check, and puts everything back.
func (f *fixture) tampered(statements []string, check func()) {
	f.Helper()
	var keep, back []string
	for _, t := range []string{"audit", "audit_blocks", "audit_anchor", "audit_keys"} {
		keep = append(keep, `CREATE TABLE kept_`+t+` AS SELECT * FROM `+t)
		back = append(back, `DELETE FROM `+t, `INSERT INTO `+t+` SELECT * FROM kept_`+t, `DROP TABLE kept_`+t)
	}
	f.together(append(keep, statements...))
	check()
	f.together(back)
}

// together tampers in one transaction.
func (f *fixture) together(statements []string) {
	f.Helper()
	tx, err := f.db.BeginTx(f.Context(), nil)
	f.ok(err)
	for _, statement := range statements {
		if _, err := tx.ExecContext(f.Context(), statement); err != nil {
			f.Fatal(errors.Join(err, tx.Rollback()))
		}
	}
	f.ok(tx.Commit())
}
