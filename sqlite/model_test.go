//go:build !race

// One goroutine does it all: the race detector would find nothing, in a minute.

package sqlite_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/sid"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// TestModel runs random methods on a store and on the plainest thing that could
// stand in for it, and compares all that can be read after each step.
func TestModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := 0
	rapid.Check(t, func(rt *rapid.T) {
		files++
		m := newModel(t, filepath.Join(dir, fmt.Sprint(files)))
		defer func() { must(t, m.store.Close()) }()
		rt.Repeat(rapid.StateMachineActions(m))
	})
}

// model is what a store must look like.
type model struct {
	t     *testing.T
	path  string
	store *sqlite.Store
	clock time.Time

	sessions map[string]issuer.Session
	epochs   map[string]int64
	lastID   map[string]string // of a subject: its greatest ID or cut-off
	log      []doorward.Revocation
	ring     issuer.KeyRing
	handles  uint64

	cursor issuer.Cursor // of a reader that follows
	seen   map[doorward.Revocation]bool
}

func newModel(t *testing.T, path string) *model {
	m := &model{
		t: t, path: path, clock: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		sessions: map[string]issuer.Session{}, epochs: map[string]int64{}, lastID: map[string]string{},
		seen: map[doorward.Revocation]bool{},
	}
	must(t, m.open())
	return m
}

func (m *model) open() (err error) {
	m.store, err = sqlite.Open(m.t.Context(), m.path)
	if err == nil {
		m.store.SetClock(func() time.Time { return m.clock })
	}
	return err
}

var subjects = rapid.SampledFrom([]string{"u_1", "u_2", "u_3"})

// Login creates a session, at times with an epoch that is over.
func (m *model) Login(rt *rapid.T) {
	subject := subjects.Draw(rt, "subject")
	n := issuer.NewSession{
		Subject: subject, Epoch: m.epochs[subject] - int64(rapid.IntRange(0, 3).Draw(rt, "stale")/3),
		ClientID: rapid.StringN(0, 5, -1).Filter(storable).Draw(rt, "client"),
		Idle:     time.Duration(rapid.IntRange(1, 100).Draw(rt, "idle")) * time.Minute,
		Absolute: time.Duration(rapid.IntRange(1, 200).Draw(rt, "absolute")) * time.Minute,
	}
	m.handles++
	binary.BigEndian.PutUint64(n.Handle[:], m.handles)
	s, err := m.store.CreateSession(m.t.Context(), n, event)
	if n.Epoch != m.epochs[subject] {
		wants(rt, err, issuer.ErrEpoch)
		return
	}
	wants(rt, err, nil)
	now := m.now()
	want := issuer.Session{
		ID: s.ID, Handle: n.Handle, Subject: subject, Epoch: n.Epoch, ClientID: n.ClientID,
		AuthTime: now, CreatedAt: now, LastUsedAt: now,
		Idle: n.Idle, IdleEnd: now.Add(n.Idle), AbsoluteEnd: now.Add(n.Absolute),
	}
	equal(rt, "created", s, want)
	m.pass(rt, subject, s.ID)
	m.sessions[s.ID] = want
}

// Swap changes a session, at times at a rev that is over.
func (m *model) Swap(rt *rapid.T) {
	want, ok := m.anySession(rt)
	if !ok {
		return
	}
	rev := want.Rev - int64(rapid.IntRange(0, 3).Draw(rt, "stale")/3)
	ch := issuer.Change{
		State: issuer.State{
			Generation: rapid.Uint32().Draw(rt, "generation"), HeldSince: m.now(),
			LateRun: rapid.IntRange(0, 3).Draw(rt, "late run"), Late: rapid.Bool().Draw(rt, "late"),
			Mixed: rapid.Bool().Draw(rt, "mixed"), Quiet: rapid.IntRange(0, 16).Draw(rt, "quiet"),
		},
		Used: rapid.Bool().Draw(rt, "used"),
		End:  rapid.SampledFrom([]string{"", "", "refresh_reuse"}).Draw(rt, "end"),
	}
	got, at, err := m.store.SwapSession(m.t.Context(), want.ID, rev, ch, event)
	if rev != want.Rev {
		wants(rt, err, issuer.ErrConflict)
		return
	}
	wants(rt, err, nil)
	equal(rt, "time", at, m.now())
	want.Rev++
	want.State = ch.State
	if ch.Used {
		want.LastUsedAt, want.IdleEnd = latest(want.LastUsedAt, m.now()), m.now().Add(want.Idle)
	}
	if ch.End != "" {
		want = m.ended(want, ch.End)
		m.cut(doorward.KindSession, want.ID, "")
	}
	equal(rt, "swapped", got, want)
	m.sessions[want.ID] = want
}

