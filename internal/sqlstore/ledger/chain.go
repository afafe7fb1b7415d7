package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
)

// How large a page of the chain is: it has at most so many blocks, and no more records than
// one block may have beyond these. Writers wait for the deletion of one.
const (
	pageBlocks  = 256
	readRecords = 4096
	cutRecords  = audit.MaxRecords
)

const blockColumns = `number, count, first, last, sealed_at, digest, key, mac`

// Waiting returns how many records are not sealed, and when the first of them was written.
func Waiting(ctx context.Context, tx Tx) (n int64, oldest time.Time, err error) {
	var at int64
	err = tx.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MIN(at), 0) FROM audit WHERE block = 0`).Scan(&n, &at)
	if n > 0 {
		oldest = time.UnixMilli(at).UTC()
	}
	return n, oldest, err
}

// ToSeal reports whether there is a record that is not sealed.
func ToSeal(ctx context.Context, tx Tx) (there bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM audit WHERE block = 0)`).Scan(&there)
	return there, err
}

// ToCut reports whether there is a block.
func ToCut(ctx context.Context, tx Tx) (there bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM audit_blocks)`).Scan(&there)
	return there, err
}

// Keys returns the sealed keys, by number.
func Keys(ctx context.Context, tx Tx) (keys []audit.StoredKey, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT number, id, sealed, created_at FROM audit_keys ORDER BY number`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k audit.StoredKey
		var created int64
		if err := rows.Scan(&k.Number, &k.ID, &k.Sealed, &created); err != nil {
			return nil, err
		}
		k.CreatedAt = time.UnixMilli(created).UTC()
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// AddKey adds a key. It returns issuer.ErrConflict if there is one of its number.
func AddKey(ctx context.Context, tx Tx, k audit.StoredKey) error {
	r, err := tx.ExecContext(ctx, `
		INSERT INTO audit_keys (number, id, sealed, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (number) DO NOTHING`,
		k.Number, k.ID, k.Sealed, k.CreatedAt.UnixMilli())
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); n > 0 || err != nil {
		return err
	}
	return issuer.ErrConflict
}

// CheckKey returns issuer.ErrConflict if newest is not the newest key.
func CheckKey(ctx context.Context, tx Tx, newest string) error {
	var id string
	err := tx.QueryRowContext(ctx, `SELECT COALESCE((SELECT id FROM audit_keys ORDER BY number DESC LIMIT 1), '')`).Scan(&id)
	if err == nil && id != newest {
		return issuer.ErrConflict
	}
	return err
}

