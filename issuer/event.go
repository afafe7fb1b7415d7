package issuer

import (
	"context"
	"log/slog"
)

// Event says who changed what and why. The store writes it to the audit record
// in the transaction that makes the change. It never holds a secret.
type Event struct {
	Kind      EventKind
	Actor     string // a subject, client id, or "cli:" and a user of this machine
	Address   string // of the caller, without the port
	RequestID string
	Subject   string
	Session   string
	Reason    string
}

// EventKind is one word for what happened.
type EventKind string

// The kinds of Event that this package makes.
const (
	EventLogin        EventKind = "login"
	EventRefresh      EventKind = "refresh"
	EventRefreshReuse EventKind = "refresh_reuse"
	// EventPredecessorUsed is a predecessor that came late and was forgiven: an answer
	// was lost, or a second party holds the session.
	EventPredecessorUsed EventKind = "refresh_predecessor_used"
	EventStoreRollback   EventKind = "store_rollback"
	EventLogout          EventKind = "logout"
	EventSessionEnd      EventKind = "session_end"
	EventSubjectEnd      EventKind = "subject_end"
	EventGrant           EventKind = "token_grant" // a token that no session stands behind
	EventClientEnd       EventKind = "client_end"  // of all tokens of a client
	// EventSessionLapsed is logged, and not recorded: a session has reached its idle or
	// absolute end, and somebody wanted to refresh it.
	EventSessionLapsed EventKind = "session_lapsed"
	EventKeyRotate     EventKind = "key_rotate"
	EventKeyRevoke     EventKind = "key_revoke"
)

// report logs a security event.
func (i *Issuer) report(ctx context.Context, level slog.Level, text string, ev Event) {
	i.cfg.Logger.LogAttrs(ctx, level, text,
		slog.String("event", string(ev.Kind)), slog.String("reason", ev.Reason), slog.String("sub", ev.Subject), slog.String("sid", ev.Session),
		slog.String("actor", ev.Actor), slog.String("remote", ev.Address), slog.String("request_id", ev.RequestID))
}