// EndSession ends a session, or an ID without a row.
func (m *model) EndSession(rt *rapid.T) {
	s, ok := m.anySession(rt)
	if !ok || rapid.IntRange(0, 4).Draw(rt, "without a row") == 0 {
		s = issuer.Session{ID: rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "id")}
	}
	got, err := m.store.EndSession(m.t.Context(), s.ID, "logout", event)
	wants(rt, err, nil)
	equal(rt, "cut-off", got, m.cut(doorward.KindSession, s.ID, ""))
	if s.Subject != "" && s.EndedAt.IsZero() {
		s.Rev++
		m.sessions[s.ID] = m.ended(s, "logout")
	}
}

// EndSubject ends every session of a subject.
func (m *model) EndSubject(rt *rapid.T) {
	subject := subjects.Draw(rt, "subject")
	got, err := m.store.EndSubject(m.t.Context(), subject, "password", event)
	wants(rt, err, nil)
	m.pass(rt, subject, got.Before)
	m.epochs[subject]++
	equal(rt, "cut-off", got, m.cut(doorward.KindSubject, subject, got.Before))
	for id, s := range m.sessions {
		if s.Subject == subject && s.EndedAt.IsZero() {
			s.Rev++
			m.sessions[id] = m.ended(s, "password")
		}
	}
}

// SwapKeys replaces the ring, at times at a revision that is over.
func (m *model) SwapKeys(rt *rapid.T) {
	rev := m.ring.Rev - int64(rapid.IntRange(0, 3).Draw(rt, "stale")/3)
	var keys []issuer.StoredKey
	for i := range rapid.IntRange(0, 3).Draw(rt, "keys") {
		keys = append(keys, issuer.StoredKey{
			ID: fmt.Sprint("k", i), Purpose: issuer.PurposeSign, Algorithm: "EdDSA",
			Sealed: rapid.SliceOfN(rapid.Byte(), 1, 4).Draw(rt, "sealed"), CreatedAt: m.now(),
			AccessTTL: time.Duration(rapid.IntRange(1, 60).Draw(rt, "ttl")) * time.Minute,
		})
	}
	revoked := rapid.SliceOfN(rapid.SampledFrom([]string{"k0", "k1"}), 0, 2).Draw(rt, "revoked")
	err := m.store.SwapKeys(m.t.Context(), rev, keys, revoked, event)
	if rev != m.ring.Rev {
		wants(rt, err, issuer.ErrConflict)
		return
	}
	wants(rt, err, nil)
	m.ring = issuer.KeyRing{Rev: rev + 1, Keys: keys}
	for _, id := range revoked {
		m.cut(doorward.KindKey, id, "")
	}
}

// Follow lets the reader read on.
func (m *model) Follow(rt *rapid.T) {
	page, err := m.store.RevocationsSince(m.t.Context(), m.cursor)
	wants(rt, err, nil)
	m.cursor = page.Next
	for _, c := range page.Entries {
		m.seen[c] = true
	}
	for _, c := range m.log {
		if !m.seen[c] && !m.expired(c, 0) {
			rt.Fatalf("the reader missed %+v", c)
		}
		m.seen[c] = true // what has expired does not concern it, wherever the clock goes
	}
}

// Wait lets time pass, or puts the clock back.
func (m *model) Wait(rt *rapid.T) {
	m.clock = m.clock.Add(time.Duration(rapid.IntRange(-60, 240).Draw(rt, "minutes")) * time.Minute)
}

// Prune deletes cut-offs that the model then forgets too. No session is a month old.
func (m *model) Prune(rt *rapid.T) {
	n, err := m.store.Prune(m.t.Context())
	wants(rt, err, nil)
	before := len(m.log)
	m.log = slices.DeleteFunc(m.log, func(c doorward.Revocation) bool { return m.expired(c, time.Hour+time.Millisecond) })
	equal(rt, "pruned", int(n), before-len(m.log))
}

// Reopen closes the store and opens it again.
func (m *model) Reopen(rt *rapid.T) {
	wants(rt, m.store.Close(), nil)
	wants(rt, m.open(), nil)
}

