package sqlstore

import (
	"context"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// maxSurplus is how many sessions one login ends at most. Only where a limit is new there are more.
const maxSurplus = 256

// LimitSessions limits how many live sessions each subject has at once; 0 means any number. A login
// that is one too many ends the session that was used longest ago, in its transaction. LimitSessions
// must be called before s is used.
func LimitSessions(s *Store, most int) { s.maxSessions = most }

// endSurplus ends what a subject has beyond the limit, the session excepted that was just made, and
// returns how many those were. The caller holds the subject's row, so that of many logins at once
// each sees those before.
func (s *Store) endSurplus(ctx context.Context, tx Tx, now time.Time, made issuer.Session, ev issuer.Event) (int, error) {
	if s.maxSessions < 1 {
		return 0, nil
	}
	surplus, err := ScanTexts(ctx, tx, `
		SELECT id FROM sessions WHERE subject = $1 AND id <> $2 AND ended_at = 0 AND idle_end > $3 AND absolute_end > $3
			AND NOT EXISTS (SELECT 1 FROM revocations AS c WHERE `+covering+`)
		ORDER BY last_used_at DESC, id DESC LIMIT $4 OFFSET $5`,
		made.Subject, made.ID, Millis(now), maxSurplus, s.maxSessions-1)
	if err != nil {
		return 0, err
	}
	for _, id := range surplus {
		ended, err := ChangedOne(tx.ExecContext(ctx, `UPDATE sessions SET ended_at = $2, end_reason = $3, rev = rev + 1 WHERE id = $1 AND `+notOver,
			id, Millis(now), issuer.ReasonLimit))
		if err != nil {
			return 0, err
		}
		if !ended {
			continue // Somebody else has ended it meanwhile, and said so.
		}
		if _, _, err := CutOff(ctx, tx, now, doorward.KindSession, id, ""); err != nil {
			return 0, err
		}
		ev.Kind, ev.Session, ev.Reason = issuer.EventSessionEnd, id, issuer.ReasonLimit
		if err := Record(ctx, tx, now, About(ev, made.Subject, "")); err != nil {
			return 0, err
		}
	}
	return len(surplus), nil
}
