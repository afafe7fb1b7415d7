package issuer_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// asked is a store that counts how often it is asked about refresh tokens.
type asked struct {
	issuer.Store
	times atomic.Int64
}

func (s *asked) SessionByHandle(ctx context.Context, handle issuer.Digest) (issuer.Session, time.Time, error) {
	s.times.Add(1)
	return s.Store.SessionByHandle(ctx, handle)
}

// rawToken is the part of a refresh token after its prefix: the key's name (4), the generation (4),
// the handle (20), the MAC (32).
func rawToken(t *testing.T, token string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, issuer.RefreshTokenPrefix))
	if err != nil || len(raw) != 60 {
		t.Fatalf("a refresh token of %d bytes, %v", len(raw), err)
	}
	return raw
}

func tokenOf(parts ...[]byte) string {
	var raw []byte
	for _, part := range parts {
		raw = append(raw, part...)
	}
	return issuer.RefreshTokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
}

// Attack_F01, Attack_F05, Standard_S07, Standard_U17: what was not made by this issuer is refused without a reason,
// the store is not asked, and no session changes.
func TestForgedRefreshTokensTouchNothing(t *testing.T) {
	t.Parallel()
	var store *asked
	w := newWorld(t, func(c *issuer.Config) {
		store = &asked{Store: c.Store}
		c.Store = store
	})
	mine, other := w.login("ada"), w.login("ada")
	stranger := newWorld(t, nil).login("ada")
	a, b, s := rawToken(t, mine.RefreshToken), rawToken(t, other.RefreshToken), rawToken(t, stranger.RefreshToken)
	sid, err := hex.DecodeString(strings.ReplaceAll(mine.SessionID, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	later := []byte{0, 0, 0, 1}
	before, err := w.Sessions(t.Context(), issuer.SessionQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for name, forged := range map[string]string{
		"MAC of another session":              tokenOf(a[:28], b[28:]),
		"handle of another session":           tokenOf(a[:8], b[8:28], a[28:]),
		"later generation":                    tokenOf(a[:4], later, a[8:]),
		"MAC of another issuer's key":         tokenOf(a[:28], s[28:]),
		"name and MAC of another key":         tokenOf(s[:4], a[4:28], s[28:]),
		"another issuer's":                    stranger.RefreshToken,
		"no MAC":                              tokenOf(a[:28]),
		"MAC of zeros":                        tokenOf(a[:28], make([]byte, 32)),
		"truncated":                           mine.RefreshToken[:len(mine.RefreshToken)-1],
		"half":                                mine.RefreshToken[:len(mine.RefreshToken)/2],
		"prefix alone":                        issuer.RefreshTokenPrefix,
		"empty":                               "",
		"a megabyte":                          issuer.RefreshTokenPrefix + strings.Repeat("A", 1<<20),
		"a megabyte after a good one":         mine.RefreshToken + strings.Repeat("A", 1<<20),
		"twice":                               mine.RefreshToken + mine.RefreshToken,
		"the public sid":                      mine.SessionID,
		"the public sid after the prefix":     issuer.RefreshTokenPrefix + mine.SessionID,
		"the public sid as the handle":        tokenOf(a[:8], sid, make([]byte, 4), a[28:]),
		"the public sid as text in the token": tokenOf(a[:8], []byte(mine.SessionID[:20]), a[28:]),
		"access token":                        mine.AccessToken,
	} {
		if _, err := w.refresh(forged); !errors.Is(err, issuer.ErrInvalidGrant) || !errors.Is(err, issuer.ErrToken) || issuer.RefreshReason(err) != "" {
			t.Errorf("%s: %v, reason %q", name, err, issuer.RefreshReason(err))
		}
	}
	if n := store.times.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	after, err := w.Sessions(t.Context(), issuer.SessionQuery{})
	if diff := cmp.Diff(before, after); diff != "" || err != nil || len(after) != 2 {
		t.Errorf("sessions changed, %v (-before +after):\n%s", err, diff)
	}
	w.mustRefresh(mine.RefreshToken)
	w.mustRefresh(other.RefreshToken)
}

// Attack_F04, Standard_S05: the keys under refresh tokens change many times, and nobody is logged
// out: neither who refreshes daily nor who comes back just before the idle end.
func TestKeyRotationLogsNobodyOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *issuer.Config) { c.KeyTTL = day })
		first := w.login("ada")
		daily, sleeper, names := first, w.login("ada"), map[string]bool{}
		for range 13 {
			time.Sleep(day)
			var err error
			if w.Issuer, err = issuer.New(t.Context(), w.cfg); err != nil { // a restart each day
				t.Fatal(err)
			}
			daily = w.mustRefresh(daily.RefreshToken)
			names[string(rawToken(t, daily.RefreshToken)[:4])] = true
		}
		if len(names) < 6 {
			t.Errorf("%d refresh keys in 13 days, want more", len(names))
		}
		if string(rawToken(t, daily.RefreshToken)[:4]) == string(rawToken(t, sleeper.RefreshToken)[:4]) {
			t.Error("the key has not changed")
		}
		w.mustRefresh(sleeper.RefreshToken)
		w.mustRefresh(daily.RefreshToken)
	})
}

const day = 24 * time.Hour

// alarms counts records of Error level, and hands none on.
type alarms struct {
	slog.Handler
	rung atomic.Int64
}

func (a *alarms) Enabled(context.Context, slog.Level) bool { return true }

func (a *alarms) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		a.rung.Add(1)
	}
	return nil
}

// Attack_F03: an older copy of the store ends the sessions that are ahead of it, with an alarm,
// and those alone.
func TestRestoredStoreEndsSessionsAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		ahead, still := w.login("ada"), w.login("ada")
		still = w.mustRefresh(still.RefreshToken)
		copied := filepath.Join(t.TempDir(), "copy.db")
		if err := w.cfg.Store.(*sqlite.Store).Backup(t.Context(), copied); err != nil {
			t.Fatal(err)
		}
		ahead = w.mustRefresh(ahead.RefreshToken)
		lost := w.login("ada")
		bell := &alarms{Handler: slog.DiscardHandler}
		restored := newWorldOn(t, copied, func(c *issuer.Config) { c.Logger = slog.New(bell) })
		restored.mustRefresh(still.RefreshToken)
		restored.wantRefreshError(lost.RefreshToken, issuer.ErrSessionEnded)
		if bell.rung.Load() != 0 {
			t.Error("an alarm for a session that is not ahead")
		}
		for range 2 {
			restored.wantReason(ahead, issuer.ReasonRollback)
		}
		restored.wantVerify(ahead.AccessToken, doorward.ErrRevoked)
		if n := bell.rung.Load(); n != 1 {
			t.Errorf("%d alarms, want one", n)
		}
	})
}