// Check compares everything that can be read.
func (m *model) Check(rt *rapid.T) {
	ctx := m.t.Context()
	var all, live []issuer.Session
	for _, id := range reversed(slices.Sorted(maps.Keys(m.sessions))) {
		s := m.sessions[id]
		all = append(all, s)
		if s.Live(m.now()) {
			live = append(live, s)
		}
	}
	for _, want := range all[:min(1, len(all))] {
		got, at, err := m.store.SessionByHandle(ctx, want.Handle)
		wants(rt, err, nil)
		equal(rt, "session", got, want)
		equal(rt, "time", at, m.now())
	}
	list, err := m.store.Sessions(ctx, issuer.SessionQuery{Limit: 1000})
	wants(rt, err, nil)
	equal(rt, "sessions", list, all)
	list, err = m.store.Sessions(ctx, issuer.SessionQuery{Live: true, Limit: 1000})
	wants(rt, err, nil)
	equal(rt, "live", list, live)
	for subject, want := range m.epochs {
		got, err := m.store.Epoch(ctx, subject)
		wants(rt, err, nil)
		equal(rt, "epoch", got, want)
	}
	page, err := m.store.RevocationsSince(ctx, "")
	wants(rt, err, nil)
	var current []doorward.Revocation
	for _, c := range m.log {
		if !m.expired(c, 0) {
			current = append(current, c)
		}
	}
	equal(rt, "log", page.Entries, current)
	ring, err := m.store.KeyRing(ctx)
	wants(rt, err, nil)
	equal(rt, "ring", ring, m.ring)
}

func (m *model) now() time.Time { return m.clock }

func (m *model) expired(c doorward.Revocation, since time.Duration) bool {
	return !c.ExpiresAt.IsZero() && !m.now().Add(-since).Before(c.ExpiresAt)
}

func (m *model) ended(s issuer.Session, reason string) issuer.Session {
	if s.EndedAt.IsZero() {
		s.EndedAt, s.EndReason = m.now(), reason
	}
	return s
}

// pass checks that id is past everything that its subject had.
func (m *model) pass(rt *rapid.T, subject, id string) {
	if id <= m.lastID[subject] {
		rt.Fatalf("ID or cut-off %s of %s is not past %s", id, subject, m.lastID[subject])
	}
	m.lastID[subject] = id
}

// cut records a cut-off, unless there is one, and returns the one there is.
func (m *model) cut(kind doorward.Kind, id, before string) doorward.Revocation {
	for _, c := range m.log {
		if c.Kind == kind && c.ID == id && c.Before == before {
			return c
		}
	}
	c := doorward.Revocation{Kind: kind, ID: id, Before: before}
	if kind != doorward.KindKey {
		var longest time.Duration
		for _, k := range m.ring.Keys {
			longest = max(longest, k.AccessTTL)
		}
		c.ExpiresAt = m.lastUse(kind, id, before).Add(longest + time.Minute)
	}
	m.log = append(m.log, c)
	return c
}

// lastUse is when the last token was made that a cut-off ends: now, or later if the clock went back. Tokens without a row
// tell it by their ID, which the cut-off names or is past.
func (m *model) lastUse(kind doorward.Kind, id, before string) time.Time {
	at := latest(m.now(), time.UnixMilli(sid.MadeAt(before)).UTC())
	if kind == doorward.KindSession {
		at = latest(at, time.UnixMilli(sid.MadeAt(id)).UTC())
	}
	for _, s := range m.sessions {
		if kind == doorward.KindSession && s.ID == id || kind == doorward.KindSubject && s.Subject == id {
			at = latest(at, s.LastUsedAt)
		}
	}
	return at
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (m *model) anySession(rt *rapid.T) (issuer.Session, bool) {
	if len(m.sessions) == 0 {
		return issuer.Session{}, false
	}
	ids := slices.Sorted(maps.Keys(m.sessions))
	return m.sessions[ids[rapid.IntRange(0, len(ids)-1).Draw(rt, "session")]], true
}

func reversed(ids []string) []string {
	slices.Reverse(ids)
	return ids
}

func storable(s string) bool { return !slices.Contains([]byte(s), 0) }

func wants(rt *rapid.T, err, want error) {
	rt.Helper()
	if !errors.Is(err, want) {
		rt.Fatalf("error is %v, want %v", err, want)
	}
}

func equal(rt *rapid.T, what string, got, want any) {
	rt.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}
