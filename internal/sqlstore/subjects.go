package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/sid"
	"github.com/doorward/doorward/issuer"
)

// Epoch returns how often all sessions of the subject were ended.
func (s *Store) Epoch(ctx context.Context, subject string) (int64, error) {
	if err := CheckText(subject); err != nil {
		return 0, err
	}
	var epoch int64
	err := s.read(ctx, "read epoch", func(ctx context.Context, tx Tx, _ time.Time) error {
		err := tx.QueryRowContext(ctx, `SELECT epoch FROM subjects WHERE subject = $1`, subject).Scan(&epoch)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return epoch, err
}

// EndSubject ends every session of the subject, live or in the making.
func (s *Store) EndSubject(ctx context.Context, subject, reason string, ev issuer.Event) (doorward.Revocation, error) {
	var cut doorward.Revocation
	if err := CheckText(subject, reason); err != nil {
		return cut, err
	}
	err := s.writeNews(ctx, "end subject", func(ctx context.Context, tx Tx, now time.Time) (err error) {
		if cut, err = EndSubject(ctx, tx, now, subject, reason); err != nil {
			return err
		}
		return Record(ctx, tx, now, About(ev, subject, ""))
	})
	return cut, err
}

// EndSubject is EndSubject as a part of a transaction.
func EndSubject(ctx context.Context, tx Tx, now time.Time, subject, reason string) (doorward.Revocation, error) {
	none := doorward.Revocation{}
	_, before, err := lockSubject(ctx, tx, now, subject)
	if err != nil {
		return none, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE subjects SET epoch = epoch + 1, last_id = $2 WHERE subject = $1`, subject, before)
	if err != nil {
		return none, err
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE sessions SET ended_at = $2, end_reason = $3, rev = rev + 1
		WHERE subject = $1 AND `+notOver, subject, Millis(now), reason)
	if err != nil {
		return none, err
	}
	cut, _, err := CutOff(ctx, tx, now, doorward.KindSubject, subject, before)
	return cut, err
}

// lockSubject holds the subject's row until the transaction ends, makes it if
// there is none, and returns its epoch and the next ID: greater than every
// session ID and cut-off of the subject and than every cut-off for many subjects.
func lockSubject(ctx context.Context, tx Tx, now time.Time, subject string) (epoch int64, next string, err error) {
	var last, cut string
	err = tx.QueryRowContext(ctx, `
		INSERT INTO subjects (subject, epoch, last_id) VALUES ($1, 0, '')
		ON CONFLICT (subject) DO UPDATE SET epoch = subjects.epoch
		RETURNING epoch, last_id`, subject).Scan(&epoch, &last)
	if err != nil {
		return 0, "", err
	}
	err = tx.QueryRowContext(ctx, `
		SELECT COALESCE(MAX(before), '') FROM revocations WHERE kind IN ('client', 'all')`).Scan(&cut)
	if err != nil {
		return 0, "", err
	}
	next, err = sid.Next(now, last, cut)
	return epoch, next, err
}