// Seal seals the first of the records that wait, and returns how many.
func Seal(ctx context.Context, tx Tx, now time.Time, seal func(audit.Head, []audit.Record, time.Time) audit.Block) (int, error) {
	last, err := lastHead(ctx, tx)
	if err != nil {
		return 0, err
	}
	// One statement, so that it marks the rows that it returns: another sees what commits in between.
	list, err := records(ctx, tx, `
		UPDATE audit SET block = $1 WHERE seq IN (SELECT seq FROM audit WHERE block = 0 ORDER BY seq LIMIT $2)
		RETURNING `+recordColumns, last.Number+1, audit.MaxRecords)
	if len(list) == 0 || err != nil {
		return 0, err
	}
	slices.SortFunc(list, func(a, b audit.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	b := seal(last, list, now)
	_, err = tx.ExecContext(ctx, `INSERT INTO audit_blocks (`+blockColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		b.Number, b.Count, b.First, b.Last, b.SealedAt.UnixMilli(), b.Digest[:], b.Key, b.MAC[:])
	return len(list), err
}

// Cut deletes the first blocks, as many as prune says, and returns how many records went.
func Cut(ctx context.Context, tx Tx, now time.Time, prune func(audit.Page, time.Time) (int, audit.Anchor, error)) (n int, err error) {
	page, err := chain(ctx, tx, 0, cutRecords)
	if err != nil {
		return 0, err
	}
	blocks, anchor, err := prune(page, now)
	if blocks == 0 || err != nil {
		return 0, err
	}
	for _, b := range page.Blocks[:blocks] {
		n += int(b.Count)
	}
	return n, cutFront(ctx, tx, anchor)
}

// Chain returns the next blocks after one, and their records.
func Chain(ctx context.Context, tx Tx, after int64) (audit.Page, error) {
	return chain(ctx, tx, after, readRecords)
}

func chain(ctx context.Context, tx Tx, after, most int64) (page audit.Page, err error) {
	if page.Anchor, err = anchor(ctx, tx); err != nil {
		return page, err
	}
	if page.Keys, err = Keys(ctx, tx); err != nil {
		return page, err
	}
	if page.Last, err = lastHead(ctx, tx); err != nil {
		return page, err
	}
	err = tx.QueryRowContext(ctx, `
		SELECT COALESCE((SELECT MIN(block) FROM audit WHERE block < 0), (SELECT MIN(block) FROM audit WHERE block > 0), 0)`).Scan(&page.Least)
	if err != nil {
		return page, err
	}
	list, err := blocks(ctx, tx, `WHERE number > $1 ORDER BY number LIMIT $2`, after, pageBlocks+1)
	if err != nil {
		return page, err
	}
	size, end := int64(0), int64(math.MaxInt64)
	for i, b := range list {
		count := min(max(b.Count, 0), audit.MaxRecords) // which somebody may have changed
		if i == pageBlocks || i > 0 && size+count > most {
			end = list[i-1].Number
			break
		}
		page.Blocks, size = list[:i+1], size+count
	}
	page.Records, err = records(ctx, tx,
		`SELECT `+recordColumns+` FROM audit WHERE block > $1 AND block <= $2 ORDER BY block, seq LIMIT $3`, after, end, size+1)
	return page, err
}

// cutFront deletes the blocks that the anchor stands for, and the keys before that of the
// first one that is left.
func cutFront(ctx context.Context, tx Tx, a audit.Anchor) error {
	for _, statement := range []string{
		`DELETE FROM audit WHERE block > 0 AND block <= $1`,
		`DELETE FROM audit_blocks WHERE number <= $1`,
	} {
		if _, err := tx.ExecContext(ctx, statement, a.Number); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO audit_anchor (one, number, mac, made_at, key, proof) VALUES (1, $1, $2, $3, $4, $5)
		ON CONFLICT (one) DO UPDATE SET number = excluded.number, mac = excluded.mac, made_at = excluded.made_at,
			key = excluded.key, proof = excluded.proof`,
		a.Number, a.MAC[:], a.MadeAt.UnixMilli(), a.Key, a.Proof[:])
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM audit_keys WHERE number < (
			SELECT number FROM audit_keys WHERE id = COALESCE((SELECT key FROM audit_blocks ORDER BY number LIMIT 1), $1))`, a.Key)
	return err
}

// lastHead is the last block, or what the anchor stands for.
func lastHead(ctx context.Context, tx Tx) (audit.Head, error) {
	list, err := blocks(ctx, tx, `ORDER BY number DESC LIMIT 1`)
	if err != nil {
		return audit.Head{}, err
	}
	a, err := anchor(ctx, tx)
	if err != nil || len(list) == 0 || list[0].Number < a.Number {
		return a.Head, err
	}
	return list[0].Head, nil
}

func anchor(ctx context.Context, tx Tx) (a audit.Anchor, err error) {
	var mac, proof []byte
	var at int64
	err = tx.QueryRowContext(ctx, `SELECT number, mac, made_at, key, proof FROM audit_anchor WHERE one = 1`).
		Scan(&a.Number, &mac, &at, &a.Key, &proof)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Anchor{}, nil
	}
	a.MadeAt = time.UnixMilli(at).UTC()
	a.MAC, a.Proof = sum(mac), sum(proof)
	return a, err
}

func blocks(ctx context.Context, tx Tx, where string, args ...any) (list []audit.Block, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT `+blockColumns+` FROM audit_blocks `+where, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b audit.Block
		var at int64
		var digest, mac []byte
		if err := rows.Scan(&b.Number, &b.Count, &b.First, &b.Last, &at, &digest, &b.Key, &mac); err != nil {
			return nil, err
		}
		b.SealedAt = time.UnixMilli(at).UTC()
		b.Digest, b.MAC = sum(digest), sum(mac)
		list = append(list, b)
	}
	return list, rows.Err()
}

// sum is the zero sum, which is that of nothing, for what somebody has put in the place of one.
func sum(b []byte) [32]byte {
	if len(b) != 32 {
		return [32]byte{}
	}
	return [32]byte(b)
}
