package issuer_test

import (
	"bytes"
	"context"
	"errors"
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

func (s *witness) kinds() []issuer.EventKind {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kinds []issuer.EventKind
	for _, ev := range s.events {
		kinds = append(kinds, ev.Kind)
	}
	return kinds
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
			reason string
			by     func(set issuer.TokenSet) error
		}{
			{issuer.ReasonLogout, func(set issuer.TokenSet) error { return w.Logout(t.Context(), set.RefreshToken, issuer.Event{}) }},
			{issuer.ReasonLogout, func(set issuer.TokenSet) error { return w.RevokeSession(t.Context(), set.SessionID, own) }},
			{issuer.ReasonAdmin, func(set issuer.TokenSet) error { return w.RevokeSession(t.Context(), set.SessionID, issuer.Event{}) }},
			{issuer.ReasonEverywhere, func(issuer.TokenSet) error { return w.RevokeSubject(t.Context(), "ada", own) }},
			{issuer.ReasonAdmin, func(issuer.TokenSet) error {
				return w.RevokeSubject(t.Context(), "ada", issuer.Event{Actor: "cli:root"})
			}},
			{issuer.ReasonPassword, func(issuer.TokenSet) error {
				return w.RevokeSubject(t.Context(), "ada", issuer.Event{Actor: "ada", Reason: issuer.ReasonPassword})
			}},
			{issuer.ReasonEverywhere, func(issuer.TokenSet) error {
				return w.RevokeSubject(t.Context(), "ada", issuer.Event{Actor: "ada", Reason: "made up"})
			}},
			{issuer.ReasonReuse, func(set issuer.TokenSet) error {
				second := w.mustRefresh(set.RefreshToken)
				time.Sleep(time.Minute)
				w.mustRefresh(second.RefreshToken)
				_, err := w.refresh(set.RefreshToken)
				return refused(err)
			}},
			{issuer.ReasonRollback, func(set issuer.TokenSet) error {
				_, err := w.refresh(w.ForgeRefreshToken(set.RefreshToken, 7))
				return refused(err)
			}},
			{issuer.ReasonKeyRemoved, func(issuer.TokenSet) error {
				return w.RevokeKey(t.Context(), w.refreshKeys(t)[0], issuer.Event{})
			}},
			{issuer.ReasonIdle, func(issuer.TokenSet) error { time.Sleep(time.Hour); return nil }},
			{issuer.ReasonExpired, func(set issuer.TokenSet) error {
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
			if !strings.Contains(logs.String(), "reason="+end.reason) {
				t.Errorf("the log does not tell %s:\n%s", end.reason, logs.String())
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
// audit record and in the log, and so is the end.
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
		first := w.login("ada")
		second := w.mustRefresh(first.RefreshToken)
		time.Sleep(time.Minute)
		w.mustRefresh(first.RefreshToken)
		for _, part := range []string{"level=WARN", "event=refresh_predecessor_used", "sid=" + first.SessionID, "1 of 2"} {
			if !strings.Contains(logs.String(), part) {
				t.Errorf("the log lacks %q:\n%s", part, logs.String())
			}
		}
		time.Sleep(time.Minute)
		w.mustRefresh(second.RefreshToken)
		time.Sleep(time.Minute)
		logs.Reset()
		w.wantRefreshError(second.RefreshToken, issuer.ErrReuse)
		if !strings.Contains(logs.String(), "level=WARN") || !strings.Contains(logs.String(), "event=refresh_reuse") {
			t.Errorf("the log does not tell the reuse:\n%s", logs.String())
		}
		want := []issuer.EventKind{issuer.EventRefresh, issuer.EventPredecessorUsed, issuer.EventRefresh, issuer.EventRefreshReuse}
		if got := seen.kinds(); !slices.Equal(got, want) {
			t.Errorf("recorded %q, want %q", got, want)
		}
	})
}
