package doorwardtest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// Store is an issuer.Store in memory, for tests of programs that embed an issuer. It does
// what issuer.Store promises, except that it serves one process and does not survive it. Its
// clock is time.Now, so that testing/synctest moves it; a store that is used in a bubble must
// be made there. For a test in which days pass, leave out issuer.Issuer.Run, which looks at the
// store every second, and call issuer.Issuer.CatchUp after the wait: then tokens can be checked
// again. All methods may be called concurrently.
type Store struct {
	mu       sync.Mutex // guards what follows
	sessions map[string]*issuer.Session
	epochs   map[string]int64
	last     uint64 // the time of the last session ID or cut-off
	ring     issuer.KeyRing
	events   []issuer.Event

	lineage string
	next    int64 // the position of the next cut-off
	cutoffs []recorded
	version int64         // counts the changes
	seen    int64         // the version when the last WaitChange began
	changed chan struct{} // closed with the next change
}

var _ issuer.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{
		sessions: map[string]*issuer.Session{}, epochs: map[string]int64{},
		lineage: rand.Text(), next: 1, changed: make(chan struct{}),
	}
}

// Events returns what was recorded, in order: each change with who made it and why.
func (s *Store) Events() []issuer.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Epoch returns how often all sessions of the subject were ended.
func (s *Store) Epoch(ctx context.Context, subject string) (epoch int64, err error) {
	err = s.transact(ctx, []string{subject}, func(time.Time) error {
		epoch = s.epochs[subject]
		return nil
	})
	return epoch, err
}

// CreateSession inserts a session and returns it.
func (s *Store) CreateSession(ctx context.Context, n issuer.NewSession, ev issuer.Event) (created issuer.Session, err error) {
	if n.Subject == "" || n.Idle <= 0 || n.Absolute <= 0 {
		return created, errors.New("create session: Subject, Idle and Absolute are required")
	}
	if _, err := n.Scope.MarshalText(); err != nil {
		return created, fmt.Errorf("create session: %w", err)
	}
	texts := []string{n.Subject, n.ClientID, n.Audience, string(n.Claims)}
	err = s.transact(ctx, texts, func(now time.Time) error {
		if n.Epoch != s.epochs[n.Subject] {
			return issuer.ErrEpoch
		}
		if s.find(n.Handle) != nil {
			return errors.New("create session: the handle is taken")
		}
		session := sessionOf(n, s.nextID(), now)
		s.sessions[session.ID] = session
		created = copyOf(session)
		s.record(ev, session.Subject, session.ID)
		return nil
	})
	return created, err
}

// SessionByHandle returns the session of a refresh token, and when it was read.
func (s *Store) SessionByHandle(ctx context.Context, handle issuer.Digest) (session issuer.Session, at time.Time, err error) {
	err = s.transact(ctx, nil, func(now time.Time) error {
		found := s.find(handle)
		if found == nil {
			return issuer.ErrNotFound
		}
		session, at = copyOf(found), now
		return nil
	})
	return session, at, err
}

// SwapSession writes the change if the session's Rev is still rev.
func (s *Store) SwapSession(ctx context.Context, id string, rev int64, ch issuer.Change, ev issuer.Event) (swapped issuer.Session, at time.Time, err error) {
	err = s.transact(ctx, []string{id, ch.End}, func(now time.Time) error {
		session := s.sessions[id]
		switch {
		case session == nil:
			return issuer.ErrNotFound
		case session.Rev != rev:
			return issuer.ErrConflict
		}
		session.Rev++
		session.State = ch.State
		session.State.HeldSince = inMillis(ch.State.HeldSince)
		if ch.Hold {
			session.State.HeldSince = now
		}
		if ch.Used {
			session.LastUsedAt = later(session.LastUsedAt, now)
			session.IdleEnd = now.Add(session.Idle)
		}
		if ch.End != "" {
			end(session, ch.End, now)
			s.cutOff(doorward.KindSession, id, "", session.LastUsedAt, now)
		}
		swapped, at = copyOf(session), now
		s.record(ev, session.Subject, id)
		return nil
	})
	return swapped, at, err
}

// EndSession ends one session and records its cut-off, also for an ID without one.
func (s *Store) EndSession(ctx context.Context, id, reason string, ev issuer.Event) (cut doorward.Revocation, err error) {
	if id == "" {
		return cut, issuer.ErrNotFound
	}
	err = s.transact(ctx, []string{id, reason}, func(now time.Time) error {
		subject, used, ended := "", now, false
		if session := s.sessions[id]; session != nil {
			subject, used = session.Subject, session.LastUsedAt
			if ended = session.EndedAt.IsZero(); ended {
				session.Rev++
				end(session, reason, now)
			}
		}
		var isNew bool
		if cut, isNew = s.cutOff(doorward.KindSession, id, "", used, now); ended || isNew {
			s.record(ev, subject, id)
		}
		return nil
	})
	return cut, err
}

