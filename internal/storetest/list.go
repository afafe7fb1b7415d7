package storetest

import (
	"github.com/doorward/doorward/issuer"
)

var listTests = []storeTest{
	{"sessions are listed newest first", func(f *fixture) {
		var made []string
		for _, subject := range []string{"u_1", "u_2", "u_1", "u_3", "u_2"} {
			made = append(made, f.create(subject).ID)
		}
		f.holds(len(f.list(issuer.SessionQuery{})) == len(made), "not all are listed")
		of1 := []string{made[2], made[0]}
		f.same("of one subject", ids(f.list(issuer.SessionQuery{Subject: "u_1"})), of1)
		f.same("of an unknown subject", len(f.list(issuer.SessionQuery{Subject: "u_9"})), 0)
	}},
	{"a listing goes on before an ID", func(f *fixture) {
		var made []string
		for range 7 {
			made = append(made, f.create("u_1").ID)
			f.create("u_2")
		}
		var got []string
		q := issuer.SessionQuery{Subject: "u_1", Limit: 3}
		for {
			page := f.list(q)
			f.holds(len(page) <= 3, "a page holds %d sessions", len(page))
			if len(page) == 0 {
				break
			}
			got = append(got, ids(page)...)
			q.Before = page[len(page)-1].ID
		}
		f.same("IDs", got, reversed(made))
	}},
	{"a listing holds 100 sessions when nothing is said", func(f *fixture) {
		for range 101 {
			f.create("u_1")
		}
		f.same("default", len(f.list(issuer.SessionQuery{})), 100)
		f.same("more", len(f.list(issuer.SessionQuery{Limit: 1000})), 101)
	}},
	{"one session is listed by ID, as it was stored", func(f *fixture) {
		f.create("u_1")
		s := f.create("u_1")
		f.same("sessions", f.list(issuer.SessionQuery{ID: s.ID}), []issuer.Session{s})
		f.same("of another subject", len(f.list(issuer.SessionQuery{ID: s.ID, Subject: "u_2"})), 0)
	}},
	{"live leaves out what ended", func(f *fixture) {
		live, ended := f.create("u_1"), f.create("u_1")
		f.swap(ended, issuer.Change{End: "logout"})
		f.same("live", ids(f.list(issuer.SessionQuery{Live: true})), []string{live.ID})
		f.same("all", len(f.list(issuer.SessionQuery{})), 2)
		_, err := f.store.EndSubject(f.Context(), "u_1", "password", event)
		f.ok(err)
		f.same("live", len(f.list(issuer.SessionQuery{Live: true})), 0)
	}},
	{"live leaves out what lapsed", func(f *fixture) {
		n := newSession("u_1", 0)
		n.Idle = 1 // rounded up to a millisecond
		s, err := f.store.CreateSession(f.Context(), n, event)
		f.ok(err)
		f.holds(s.IdleEnd.After(s.CreatedAt), "the session lapsed as it was made")
		for at := s.CreatedAt; at.Before(s.IdleEnd); {
			s, at = f.read(n.Handle)
		}
		f.same("live", len(f.list(issuer.SessionQuery{Live: true})), 0)
		f.same("all", ids(f.list(issuer.SessionQuery{})), []string{s.ID})
	}},
}
