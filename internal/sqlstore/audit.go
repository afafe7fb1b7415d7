package sqlstore

import (
	"context"
	"strings"
	"time"

	"github.com/doorward/doorward/issuer"
)

// record appends an event to the audit record. Text that cannot be stored is
// repaired and not refused: who sends a bad byte does not go unrecorded. A refresh that
// went as it should is no event of the record: each session has one every few minutes.
func record(ctx context.Context, tx Tx, now time.Time, ev issuer.Event) error {
	if ev.Kind == issuer.EventRefresh {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO audit (at, kind, actor, address, request_id, subject, session, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		millis(now), storable(string(ev.Kind)), storable(ev.Actor), storable(ev.Address),
		storable(ev.RequestID), storable(ev.Subject), storable(ev.Session), storable(ev.Reason))
	return err
}

func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// about fills in whom an event is about where the caller left it open.
func about(ev issuer.Event, subject, session string) issuer.Event {
	if ev.Subject == "" {
		ev.Subject = subject
	}
	if ev.Session == "" {
		ev.Session = session
	}
	return ev
}
