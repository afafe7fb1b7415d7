package accounts

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

// waitMost is more than a transaction waits for a row: one that has read the clock earlier
// than another may come to the row after it.
const waitMost = 10 * time.Second

// Reserve counts one try of key. A window that would end clearly later than one that
// begins now was opened by a clock that has gone back since; it counts as over.
func (s *Store) Reserve(ctx context.Context, key [32]byte, limit int, window time.Duration, ev issuer.Event) (ends time.Time, wait time.Duration, err error) {
	if limit < 1 || window <= 0 {
		return ends, 0, errors.New("reserve try: limit and window must be positive")
	}
	err = s.write(ctx, "reserve try", func(ctx context.Context, tx sqlstore.Tx, now time.Time) error {
		wait = 0
		var until int64
		err := tx.QueryRowContext(ctx, `
			INSERT INTO tries (key, count, ends_at) VALUES ($1, 1, $3)
			ON CONFLICT (key) DO UPDATE SET
				count = CASE WHEN tries.ends_at <= $2 OR tries.ends_at > $5 THEN 1 ELSE tries.count + 1 END,
				refused = CASE WHEN tries.ends_at <= $2 OR tries.ends_at > $5 THEN excluded.refused ELSE tries.refused END,
				ends_at = CASE WHEN tries.ends_at <= $2 OR tries.ends_at > $5 THEN excluded.ends_at ELSE tries.ends_at END
			WHERE tries.count < $4 OR tries.ends_at <= $2 OR tries.ends_at > $5
			RETURNING ends_at`, key[:], sqlstore.Millis(now), sqlstore.Millis(now)+sqlstore.InMillis(window), limit,
			sqlstore.Millis(now)+sqlstore.InMillis(window+waitMost)).Scan(&until)
		ends = sqlstore.Moment(until)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		wait, err = refuse(ctx, tx, now, key, ev)
		return err
	})
	return ends, wait, err
}

// Release gives back one try of a window. The last one takes its row along, so that a
// flood of tries that nobody looked at leaves nothing behind.
func (s *Store) Release(ctx context.Context, key [32]byte, ends time.Time) error {
	return s.write(ctx, "release try", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		gone, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `DELETE FROM tries WHERE key = $1 AND ends_at = $2 AND count <= 1`, key[:], sqlstore.Millis(ends)))
		if err != nil || gone {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE tries SET count = count - 1 WHERE key = $1 AND ends_at = $2`, key[:], sqlstore.Millis(ends))
		return err
	})
}

// Clear forgets the tries of key.
func (s *Store) Clear(ctx context.Context, key [32]byte) error {
	return s.write(ctx, "clear tries", func(ctx context.Context, tx sqlstore.Tx, _ time.Time) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM tries WHERE key = $1`, key[:])
		return err
	})
}

// Record writes ev to the audit record.
func (s *Store) Record(ctx context.Context, ev issuer.Event) error {
	return sqlstore.LedgerIn(s.sessions).Record(ctx, ev)
}

// refuse returns how long a refused try has to wait. The first refusal of a
// window goes on record.
func refuse(ctx context.Context, tx sqlstore.Tx, now time.Time, key [32]byte, ev issuer.Event) (time.Duration, error) {
	var ends int64
	err := tx.QueryRowContext(ctx, `SELECT ends_at FROM tries WHERE key = $1`, key[:]).Scan(&ends)
	if err != nil {
		return 0, err
	}
	first, err := sqlstore.ChangedOne(tx.ExecContext(ctx, `UPDATE tries SET refused = 1 WHERE key = $1 AND refused = 0`, key[:]))
	if err != nil {
		return 0, err
	}
	if first {
		err = sqlstore.Record(ctx, tx, now, ev)
	}
	return time.Duration(ends-sqlstore.Millis(now)) * time.Millisecond, err
}
