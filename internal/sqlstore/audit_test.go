package sqlstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

// Each method that changes something puts one event on record, which says whom it was
// about; what failed or changed nothing puts none.
func TestAudit(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	n := issuer.NewSession{Subject: "u_1", Idle: time.Hour, Absolute: time.Hour}
	session, err := f.CreateSession(ctx, n, event)
	f.OK(err)
	record := func(subject, session string) issuer.Event {
		ev := event
		ev.Subject, ev.Session = subject, session
		return ev
	}
	user := account.UserRow{ID: "u_1", Canonical: "ann"}
	steps := []struct {
		name string
		do   func() error
		want []issuer.Event
	}{
		{"create", func() error { return nil }, []issuer.Event{record("u_1", session.ID)}},
		{"create fails", func() error {
			n.Epoch = 5
			_, err := f.CreateSession(ctx, n, event)
			return expect(err, issuer.ErrEpoch)
		}, nil},
		{"swap", func() error {
			_, _, err := f.SwapSession(ctx, session.ID, 0, issuer.Change{}, event)
			return err
		}, []issuer.Event{record("u_1", session.ID)}},
		{"swap fails", func() error {
			_, _, err := f.SwapSession(ctx, session.ID, 0, issuer.Change{}, event)
			return expect(err, issuer.ErrConflict)
		}, nil},
		{
			"end", func() error { _, err := f.EndSession(ctx, session.ID, "x", event); return err },
			[]issuer.Event{record("u_1", session.ID)},
		},
		{"end again", func() error { _, err := f.EndSession(ctx, session.ID, "x", event); return err }, nil},
		{
			"end without a row", func() error { _, err := f.EndSession(ctx, "s_1", "x", event); return err },
			[]issuer.Event{record("", "s_1")},
		},
		{
			"end subject", func() error { _, err := f.EndSubject(ctx, "u_1", "x", event); return err },
			[]issuer.Event{record("u_1", "")},
		},
		{"keys", func() error { return f.SwapKeys(ctx, 0, nil, nil, event) }, []issuer.Event{event}},
		{"user", func() error { _, err := f.CreateUser(ctx, user, event); return err }, []issuer.Event{record("u_1", "")}},
		{"user fails", func() error {
			_, err := f.CreateUser(ctx, user, event)
			return expect(err, account.ErrNameTaken)
		}, nil},
		{
			"password", func() error { _, err := f.SetPassword(ctx, "u_1", account.NewPassword{Hash: "h"}, event); return err },
			[]issuer.Event{record("u_1", "")},
		},
		{"hash", func() error { return f.ReplaceHash(ctx, "u_1", "h", "i", event) }, []issuer.Event{record("u_1", "")}},
		{"hash fails", func() error { return expect(f.ReplaceHash(ctx, "u_1", "h", "i", event), account.ErrConflict) }, nil},
		{"disable", func() error { _, err := f.SetDisabled(ctx, "u_1", true, event); return err }, []issuer.Event{record("u_1", "")}},
		{"enable", func() error { _, err := f.SetDisabled(ctx, "u_1", false, event); return err }, []issuer.Event{record("u_1", "")}},
		{"delete", func() error { _, err := f.DeleteUser(ctx, "u_1", event); return err }, []issuer.Event{record("u_1", "")}},
		{"record", func() error { return f.Record(ctx, record("u_2", "s_2")) }, []issuer.Event{record("u_2", "s_2")}},
		{"bad text", func() error {
			ev := event
			ev.Reason = "a\x00b\xff"
			return f.Record(ctx, ev)
		}, []issuer.Event{{Kind: "test", Actor: "cli:root", Address: "192.0.2.1", RequestID: "r1", Reason: "a\uFFFDb\uFFFD"}}},
	}
	seen := 0
	for _, step := range steps {
		f.OK(step.do())
		events := f.Audit()
		f.Same(step.name, append([]issuer.Event(nil), events[seen:]...), step.want)
		seen = len(events)
	}
}

// expect turns the error that a step wants into success.
func expect(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return errors.Join(fmt.Errorf("another error than %w", want), err)
}
