package sqlite_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/sqlstore"
	"github.com/doorward/doorward/internal/sqlstore/accounts"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

const day = 24 * time.Hour

func TestPrune(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		must(t, s.SwapKeys(t.Context(), 0, []issuer.StoredKey{{ID: "k", AccessTTL: 10 * time.Minute}}, []string{"stolen"}, event))
		idle := create(t, s, issuer.NewSession{Subject: "u_1", Handle: issuer.Digest{1}, Idle: time.Hour, Absolute: 60 * day})
		absolute := create(t, s, issuer.NewSession{Subject: "u_1", Handle: issuer.Digest{2}, Idle: 60 * day, Absolute: 2 * time.Hour})
		ended := create(t, s, issuer.NewSession{Subject: "u_1", Handle: issuer.Digest{3}, Idle: 60 * day, Absolute: 60 * day})
		live := create(t, s, issuer.NewSession{Subject: "u_1", Handle: issuer.Digest{4}, Idle: 60 * day, Absolute: 60 * day})
		_, err := s.EndSession(t.Context(), ended.ID, "logout", event)
		must(t, err)
		_, _, err = accounts.In(s.Store).Reserve(t.Context(), [32]byte{1}, 1, time.Minute, event)
		must(t, err)

		const expiry = 11 * time.Minute // the longest token and the slack
		steps := []struct {
			after   time.Duration // since the start
			pruned  int64
			log     int // cut-offs that have not expired
			session string
		}{
			{59 * time.Second, 0, 2, ""},
			{time.Minute, 1, 2, ""}, // the counter of tries
			{expiry, 0, 1, ""},
			{expiry + time.Hour, 0, 1, ""},
			{expiry + time.Hour + time.Millisecond, 1, 1, ""},
			{30 * day, 0, 1, ""},
			{30*day + time.Millisecond, 1, 1, ended.ID},
			{30*day + time.Hour + time.Millisecond, 1, 1, idle.ID},
			{30*day + 2*time.Hour + time.Millisecond, 1, 1, absolute.ID},
			{59 * day, 0, 1, ""},
		}
		start := time.Now()
		for _, step := range steps {
			time.Sleep(time.Until(start.Add(step.after)))
			n, err := s.Prune(t.Context())
			must(t, err)
			page, err := s.RevocationsSince(t.Context(), "")
			must(t, err)
			if n != step.pruned || len(page.Entries) != step.log {
				t.Errorf("after %v: %d rows pruned, log of %d; want %d, %d", step.after, n, len(page.Entries), step.pruned, step.log)
			}
			if step.session == "" {
				continue
			}
			list, err := s.Sessions(t.Context(), issuer.SessionQuery{ID: step.session})
			must(t, err)
			if len(list) != 0 {
				t.Errorf("after %v: session %s is there", step.after, step.session)
			}
		}
		if read, at, err := s.SessionByHandle(t.Context(), issuer.Digest{4}); err != nil || read.ID != live.ID || !read.Live(at) {
			t.Errorf("the live session: %+v, %v", read, err)
		}
	})
}

// Sessions that ended with all others leave as those do that ended alone.
func TestPruneAfterKeyRemoval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		must(t, s.SwapKeys(t.Context(), 0, []issuer.StoredKey{{ID: "refresh-1", Purpose: issuer.PurposeRefresh}}, nil, event))
		ended := create(t, s, issuer.NewSession{Subject: "u_1", Handle: issuer.Digest{1}, Idle: 60 * day, Absolute: 60 * day})
		must(t, s.SwapKeys(t.Context(), 1, nil, []string{"refresh-1"}, event))
		live := create(t, s, issuer.NewSession{Subject: "u_1", Handle: issuer.Digest{2}, Idle: 60 * day, Absolute: 60 * day})
		for _, step := range []struct {
			after  time.Duration
			pruned int64
		}{{30 * day, 0}, {time.Millisecond, 1}, {day, 0}} {
			time.Sleep(step.after)
			n, err := s.Prune(t.Context())
			if n != step.pruned || err != nil {
				t.Errorf("after %v: %d rows pruned, %v, want %d", step.after, n, err, step.pruned)
			}
		}
		checkLive(t, s, live, true)
		if _, _, err := s.SessionByHandle(t.Context(), ended.Handle); !errors.Is(err, issuer.ErrNotFound) {
			t.Errorf("the session that ended: %v", err)
		}
	})
}

