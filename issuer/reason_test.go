package issuer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/issuer"
)

// witness is a store that remembers the events that were recorded.
type witness struct {
	issuer.Store

	mu     sync.Mutex // guards events
	events []issuer.Event
}

func (s *witness) SwapSession(ctx context.Context, id string, rev int64, ch issuer.Change, ev issuer.Event) (issuer.Session, time.Time, error) {
	session, at, err := s.Store.SwapSession(ctx, id, rev, ch, ev)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, ev)
	}
	return session, at, err
}

func (s *witness) recorded() []issuer.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// wantReason asks for the reason that the holder of a token and an operator read.
func (w *world) wantReason(set issuer.TokenSet, want string) {
	w.t.Helper()
	_, err := w.refresh(set.RefreshToken)
	if !errors.Is(err, issuer.ErrInvalidGrant) || issuer.RefreshReason(err) != want {
		w.t.Errorf("refresh: %v, reason %q, want %q", err, issuer.RefreshReason(err), want)
	}
	list, err := w.Sessions(w.t.Context(), issuer.SessionQuery{ID: set.SessionID})
	if err != nil || len(list) != 1 || list[0].OverFor(time.Now()) != want {
		w.t.Errorf("sessions: %+v, %v, want one that is over for %q", list, err, want)
	}
}

// Standard_S06, Standard_U17, Standard_U24: each way in which a session ends has a
// word of its own, for its holder and for an operator.
// It runs in bubbles.
func TestReasons(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, newWorld worlds) {
		var logs bytes.Buffer
		w := newWorld(t, func(c *issuer.Config) {
			c.IdleTTL, c.AbsoluteTTL = time.Hour, 90*time.Minute
			c.Logger = slog.New(slog.NewTextHandler(&logs, nil))
		})
		own := issuer.Event{Actor: "ada", Subject: "ada"}
		for _, end := range []struct {
			event         issuer.EventKind
			reason, whose string
			by            func(set issuer.TokenSet) error
		}{
			{issuer.EventLogout, issuer.ReasonLogout, "sub=ada sid=* actor=ada", func(set issuer.TokenSet) error { return w.Logout(t.Context(), set.RefreshToken, issuer.Event{}) }},
			{issuer.EventLogout, issuer.ReasonLogout, "sub=ada sid=* actor=ada", func(set issuer.TokenSet) error { return w.Logout(t.Context(), set.AccessToken, issuer.Event{}) }},
			{issuer.EventLogout, issuer.ReasonLogout, "sub=ada sid=* actor=cli:root", func(set issuer.TokenSet) error {
				return w.Logout(t.Context(), set.RefreshToken, issuer.Event{Actor: "cli:root"})
			}},
			{issuer.EventSessionEnd, issuer.ReasonLogout, "sub=ada sid=* actor=ada", func(set issuer.TokenSet) error { return w.RevokeSession(t.Context(), set.SessionID, own) }},
			{issuer.EventSessionEnd, issuer.ReasonAdmin, `sub="" sid=* actor=""`, func(set issuer.TokenSet) error { return w.RevokeSession(t.Context(), set.SessionID, issuer.Event{}) }},
			{issuer.EventSubjectEnd, issuer.ReasonEverywhere, `sub=ada sid="" actor=ada`, func(issuer.TokenSet) error { return w.RevokeSubject(t.Context(), "ada", own) }},
			{issuer.EventSubjectEnd, issuer.ReasonAdmin, `sub=ada sid="" actor=cli:root`, func(issuer.TokenSet) error {
				return w.RevokeSubject(t.Context(), "ada", issuer.Event{Actor: "cli:root"})
			}},
			{issuer.EventSubjectEnd, issuer.ReasonPassword, `sub=ada sid="" actor=ada`, func(issuer.TokenSet) error {
				return w.RevokeSubject(t.Context(), "ada", issuer.Event{Actor: "ada", Reason: issuer.ReasonPassword})
			}},
			{issuer.EventSubjectEnd, issuer.ReasonEverywhere, `sub=ada sid="" actor=ada`, func(issuer.TokenSet) error {
				return w.RevokeSubject(t.Context(), "ada", issuer.Event{Actor: "ada", Reason: "made up"})
			}},
			{issuer.EventRefreshReuse, issuer.ReasonReuse, `sub=ada sid=* actor=""`, func(set issuer.TokenSet) error {
				second := w.mustRefresh(set.RefreshToken)
				time.Sleep(time.Minute)
				w.mustRefresh(second.RefreshToken)
				_, err := w.refresh(set.RefreshToken)
				return refused(err)
			}},
			{issuer.EventStoreRollback, issuer.ReasonRollback, `sub=ada sid=* actor=""`, func(set issuer.TokenSet) error {
				_, err := w.refresh(w.ForgeRefreshToken(set.RefreshToken, 7))
				return refused(err)
			}},
			{issuer.EventKeyRevoke, issuer.ReasonKeyRemoved, `sub="" sid="" actor=""`, func(issuer.TokenSet) error {
				return w.RevokeKey(t.Context(), w.refreshKeys(t)[0], issuer.Event{})
			}},
			{issuer.EventSessionLapsed, issuer.ReasonIdle, `sub=ada sid=* actor=""`, func(issuer.TokenSet) error { time.Sleep(time.Hour); return nil }},
			{issuer.EventSessionLapsed, issuer.ReasonExpired, `sub=ada sid=* actor=""`, func(set issuer.TokenSet) error {
				time.Sleep(50 * time.Minute)
				w.mustRefresh(set.RefreshToken)
				time.Sleep(40 * time.Minute)
				return nil
			}},
		} {
			set := w.login("ada")
			if err := end.by(set); err != nil {
				t.Errorf("%s: %v", end.reason, err)
			}
			w.wantReason(set, end.reason)
			line := fmt.Sprintf("event=%s reason=%s %s ", end.event, end.reason, strings.ReplaceAll(end.whose, "*", set.SessionID))
			if !strings.Contains(logs.String(), line) || strings.Count(logs.String(), "event=") != 1 {
				t.Errorf("the log does not tell %q alone:\n%s", line, logs.String())
			}
			logs.Reset()
		}
	})
}