// EndSubject ends every session of the subject, live or in the making.
func (s *Store) EndSubject(ctx context.Context, subject, reason string, ev issuer.Event) (cut doorward.Revocation, err error) {
	err = s.transact(ctx, []string{subject, reason}, func(now time.Time) error {
		s.epochs[subject]++
		used := now
		for _, session := range s.sessions {
			if session.Subject != subject {
				continue
			}
			used = later(used, session.LastUsedAt)
			if session.EndedAt.IsZero() {
				session.Rev++
				end(session, reason, now)
			}
		}
		cut, _ = s.cutOff(doorward.KindSubject, subject, s.nextID(), used, now)
		s.record(ev, subject, "")
		return nil
	})
	return cut, err
}

// CreateGrant returns the ID of a token without a session, and the store's time.
func (s *Store) CreateGrant(ctx context.Context, n issuer.NewGrant, ev issuer.Event) (id string, at time.Time, err error) {
	if n.Subject == "" || n.ClientID == "" {
		return "", at, errors.New("create grant: Subject and ClientID are required")
	}
	err = s.transact(ctx, []string{n.Subject, n.ClientID}, func(now time.Time) error {
		switch {
		case n.Epoch != s.epochs[n.Subject], n.ClientEpoch != s.epochs[n.ClientID]:
			return issuer.ErrEpoch
		case !n.NotAfter.IsZero() && n.NotAfter.Before(now.Add(time.Second)):
			return issuer.ErrInactive
		}
		id, at = s.nextID(), now
		s.record(ev, n.Subject, id)
		return nil
	})
	return id, at, err
}

// EndClient ends every token and session of a client so far.
func (s *Store) EndClient(ctx context.Context, client string, ev issuer.Event) (cut doorward.Revocation, err error) {
	if client == "" {
		return cut, issuer.ErrNotFound
	}
	err = s.transact(ctx, []string{client}, func(now time.Time) error {
		s.epochs[client]++
		lapse := now
		for _, session := range s.sessions {
			if session.ClientID == client && session.EndedAt.IsZero() {
				session.Rev++
				end(session, issuer.ReasonAdmin, now)
				lapse = later(lapse, session.AbsoluteEnd)
			}
		}
		cut, _ = s.cutOff(doorward.KindClient, client, s.nextID(), lapse, now)
		s.record(ev, client, "")
		return nil
	})
	return cut, err
}

// Sessions lists sessions, newest first.
func (s *Store) Sessions(ctx context.Context, q issuer.SessionQuery) (list []issuer.Session, err error) {
	err = s.transact(ctx, []string{q.ID, q.Subject, q.Before}, func(now time.Time) error {
		ids := slices.Sorted(maps.Keys(s.sessions))
		for _, id := range slices.Backward(ids) {
			session := s.sessions[id]
			selected := (q.ID == "" || q.ID == id) && (q.Subject == "" || q.Subject == session.Subject) &&
				(q.Before == "" || id < q.Before) && (!q.Live || session.Live(now))
			if selected && len(list) < cmp.Or(max(q.Limit, 0), 100) {
				list = append(list, copyOf(session))
			}
		}
		return nil
	})
	return list, err
}

// transact runs f with the store's time while nothing else runs. It refuses texts that a
// database could not hold.
func (s *Store) transact(ctx context.Context, texts []string, f func(now time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return errors.New("doorwardtest: text holds a NUL or is not UTF-8")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return f(inMillis(time.Now()))
}

// record ends a change: it keeps the event and wakes who waits.
func (s *Store) record(ev issuer.Event, subject, session string) {
	ev.Subject, ev.Session = cmp.Or(ev.Subject, subject), cmp.Or(ev.Session, session)
	s.events = append(s.events, ev)
	s.version++
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Store) find(handle issuer.Digest) *issuer.Session {
	for _, session := range s.sessions {
		if session.Handle == handle {
			return session
		}
	}
	return nil
}

// nextID is greater than every session ID and cut-off so far.
func (s *Store) nextID() string {
	s.last = max(s.last+1, uint64(time.Now().UnixMilli()))
	return uuidOf(s.last)
}

func sessionOf(n issuer.NewSession, id string, now time.Time) *issuer.Session {
	idle := roundUp(n.Idle)
	session := issuer.Session{
		ID: id, Handle: n.Handle, Subject: n.Subject, Epoch: n.Epoch, ClientID: n.ClientID,
		Scope: n.Scope, AllScopes: n.AllScopes, Audience: n.Audience, Claims: n.Claims,
		AuthTime: now, CreatedAt: now, LastUsedAt: now,
		Idle: idle, IdleEnd: now.Add(idle), AbsoluteEnd: now.Add(roundUp(n.Absolute)),
	}
	if !n.AuthTime.IsZero() {
		session.AuthTime = inMillis(n.AuthTime)
	}
	session = copyOf(&session)
	return &session
}

// copyOf returns a copy that shares no memory with the session.
func copyOf(s *issuer.Session) issuer.Session {
	c := *s
	c.Scope, c.Claims = slices.Clone(s.Scope), slices.Clone(s.Claims)
	return c
}

// end ends a session. If it has ended already, the first reason stays.
func end(s *issuer.Session, reason string, now time.Time) {
	if s.EndedAt.IsZero() {
		s.EndedAt, s.EndReason = now, reason
	}
}

// inMillis returns a time with the precision that databases keep. The zero time stays zero.
func inMillis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

func roundUp(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
