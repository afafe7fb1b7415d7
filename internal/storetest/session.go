package storetest

import (
	"context"
	"regexp"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

var uuidv7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

var sessionTests = []storeTest{
	{"the epoch of an unknown subject is 0", func(f *fixture) {
		f.same("epoch", f.epoch("nobody"), int64(0))
	}},
	{"create returns the session as stored", createReturnsSession},
	{"create and by handle agree", func(f *fixture) {
		created := f.create("u_1")
		read, at := f.read(created.Handle)
		f.same("session", read, created)
		f.holds(!at.Before(created.CreatedAt), "read at %v, before it was created at %v", at, created.CreatedAt)
		f.holds(at.Location() == time.UTC && at.Equal(at.Truncate(time.Millisecond)), "time %v", at)
	}},
	{"create keeps the time of authentication", func(f *fixture) {
		n := newSession("u_1", 0)
		n.AuthTime = time.Date(2001, 2, 3, 4, 5, 6, 7e6, time.UTC)
		s, err := f.store.CreateSession(f.Context(), n, event)
		f.ok(err)
		f.same("auth time", s.AuthTime, n.AuthTime)
	}},
	{"create makes a UUIDv7 greater than every earlier one", func(f *fixture) {
		last := ""
		for range 200 {
			s := f.create("u_1")
			f.holds(uuidv7.MatchString(s.ID), "ID %q is no UUIDv7", s.ID)
			f.holds(s.ID > last, "ID %s is not greater than %s", s.ID, last)
			last = s.ID
		}
	}},
	{"create refuses an epoch that is over or to come", func(f *fixture) {
		_, err := f.store.EndSubject(f.Context(), "u_1", "password", event)
		f.ok(err)
		for _, epoch := range []int64{0, 2} {
			n := newSession("u_1", epoch)
			_, err = f.store.CreateSession(f.Context(), n, event)
			f.fails(err, issuer.ErrEpoch)
			_, _, err = f.store.SessionByHandle(f.Context(), n.Handle)
			f.fails(err, issuer.ErrNotFound)
		}
	}},
	{"create refuses a handle twice and keeps the first", func(f *fixture) {
		first := f.create("u_1")
		n := newSession("u_2", 0)
		n.Handle = first.Handle
		_, err := f.store.CreateSession(f.Context(), n, event)
		f.holds(err != nil, "a second session with one handle was created")
		read, _ := f.read(first.Handle)
		f.same("session", read, first)
	}},
	{"an unknown handle is not found", func(f *fixture) {
		_, _, err := f.store.SessionByHandle(f.Context(), issuer.Digest{1})
		f.fails(err, issuer.ErrNotFound)
	}},
	{"swap writes the state and adds one to rev", swapWrites},
	{"swap moves the idle end only when used", func(f *fixture) {
		s := f.create("u_1")
		unused, _ := f.swap(s, issuer.Change{})
		f.same("last used", unused.LastUsedAt, s.LastUsedAt)
		f.same("idle end", unused.IdleEnd, s.IdleEnd)
		used, at := f.swap(unused, issuer.Change{Used: true})
		f.same("last used", used.LastUsedAt, at)
		f.same("idle end", used.IdleEnd, at.Add(used.Idle))
		f.same("absolute end", used.AbsoluteEnd, s.AbsoluteEnd)
	}},
	{"swap holds a generation from its own time only when asked", func(f *fixture) {
		s := f.create("u_1")
		_, read := f.read(s.Handle)
		decided := issuer.State{Generation: 1, HeldSince: read.Add(-time.Hour)}
		kept, _ := f.swap(s, issuer.Change{State: decided})
		f.same("held since", kept.State.HeldSince, decided.HeldSince)
		held, at := f.swap(kept, issuer.Change{State: decided, Hold: true})
		f.same("held since", held.State.HeldSince, at)
	}},
	{"swap at another rev is a conflict and writes nothing", func(f *fixture) {
		s := f.create("u_1")
		for _, rev := range []int64{s.Rev - 1, s.Rev + 1} {
			_, _, err := f.store.SwapSession(f.Context(), s.ID, rev,
				issuer.Change{State: issuer.State{Generation: 9}, Used: true, End: "logout"}, event)
			f.fails(err, issuer.ErrConflict)
		}
		read, _ := f.read(s.Handle)
		f.same("session", read, s)
		f.same("log", len(f.log()), 0)
	}},
	{"swap of an unknown session is not found", func(f *fixture) {
		_, _, err := f.store.SwapSession(f.Context(), "0190a5e4-0000-7000-8000-000000000000", 0, issuer.Change{}, event)
		f.fails(err, issuer.ErrNotFound)
	}},
	{"text that a database cannot hold is an error", badText},
	{"a cancelled context is an error and nothing is written", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		n := newSession("u_1", 0)
		_, err := f.store.CreateSession(ctx, n, event)
		f.fails(err, context.Canceled)
		_, err = f.store.EndSubject(ctx, "u_1", "x", event)
		f.fails(err, context.Canceled)
		_, _, err = f.store.SessionByHandle(f.Context(), n.Handle)
		f.fails(err, issuer.ErrNotFound)
		f.same("epoch", f.epoch("u_1"), int64(0))
	}},
}

