package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/issuer"
)

// Plans of statements on sessions.
const (
	byHandle      = "SEARCH sessions USING INDEX sessions_handle (handle=?)"
	byID          = "SEARCH sessions USING INDEX sqlite_autoindex_sessions_1 (id=?)"
	newest        = "SEARCH sessions USING COVERING INDEX sqlite_autoindex_sessions_1" // the greatest ID
	byRange       = "SEARCH sessions USING INDEX sqlite_autoindex_sessions_1 (id>? AND id<?)"
	bySubject     = "SEARCH sessions USING INDEX sessions_subject (subject=?)"
	liveBySubject = "SEARCH sessions USING INDEX sessions_live (subject=?)"
	allByID       = "SCAN sessions USING INDEX sqlite_autoindex_sessions_1"
	clientsLast   = "SEARCH sessions USING COVERING INDEX sessions_client (client_id=?)"
)

// Statements on sessions find their rows through an index, in the order that is asked for. Among a
// million, any other plan takes a second and more.
func TestSessionPlans(t *testing.T) {
	t.Parallel()
	s, e := open(t), &explainer{}
	s.OnStatement(e.explain)
	sqlstore.LimitSessions(s.Store, 1)
	session, err := s.CreateSession(t.Context(), newSession("u_1"), event)
	must(t, err)
	list := func(q issuer.SessionQuery) func() error {
		return func() error {
			_, err := s.Sessions(t.Context(), q)
			return err
		}
	}
	for _, c := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"login with a limit of sessions", func() error { // sorts the sessions of one subject
			_, err := s.CreateSession(t.Context(), newSession("u_2"), event)
			return err
		}, []string{liveBySubject, "USE TEMP B-TREE FOR ORDER BY"}},
		{"read by handle", func() error {
			_, _, err := s.SessionByHandle(t.Context(), session.Handle)
			return err
		}, []string{byHandle}},
		{"refresh", func() error {
			_, _, err := s.SwapSession(t.Context(), session.ID, session.Rev, issuer.Change{Used: true}, event)
			return err
		}, []string{byID}},
		{"end by refresh", func() error {
			_, _, err := s.SwapSession(t.Context(), session.ID, session.Rev+1, issuer.Change{End: "x"}, event)
			return err
		}, []string{byID, byID, bySubject}},
		{"logout", func() error {
			_, err := s.EndSession(t.Context(), session.ID, "x", event)
			return err
		}, []string{byID, byID, bySubject}},
		{"logout everywhere", func() error {
			_, err := s.EndSubject(t.Context(), "u_1", "x", event)
			return err
		}, []string{"SEARCH sessions USING COVERING INDEX sessions_live (subject=?)", byID, bySubject}},
		{"end of a client", func() error {
			_, err := s.EndClient(t.Context(), "dwc_1", event)
			return err
		}, []string{newest, byID, bySubject, clientsLast}},
		{"end of the first party", func() error { // reads all as they lie
			_, err := s.EndClient(t.Context(), issuer.FirstPartyClient, event)
			return err
		}, []string{newest, byID, bySubject, "SEARCH sessions"}},
		{"end of all", func() error {
			refresh := issuer.StoredKey{ID: "dwk", Purpose: "refresh"}
			return errors.Join(s.SwapKeys(t.Context(), 0, []issuer.StoredKey{refresh}, nil, event),
				s.SwapKeys(t.Context(), 1, nil, []string{refresh.ID}, event))
		}, []string{newest}},
		{"list", list(issuer.SessionQuery{}), []string{allByID}},
		{"list on", list(issuer.SessionQuery{Before: "x"}), []string{"SEARCH sessions USING INDEX sqlite_autoindex_sessions_1 (id<?)"}},
		{"list one", list(issuer.SessionQuery{ID: "x"}), []string{byID}},
		{"list of a subject", list(issuer.SessionQuery{Subject: "u_1"}), []string{bySubject}},
		{"list of a subject on", list(issuer.SessionQuery{Subject: "u_1", Before: "x"}), []string{"SEARCH sessions USING INDEX sessions_subject (subject=? AND id<?)"}},
		{"list of the live", list(issuer.SessionQuery{Live: true}), []string{allByID}},
		{"list of a subject's live", list(issuer.SessionQuery{Subject: "u_1", Live: true}), []string{liveBySubject}},
		{"list of a subject's live on", list(issuer.SessionQuery{Subject: "u_1", Live: true, Before: "x"}), []string{"SEARCH sessions USING INDEX sessions_live (subject=? AND id<?)"}},
		{"clean-up", func() error {
			s.SetClock(func() time.Time { return time.Now().Add(100 * 24 * time.Hour) })
			_, err := s.Prune(t.Context())
			return err
		}, []string{byRange, byRange, byRange}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e.steps = nil
			must(t, c.do(), e.err)
			if !slices.Equal(e.steps, c.want) {
				t.Errorf("plans\n  %s\nwant\n  %s", strings.Join(e.steps, "\n  "), strings.Join(c.want, "\n  "))
			}
		})
	}
}

// A refresh writes its row alone: entries of indexes would be pages of the log, all over the file.
func TestRefreshWritesNoIndex(t *testing.T) {
	t.Parallel()
	s, e := open(t), &explainer{}
	session, err := s.CreateSession(t.Context(), newSession("u_1"), event)
	must(t, err)
	s.OnStatement(e.explain)
	_, _, err = s.SwapSession(t.Context(), session.ID, session.Rev, issuer.Change{Used: true}, event)
	if must(t, err, e.err); e.written != 0 {
		t.Errorf("a refresh may write %d entries", e.written)
	}
	_, err = s.EndSession(t.Context(), session.ID, "x", event)
	if must(t, err, e.err); e.written < 2 {
		t.Error("a logout writes to no index besides: the test does not see them")
	}
}

// explainer asks SQLite about each statement on sessions.
type explainer struct {
	steps   []string // what is done to sessions, and where something is sorted
	written int      // instructions to write to an index
	err     error
}

func (e *explainer) explain(ctx context.Context, tx sqlstore.Tx, query string, args []any) {
	if !strings.Contains(query, "sessions") {
		return
	}
	steps, err := explained(ctx, tx, `EXPLAIN QUERY PLAN `+query, args, 3)
	for _, step := range steps {
		if strings.Contains(step, " sessions") || strings.Contains(step, "B-TREE") {
			e.steps = append(e.steps, step)
		}
	}
	codes, failed := explained(ctx, tx, `EXPLAIN `+query, args, 1)
	for _, code := range codes {
		if code == "IdxInsert" || code == "IdxDelete" {
			e.written++
		}
	}
	e.err = errors.Join(e.err, err, failed)
}

// explained returns a column of an explanation.
func explained(ctx context.Context, tx sqlstore.Tx, query string, args []any, column int) (list []string, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	row, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range row {
		into[i] = &row[i]
	}
	for err == nil && rows.Next() {
		err = rows.Scan(into...)
		list = append(list, fmt.Sprint(row[column]))
	}
	return list, errors.Join(err, rows.Err())
}