// refused is nil for the refusal that the caller has asked for.
func refused(err error) error {
	if errors.Is(err, issuer.ErrInvalidGrant) {
		return nil
	}
	return errors.Join(errors.New("not refused"), err)
}

// A reason that a store of one's own has made up is not passed on.
func TestUnknownReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	set := w.login("ada")
	if _, err := w.cfg.Store.EndSession(t.Context(), set.SessionID, "because", issuer.Event{}); err != nil {
		t.Fatal(err)
	}
	_, err := w.refresh(set.RefreshToken)
	if !errors.Is(err, issuer.ErrSessionEnded) || issuer.RefreshReason(err) != "session_ended" {
		t.Errorf("refresh: %v, reason %q", err, issuer.RefreshReason(err))
	}
}

// Attack_F01: a spent token that comes late is an event before it is the end, in the
// audit record and in the log, and so is the end. What changes nothing is no event.
func TestAttack_F01_SpentTokensAreRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		var seen *witness
		w := newWorld(t, func(c *issuer.Config) {
			seen = &witness{Store: c.Store}
			c.Store, c.Budget = seen, 2
			c.Logger = slog.New(slog.NewTextHandler(&logs, nil))
		})
		set := w.login("ada")
		caller := issuer.Event{Kind: "x", Subject: "eve", Session: "y", Actor: "ada", Address: "192.0.2.1", RequestID: "r1"}
		event := func(kind issuer.EventKind, reason string) issuer.Event {
			ev := caller
			ev.Kind, ev.Subject, ev.Session, ev.Reason = kind, "ada", set.SessionID, reason
			return ev
		}
		var want []issuer.Event
		first := set.RefreshToken
		second := w.ForgeRefreshToken(first, 1)
		for n, step := range []struct {
			token   string
			wait    time.Duration
			want    issuer.EventKind // "" if the session is not written
			reason  string
			log     string // "" if nothing is logged
			wantErr error
		}{
			{token: first, want: issuer.EventRefresh},
			{token: second}, // The current one, held.
			{token: first, wait: time.Minute, want: issuer.EventPredecessorUsed, reason: "1 of 2 in a row", log: "level=WARN"},
			{token: first, want: issuer.EventRefresh}, // It is given out again: now the other tab may come.
			{token: first},
			{token: first, wait: time.Minute}, // One generation counts once.
			{token: second, want: issuer.EventRefresh},
			{token: second, wait: time.Minute, want: issuer.EventRefreshReuse, reason: issuer.ReasonReuse, log: "level=WARN", wantErr: issuer.ErrReuse},
			{token: second, wantErr: issuer.ErrReuse},
		} {
			time.Sleep(step.wait)
			logs.Reset()
			if _, err := w.Refresh(t.Context(), step.token, issuer.RefreshRequest{Event: caller}); !errors.Is(err, step.wantErr) {
				t.Errorf("%d: %v, want %v", n, err, step.wantErr)
			}
			if step.want != "" {
				want = append(want, event(step.want, step.reason))
			}
			if got := seen.recorded(); !slices.Equal(got, want) {
				t.Fatalf("%d: recorded %+v, want %+v", n, got, want)
			}
			if step.log == "" {
				if logs.Len() > 0 {
					t.Errorf("%d: the log tells of what is nothing:\n%s", n, logs.String())
				}
				continue
			}
			for _, part := range []string{
				step.log, "event=" + string(step.want), step.reason, "sub=ada", "sid=" + set.SessionID, "actor=ada", "remote=192.0.2.1", "request_id=r1",
			} {
				if !strings.Contains(logs.String(), part) {
					t.Errorf("%d: the log lacks %q:\n%s", n, part, logs.String())
				}
			}
		}
	})
}