func createReturnsSession(f *fixture) {
	n := newSession("u_1", 0)
	n.AllScopes = true
	got, err := f.store.CreateSession(f.Context(), n, event)
	f.ok(err)
	f.holds(!got.CreatedAt.IsZero() && got.CreatedAt.Location() == time.UTC, "created at %v", got.CreatedAt)
	want := issuer.Session{
		ID: got.ID, Handle: n.Handle, Subject: n.Subject, Epoch: n.Epoch, ClientID: n.ClientID,
		Scope: n.Scope, AllScopes: true, Audience: n.Audience, Claims: n.Claims,
		AuthTime: got.CreatedAt, CreatedAt: got.CreatedAt, LastUsedAt: got.CreatedAt,
		Idle: n.Idle, IdleEnd: got.CreatedAt.Add(n.Idle), AbsoluteEnd: got.CreatedAt.Add(n.Absolute),
	}
	f.same("session", got, want)

	bare := issuer.NewSession{Subject: "u_2", Handle: issuer.Digest{1}, Idle: time.Hour, Absolute: time.Hour}
	got, err = f.store.CreateSession(f.Context(), bare, event)
	f.ok(err)
	f.holds(len(got.Scope) == 0 && !got.AllScopes && got.Claims == nil && got.Audience == "" && got.ClientID == "",
		"a session without scope, claims, audience and client came back as %+v", got)
}

func swapWrites(f *fixture) {
	s := f.create("u_1")
	_, at := f.read(s.Handle)
	state := issuer.State{Generation: 1<<32 - 1, HeldSince: at, LateRun: 2, Late: true, Mixed: true, Quiet: 15}
	swapped, swappedAt := f.swap(s, issuer.Change{State: state, Used: true})
	want := s
	want.State, want.Rev = state, s.Rev+1
	want.LastUsedAt, want.IdleEnd = swappedAt, swappedAt.Add(s.Idle)
	f.same("swapped", swapped, want)
	read, _ := f.read(s.Handle)
	f.same("read again", read, want)

	back, _ := f.swap(swapped, issuer.Change{})
	f.same("state", back.State, issuer.State{})
	f.same("rev", back.Rev, s.Rev+2)
}

func badText(f *fixture) {
	ctx := f.Context()
	good := f.create("u_1")
	for _, bad := range []string{"a\x00b", "a\xffb", "\xed\xa0\x80"} {
		calls := map[string]func() error{
			"Epoch": func() error { _, err := f.store.Epoch(ctx, bad); return err },
			"CreateSession subject": func() error {
				_, err := f.store.CreateSession(ctx, newSession(bad, 0), event)
				return err
			},
			"CreateSession audience": func() error {
				n := newSession("u_1", 0)
				n.Audience = bad
				_, err := f.store.CreateSession(ctx, n, event)
				return err
			},
			"CreateSession scope": func() error {
				n := newSession("u_1", 0)
				n.Scope = doorward.Scope{bad}
				_, err := f.store.CreateSession(ctx, n, event)
				return err
			},
			"SwapSession": func() error {
				_, _, err := f.store.SwapSession(ctx, good.ID, good.Rev, issuer.Change{End: bad}, event)
				return err
			},
			"EndSession": func() error { _, err := f.store.EndSession(ctx, bad, "x", event); return err },
			"EndSubject": func() error { _, err := f.store.EndSubject(ctx, "u_1", bad, event); return err },
			"Sessions": func() error {
				_, err := f.store.Sessions(ctx, issuer.SessionQuery{Subject: bad})
				return err
			},
			"SwapKeys": func() error { return f.store.SwapKeys(ctx, 0, nil, []string{bad}, event) },
		}
		for name, call := range calls {
			f.holds(call() != nil, "%s accepts %q", name, bad)
		}
	}
	read, _ := f.read(good.Handle)
	f.same("session", read, good)
	f.same("log", len(f.log()), 0)

	// The record of who did it is never refused.
	ev := event
	ev.RequestID = "a\x00\xffb"
	_, err := f.store.EndSession(ctx, good.ID, "logout", ev)
	f.ok(err)
}