// More rows than one sweep takes.
func TestPruneMany(t *testing.T) {
	t.Parallel()
	const n = 2500
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		kept := create(t, s, issuer.NewSession{Subject: "u_1", Idle: 60 * day, Absolute: 60 * day})
		must(t, s.Write(t.Context(), func(ctx context.Context, tx sqlstore.Tx) error {
			_, err := tx.ExecContext(ctx, `
				WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
				INSERT INTO sessions (id, handle, subject, epoch, client_id, scope, audience, claims,
					auth_time, created_at, last_used_at, idle, idle_end, absolute_end)
				SELECT printf('%08d', i), CAST(printf('%08d', i) AS BLOB), 'u_1', 0, '', '', '', '', 1, 1, 1, 1, 2, 2 FROM n`, n)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `
				INSERT INTO revocations (kind, id, before, expires_at, recorded_at)
				SELECT 'session', id, '', 1, 1 FROM sessions WHERE length(id) = 8`)
			return err
		}))
		pruned, err := s.Prune(t.Context())
		must(t, err)
		list, err := s.Sessions(t.Context(), issuer.SessionQuery{})
		must(t, err)
		if pruned != 2*n || len(list) != 1 || list[0].ID != kept.ID {
			t.Errorf("%d rows pruned, %d sessions left", pruned, len(list))
		}
	})
}

// Attack_F11: an access token outlives no cut-off that ends it, also when the clock goes back between
// the two by more than the token lives.
func TestCutOffsOutliveTokensOfALaterClock(t *testing.T) {
	t.Parallel()
	const ttl = 10 * time.Minute
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, end := range map[string]func(*testing.T, *sqlite.Store, issuer.Session) doorward.Revocation{
		"logout": func(t *testing.T, s *sqlite.Store, session issuer.Session) doorward.Revocation {
			cut, err := s.EndSession(t.Context(), session.ID, "logout", event)
			must(t, err)
			return cut
		},
		"everywhere": func(t *testing.T, s *sqlite.Store, session issuer.Session) doorward.Revocation {
			cut, err := s.EndSubject(t.Context(), session.Subject, "logout", event)
			must(t, err)
			return cut
		},
		"reuse": func(t *testing.T, s *sqlite.Store, session issuer.Session) doorward.Revocation {
			_, _, err := s.SwapSession(t.Context(), session.ID, session.Rev, issuer.Change{End: "refresh_reuse"}, event)
			must(t, err)
			page, err := s.RevocationsSince(t.Context(), "")
			must(t, err)
			return page.Entries[0]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := open(t), start
			s.SetClock(func() time.Time { return now })
			must(t, s.SwapKeys(t.Context(), 0, []issuer.StoredKey{{ID: "k", AccessTTL: ttl}}, nil, event))
			session := create(t, s, issuer.NewSession{Subject: "u_1", Handle: issuer.Digest{1}, Idle: day, Absolute: day})
			now = start.Add(time.Hour)
			swap := func() {
				var err error
				session, _, err = s.SwapSession(t.Context(), session.ID, session.Rev, issuer.Change{Used: true}, event)
				must(t, err)
			}
			swap()
			now = start.Add(-time.Hour)
			swap()
			if cut, want := end(t, s, session), start.Add(time.Hour+ttl); cut.ExpiresAt.Before(want) {
				t.Errorf("the cut-off expires at %v, a token of the session at %v", cut.ExpiresAt, want)
			}
		})
	}
}

// A cut-off of many subjects covers sessions that were made before it, and those
// made after it are past it, also when the clock has gone back.
func TestCutOffsOfMany(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		kind   doorward.Kind
		id     string
		others bool // are sessions of other clients covered?
	}{
		{"of a client", doorward.KindClient, "dwc_1", false},
		{"of all", doorward.KindAll, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				mine := create(t, s, issuer.NewSession{Subject: "u_1", ClientID: "dwc_1", Handle: issuer.Digest{1}, Idle: day, Absolute: day})
				others := create(t, s, issuer.NewSession{Subject: "u_2", ClientID: "dwc_2", Handle: issuer.Digest{2}, Idle: day, Absolute: day})
				before := later(t, time.Hour)
				must(t, s.Write(t.Context(), func(ctx context.Context, tx sqlstore.Tx) error {
					_, err := tx.ExecContext(ctx, `
						INSERT INTO revocations (kind, id, before, expires_at, recorded_at) VALUES ($1, $2, $3, $4, $5)`,
						string(tt.kind), tt.id, before, time.Now().Add(time.Hour).UnixMilli(), time.Now().UnixMilli())
					return err
				}))
				checkLive(t, s, mine, false)
				checkLive(t, s, others, !tt.others)
				after := create(t, s, issuer.NewSession{Subject: "u_3", ClientID: "dwc_1", Handle: issuer.Digest{3}, Idle: day, Absolute: day})
				if after.ID <= before {
					t.Errorf("session %s is not past the cut-off %s", after.ID, before)
				}
				checkLive(t, s, after, true)
			})
		})
	}
}

// later is the text of a UUIDv7 that the clock reaches only after d.
func later(t *testing.T, d time.Duration) string {
	t.Helper()
	ms := time.Now().Add(d).UnixMilli()
	hex := func(n int64, digits int) string {
		const all = "0123456789abcdef"
		text := make([]byte, digits)
		for i := range text {
			text[digits-1-i] = all[n&15]
			n >>= 4
		}
		return string(text)
	}
	text := hex(ms, 12)
	return text[:8] + "-" + text[8:] + "-7fff-bfff-ffffffffffff"
}

