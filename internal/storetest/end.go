package storetest

import (
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// slack is how much longer a cut-off lives than the longest access token.
const slack = time.Minute

var endTests = []storeTest{
	{"a swap that ends the session records its cut-off", func(f *fixture) {
		s := f.create("u_1")
		ended, at := f.swap(s, issuer.Change{End: "refresh_reuse"})
		f.same("ended at", ended.EndedAt, at)
		f.same("reason", ended.EndReason, "refresh_reuse")
		log := f.log()
		f.holds(len(log) == 1, "log holds %d entries, want 1", len(log))
		f.same("cut-off", log[0], doorward.Revocation{
			Kind: doorward.KindSession, ID: s.ID, ExpiresAt: at.Add(slack),
		})
	}},
	{"a session that has ended keeps its first reason", func(f *fixture) {
		ended, _ := f.swap(f.create("u_1"), issuer.Change{End: "logout"})
		again, _ := f.swap(ended, issuer.Change{End: "refresh_reuse"})
		f.same("ended at", again.EndedAt, ended.EndedAt)
		f.same("reason", again.EndReason, "logout")
	}},
	{"end session ends it and records its cut-off", func(f *fixture) {
		s := f.create("u_1")
		other := f.create("u_1")
		cut, err := f.store.EndSession(f.Context(), s.ID, "logout", event)
		f.ok(err)
		f.same("log", f.log(), []doorward.Revocation{cut})
		f.holds(cut.Kind == doorward.KindSession && cut.ID == s.ID && cut.Before == "", "cut-off %+v", cut)
		read, at := f.read(s.Handle)
		f.holds(!read.EndedAt.IsZero() && !read.EndedAt.After(at), "ended at %v", read.EndedAt)
		f.same("reason", read.EndReason, "logout")
		f.holds(!read.Live(at), "the session is live")
		read, _ = f.read(other.Handle)
		f.same("other session", read, other)
	}},
	{"ending a session again changes nothing", func(f *fixture) {
		s := f.create("u_1")
		first, err := f.store.EndSession(f.Context(), s.ID, "logout", event)
		f.ok(err)
		before, _ := f.read(s.Handle)
		again, err := f.store.EndSession(f.Context(), s.ID, "admin", event)
		f.ok(err)
		f.same("cut-off", again, first)
		after, _ := f.read(s.Handle)
		f.same("session", after, before)
		f.same("log", f.log(), []doorward.Revocation{first})
	}},
	{"a session without a row has a cut-off too", func(f *fixture) {
		const id = "0190a5e4-1111-7000-8000-000000000000"
		first, err := f.store.EndSession(f.Context(), id, "logout", event)
		f.ok(err)
		again, err := f.store.EndSession(f.Context(), id, "logout", event)
		f.ok(err)
		f.same("cut-off", again, first)
		f.same("log", f.log(), []doorward.Revocation{first})
	}},
	{"Attack_F08 a swap decided before the end is a conflict", func(f *fixture) {
		s := f.create("u_1")
		_, err := f.store.EndSession(f.Context(), s.ID, "logout", event)
		f.ok(err)
		_, _, err = f.store.SwapSession(f.Context(), s.ID, s.Rev, issuer.Change{Used: true}, event)
		f.fails(err, issuer.ErrConflict)

		s = f.create("u_2")
		_, err = f.store.EndSubject(f.Context(), "u_2", "password", event)
		f.ok(err)
		_, _, err = f.store.SwapSession(f.Context(), s.ID, s.Rev, issuer.Change{Used: true}, event)
		f.fails(err, issuer.ErrConflict)
	}},
	{"end subject ends every session of the subject", endSubjectEndsAll},
	{"a login after end subject is past its cut-off", func(f *fixture) {
		for round := range int64(20) {
			before := f.create("u_1")
			cut, err := f.store.EndSubject(f.Context(), "u_1", "password", event)
			f.ok(err)
			f.same("epoch", f.epoch("u_1"), round+1)
			after := f.create("u_1")
			f.holds(uuidv7.MatchString(cut.Before), "before is %q", cut.Before)
			f.holds(before.ID < cut.Before && cut.Before < after.ID,
				"%s, %s, %s are not in order", before.ID, cut.Before, after.ID)
			read, at := f.read(after.Handle)
			f.holds(read.Live(at), "the new session is covered")
		}
	}},
	{"each end of a subject is a cut-off of its own", func(f *fixture) {
		first, err := f.store.EndSubject(f.Context(), "u_1", "password", event)
		f.ok(err)
		second, err := f.store.EndSubject(f.Context(), "u_1", "password", event)
		f.ok(err)
		f.holds(first.Before < second.Before, "%s is not before %s", first.Before, second.Before)
		f.same("log", f.log(), []doorward.Revocation{first, second})
	}},
	{"cut-offs outlive the longest access token", cutOffExpiry},
}

func endSubjectEndsAll(f *fixture) {
	sessions := []issuer.Session{f.create("u_1"), f.create("u_1"), f.create("u_1")}
	other := f.create("u_2")
	logout, _ := f.swap(sessions[0], issuer.Change{End: "logout"})
	cut, err := f.store.EndSubject(f.Context(), "u_1", "password", event)
	f.ok(err)
	f.holds(cut.Kind == doorward.KindSubject && cut.ID == "u_1", "cut-off %+v", cut)
	f.same("epoch", f.epoch("u_1"), int64(1))
	for _, s := range sessions {
		read, at := f.read(s.Handle)
		f.holds(!read.Live(at), "session %s is live", s.ID)
		f.holds(s.ID < cut.Before, "session %s is not covered by %s", s.ID, cut.Before)
		if s.ID == logout.ID {
			f.same("reason", read.EndReason, "logout")
		} else {
			f.same("reason", read.EndReason, "password")
		}
	}
	read, _ := f.read(other.Handle)
	f.same("session of another subject", read, other)
	f.same("epoch of another subject", f.epoch("u_2"), int64(0))
}

func cutOffExpiry(f *fixture) {
	s := f.create("u_1")
	_, from := f.read(s.Handle)
	cut, err := f.store.EndSubject(f.Context(), "u_2", "x", event)
	f.ok(err)
	_, to := f.read(s.Handle)
	f.between("without keys", cut.ExpiresAt, from.Add(slack), to.Add(slack))

	keys := []issuer.StoredKey{storedKey("k1", time.Hour), storedKey("k2", 10*time.Minute)}
	f.ok(f.store.SwapKeys(f.Context(), 0, keys, nil, event))
	_, from = f.read(s.Handle)
	cut, err = f.store.EndSession(f.Context(), s.ID, "logout", event)
	f.ok(err)
	_, to = f.read(s.Handle)
	f.between("with keys", cut.ExpiresAt, from.Add(time.Hour+slack), to.Add(time.Hour+slack))
}

func (f *fixture) between(what string, at, from, to time.Time) {
	f.Helper()
	f.holds(!at.Before(from) && !at.After(to), "%s: %v is not between %v and %v", what, at, from, to)
}
