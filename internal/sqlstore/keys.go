package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/sid"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// KeyRing returns all keys, by ID, and the revision that SwapKeys wants.
func (s *Store) KeyRing(ctx context.Context) (issuer.KeyRing, error) {
	var ring issuer.KeyRing
	err := s.readFirst(ctx, "read keys", func(ctx context.Context, tx Tx, _ time.Time) (err error) {
		if err := tx.QueryRowContext(ctx, `SELECT rev FROM ring`).Scan(&ring.Rev); err != nil {
			return err
		}
		ring.Keys, err = storedKeys(ctx, tx)
		return err
	})
	return OrNone(ring, err)
}

// SwapKeys replaces the ring if its revision is still rev.
func (s *Store) SwapKeys(ctx context.Context, rev int64, keys []issuer.StoredKey, revoked []string, ev issuer.Event) error {
	for _, k := range keys {
		if err := CheckText(k.ID, k.Purpose, string(k.Algorithm)); err != nil {
			return err
		}
	}
	if err := CheckText(revoked...); err != nil {
		return err
	}
	// Alone, since the revocation of a refresh key ends every session, also those in the
	// making, and since a cut-off lives as long as the longest token of the keys.
	return s.writeAlone(ctx, "swap keys", func(ctx context.Context, tx Tx, now time.Time) error {
		swapped, err := ChangedOne(tx.ExecContext(ctx, `UPDATE ring SET rev = rev + 1 WHERE rev = $1`, rev))
		if err != nil {
			return err
		}
		if !swapped {
			return issuer.ErrConflict
		}
		if err := revokeKeys(ctx, tx, now, revoked); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM keys`); err != nil {
			return err
		}
		for _, k := range keys {
			if err := insertKey(ctx, tx, k); err != nil {
				return err
			}
		}
		return Record(ctx, tx, now, ev)
	})
}

// revokeKeys records the cut-offs of keys that are still in the ring. One of a refresh key
// ends all sessions.
func revokeKeys(ctx context.Context, tx Tx, now time.Time, ids []string) error {
	for _, id := range ids {
		if _, _, err := CutOff(ctx, tx, now, doorward.KindKey, id, ""); err != nil {
			return err
		}
		var purpose string
		err := tx.QueryRowContext(ctx, `SELECT purpose FROM keys WHERE id = $1`, id).Scan(&purpose)
		switch {
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return err
		case purpose != issuer.PurposeRefresh:
			continue
		}
		if err := endAll(ctx, tx, now); err != nil {
			return err
		}
	}
	return nil
}

// endAll ends every session so far by one cut-off, however many there are.
func endAll(ctx context.Context, tx Tx, now time.Time) error {
	var last, cut string
	err := tx.QueryRowContext(ctx, `
		SELECT COALESCE((SELECT MAX(id) FROM sessions), ''),
			COALESCE((SELECT MAX(before) FROM revocations WHERE kind IN ('client', 'all')), '')`).Scan(&last, &cut)
	if err != nil {
		return err
	}
	before, err := sid.Next(now, last, cut)
	if err != nil {
		return err
	}
	_, _, err = CutOff(ctx, tx, now, doorward.KindAll, "", before)
	return err
}

func insertKey(ctx context.Context, tx Tx, k issuer.StoredKey) error {
	sealed := k.Sealed
	if sealed == nil {
		sealed = []byte{}
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO keys (id, purpose, algorithm, sealed, created_at, use_from, keep_until, access_ttl)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		k.ID, k.Purpose, string(k.Algorithm), sealed,
		Millis(k.CreatedAt), Millis(k.UseFrom), Millis(k.KeepUntil), InMillis(k.AccessTTL))
	return err
}

func storedKeys(ctx context.Context, tx Tx) (keys []issuer.StoredKey, err error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT id, purpose, algorithm, sealed, created_at, use_from, keep_until, access_ttl
		FROM keys ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k issuer.StoredKey
		var algorithm string
		var created, from, until, ttl int64
		if err := rows.Scan(&k.ID, &k.Purpose, &algorithm, &k.Sealed, &created, &from, &until, &ttl); err != nil {
			return nil, err
		}
		k.Algorithm = jwt.Algorithm(algorithm)
		k.CreatedAt, k.UseFrom, k.KeepUntil = Moment(created), Moment(from), Moment(until)
		k.AccessTTL = time.Duration(ttl) * time.Millisecond
		keys = append(keys, k)
	}
	return keys, rows.Err()
}