func checkLive(t *testing.T, s *sqlite.Store, session issuer.Session, want bool) {
	t.Helper()
	read, at, err := s.SessionByHandle(t.Context(), session.Handle)
	must(t, err)
	list, err := s.Sessions(t.Context(), issuer.SessionQuery{ID: session.ID, Live: true})
	must(t, err)
	if read.Live(at) != want || len(list) == 1 != want {
		t.Errorf("session of %s: live is %t and %t, want %t", session.ClientID, read.Live(at), len(list) == 1, want)
	}
	if !want && read.EndReason == "" {
		t.Error("a covered session shows no reason")
	}
}

func create(t *testing.T, s *sqlite.Store, n issuer.NewSession) issuer.Session {
	t.Helper()
	session, err := s.CreateSession(t.Context(), n, event)
	must(t, err)
	return session
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// Where the clock stands or goes back, grants and ends keep the order in which they were made, whichever of their
// two names comes first, and a cut-off lives until the last of the tokens that it ends has expired.
func TestGrantsUnderAClockThatGoesBack(t *testing.T) {
	t.Parallel()
	s := open(t)
	start := time.Now()
	must(t, s.SwapKeys(t.Context(), 0, []issuer.StoredKey{{ID: "k", AccessTTL: 10 * time.Minute}}, nil, event))
	for _, names := range [][2]string{{"u_1", "c_1"}, {"a_1", "c_2"}, {"c_3", "c_3"}} {
		subject, client := names[0], names[1]
		last := ""
		for round := range 6 {
			s.SetClock(func() time.Time { return start.Add(-time.Duration(round/2) * time.Hour) })
			n := issuer.NewGrant{Subject: subject, ClientID: client}
			var err error
			n.Epoch, err = s.Epoch(t.Context(), subject)
			must(t, err)
			n.ClientEpoch, err = s.Epoch(t.Context(), client)
			must(t, err)
			id, _, err := s.CreateGrant(t.Context(), n, event)
			must(t, err)
			var cut doorward.Revocation
			if round%2 == 0 {
				cut, err = s.EndClient(t.Context(), client, event)
			} else {
				cut, err = s.EndSubject(t.Context(), subject, "admin", event)
			}
			must(t, err)
			if last >= id || id >= cut.Before {
				t.Errorf("%v, round %d: %s, %s, %s are not in order", names, round, last, id, cut.Before)
			}
			one, err := s.EndSession(t.Context(), id, "admin", event)
			must(t, err)
			cut.ExpiresAt = time.UnixMilli(min(cut.ExpiresAt.UnixMilli(), one.ExpiresAt.UnixMilli()))
			if last = cut.Before; cut.ExpiresAt.Before(start.Add(11 * time.Minute).Truncate(time.Millisecond)) {
				t.Errorf("%v, round %d: the cut-off expires at %v, the first token at %v", names, round, cut.ExpiresAt, start.Add(10*time.Minute))
			}
		}
	}
}

// The end of a client covers its sessions from before the clock went back.
func TestEndOfClientUnderAClockThatGoesBack(t *testing.T) {
	t.Parallel()
	s := open(t)
	n := newSession("u_1")
	n.ClientID = "c_1"
	session := create(t, s, n)
	s.SetClock(func() time.Time { return time.Now().Add(-time.Minute) })
	_, err := s.EndClient(t.Context(), "c_1", event)
	must(t, err)
	read, at, err := s.SessionByHandle(t.Context(), session.Handle)
	if must(t, err); read.Live(at) {
		t.Error("a session of the client lives on")
	}
	n.Handle[0]++
	if again := create(t, s, n); again.ID <= session.ID || !again.Live(again.CreatedAt) {
		t.Errorf("a session from afterwards: %+v", again)
	}
}

// What a read returns was not held after the moment of the read, though it may have been written after the clock was
// read: to refresh, it would be a generation of the future, whose window is over.
func TestReadOfWhatWasWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	s := open(t)
	session := create(t, s, newSession("u_1"))
	begun := time.Now()
	s.SetClock(func() time.Time { return begun.Add(3 * time.Millisecond) })
	swapped, _, err := s.SwapSession(t.Context(), session.ID, session.Rev, issuer.Change{State: issuer.State{Generation: 1}, Hold: true, Used: true}, event)
	must(t, err)
	asked := 0
	s.SetClock(func() time.Time { asked++; return begun.Add(time.Duration(5*asked-4) * time.Millisecond) })
	read, at, err := s.SessionByHandle(t.Context(), session.Handle)
	if must(t, err); !read.State.HeldSince.Equal(swapped.State.HeldSince) || at.Before(read.State.HeldSince) || asked != 2 {
		t.Errorf("held since %v, read at %v, the clock %d times", read.State.HeldSince, at, asked)
	}
	if _, _, err = s.SessionByHandle(t.Context(), session.Handle); err != nil || asked != 3 {
		t.Errorf("%v; the clock was read %d times", err, asked)
	}
}
