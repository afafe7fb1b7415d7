package sqlstore

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

var _ audit.Store = (*Store)(nil)

// Locker is an [Engine] on which several transactions write at once. TryLock takes a lock that
// one transaction of all nodes has until it ends, and reports false, at once, if another has it.
type Locker interface {
	TryLock(ctx context.Context, tx Tx) (bool, error)
}

// How large a page of the chain is: it has at most so many blocks, and no more records than
// one block may have beyond these. Writers wait for the deletion of one.
const (
	pageBlocks  = 256
	readRecords = 4096
	cutRecords  = audit.MaxRecords
)

const blockColumns = `number, count, first, last, sealed_at, digest, key, mac`

// AuditWaiting returns how many records are not sealed, and when the first of them was written.
func (s *Store) AuditWaiting(ctx context.Context) (n int64, oldest time.Time, err error) {
	err = s.read(ctx, "count records to seal", func(ctx context.Context, tx Tx, _ time.Time) error {
		var at int64
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MIN(at), 0) FROM audit WHERE block = 0`).Scan(&n, &at)
		oldest = moment(at)
		return err
	})
	return n, oldest, err
}

// AuditKeys returns the sealed keys, by number.
func (s *Store) AuditKeys(ctx context.Context) (keys []audit.StoredKey, err error) {
	err = s.read(ctx, "read audit keys", func(ctx context.Context, tx Tx, _ time.Time) (err error) {
		rows, err := tx.QueryContext(ctx, `SELECT number, id, sealed, created_at FROM audit_keys ORDER BY number`)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		keys = nil
		for rows.Next() {
			var k audit.StoredKey
			var created int64
			if err := rows.Scan(&k.Number, &k.ID, &k.Sealed, &created); err != nil {
				return err
			}
			k.CreatedAt = moment(created)
			keys = append(keys, k)
		}
		return rows.Err()
	})
	return keys, err
}

// AddAuditKey adds a key and the event.
func (s *Store) AddAuditKey(ctx context.Context, k audit.StoredKey, ev issuer.Event) error {
	if err := checkText(k.ID); err != nil {
		return err
	}
	return s.write(ctx, "add audit key", func(ctx context.Context, tx Tx, now time.Time) error {
		added, err := changedOne(tx.ExecContext(ctx, `
			INSERT INTO audit_keys (number, id, sealed, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (number) DO NOTHING`,
			k.Number, k.ID, k.Sealed, millis(k.CreatedAt)))
		if err != nil {
			return err
		}
		if !added {
			return issuer.ErrConflict
		}
		return record(ctx, tx, now, about(ev, k.ID, ""))
	})
}

// SealAudit seals the first of the records that wait, unless another process is about to.
func (s *Store) SealAudit(ctx context.Context, newest string, seal func(audit.Head, []audit.Record, time.Time) audit.Block) (n int, err error) {
	if waiting, err := s.anyRow(ctx, `SELECT EXISTS (SELECT 1 FROM audit WHERE block = 0)`); !waiting || err != nil {
		return 0, err
	}
	err = s.writeRecord(ctx, "seal the audit record", newest, func(ctx context.Context, tx Tx, now time.Time) error {
		last, err := lastHead(ctx, tx)
		if err != nil {
			return err
		}
		// One statement, so that it marks the rows that it returns: another sees what commits in between.
		records, err := scanRecords(ctx, tx, `
			UPDATE audit SET block = $1 WHERE seq IN (SELECT seq FROM audit WHERE block = 0 ORDER BY seq LIMIT $2)
			RETURNING `+recordColumns, last.Number+1, audit.MaxRecords)
		if n = len(records); n == 0 || err != nil {
			return err
		}
		slices.SortFunc(records, func(a, b audit.Record) int { return cmp.Compare(a.Seq, b.Seq) })
		b := seal(last, records, truncate(now))
		_, err = tx.ExecContext(ctx, `
			INSERT INTO audit_blocks (`+blockColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			b.Number, b.Count, b.First, b.Last, millis(b.SealedAt), b.Digest[:], b.Key, b.MAC[:])
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// PruneAudit deletes the first blocks, as many as prune says.
func (s *Store) PruneAudit(ctx context.Context, newest string, prune func(audit.Page, time.Time) (int, audit.Anchor, error)) (n int, err error) {
	if there, err := s.anyRow(ctx, `SELECT EXISTS (SELECT 1 FROM audit_blocks)`); !there || err != nil {
		return 0, err
	}
	err = s.writeRecord(ctx, "prune the audit record", newest, func(ctx context.Context, tx Tx, now time.Time) error {
		n = 0
		page, err := auditPage(ctx, tx, 0, cutRecords)
		if err != nil {
			return err
		}
		blocks, anchor, err := prune(page, truncate(now))
		if blocks == 0 || err != nil {
			return err
		}
		for _, b := range page.Blocks[:blocks] {
			n += int(b.Count)
		}
		return cutFront(ctx, tx, anchor)
	})
	if err == nil && n > 0 {
		err = s.rest(ctx)
	}
	return n, err
}

// AuditChain returns the next blocks after one, and their records.
func (s *Store) AuditChain(ctx context.Context, after int64) (page audit.Page, err error) {
	err = s.read(ctx, "read the audit record", func(ctx context.Context, tx Tx, _ time.Time) (err error) {
		page, err = auditPage(ctx, tx, after, readRecords)
		return err
	})
	return page, err
}

// writeRecord runs f, while no other process runs one, if newest still is the newest key.
func (s *Store) writeRecord(ctx context.Context, what, newest string, f func(context.Context, Tx, time.Time) error) error {
	return s.write(ctx, what, func(ctx context.Context, tx Tx, now time.Time) error {
		if l, ok := s.engine.(Locker); ok {
			if free, err := l.TryLock(ctx, tx); !free || err != nil {
				return err
			}
		}
		var id string
		err := tx.QueryRowContext(ctx, `SELECT COALESCE((SELECT id FROM audit_keys ORDER BY number DESC LIMIT 1), '')`).Scan(&id)
		if err == nil && id != newest {
			err = issuer.ErrConflict
		}
		if err != nil {
			return err
		}
		return f(ctx, tx, now)
	})
}

func (s *Store) anyRow(ctx context.Context, query string) (there bool, err error) {
	err = s.read(ctx, "look at the audit record", func(ctx context.Context, tx Tx, _ time.Time) error {
		return tx.QueryRowContext(ctx, query).Scan(&there)
	})
	return there, err
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
		a.Number, a.MAC[:], millis(a.MadeAt), a.Key, a.Proof[:])
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM audit_keys WHERE number < (
			SELECT number FROM audit_keys WHERE id = COALESCE((SELECT key FROM audit_blocks ORDER BY number LIMIT 1), $1))`, a.Key)
	return err
}

func auditPage(ctx context.Context, tx Tx, after, most int64) (page audit.Page, err error) {
	if page.Anchor, err = anchor(ctx, tx); err != nil {
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
	records, end := int64(0), int64(math.MaxInt64)
	for i, b := range list {
		count := min(max(b.Count, 0), audit.MaxRecords) // which somebody may have changed
		if i == pageBlocks || i > 0 && records+count > most {
			end = list[i-1].Number
			break
		}
		page.Blocks, records = list[:i+1], records+count
	}
	page.Records, err = scanRecords(ctx, tx,
		`SELECT `+recordColumns+` FROM audit WHERE block > $1 AND block <= $2 ORDER BY block, seq LIMIT $3`, after, end, records+1)
	return page, err
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
