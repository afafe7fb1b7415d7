package storetest

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

var grantTests = []storeTest{
	{"a grant has an ID in order and stores nothing else", func(f *fixture) {
		s := f.create("u_1")
		first, second := f.grant("u_1", "k_1"), f.grant("u_1", "k_1")
		f.holds(uuidv7.MatchString(first), "ID %q is no UUIDv7", first)
		f.holds(s.ID < first && first < second, "%s, %s, %s are not in order", s.ID, first, second)
		f.same("sessions", ids(f.list(issuer.SessionQuery{})), []string{s.ID})
		after := f.create("u_1")
		f.holds(second < after.ID, "a session after the grant has ID %s, before %s", after.ID, second)
	}},
	{"the time of a grant is the store's", func(f *fixture) {
		s := f.create("u_1")
		_, from := f.read(s.Handle)
		_, at, err := f.store.CreateGrant(f.Context(), issuer.NewGrant{Subject: "c", ClientID: "c"}, event)
		f.ok(err)
		_, to := f.read(s.Handle)
		f.between("granted", at, from, to)
	}},
	{"an end of the client is a cut-off past its grants, and before later ones", func(f *fixture) {
		for _, subject := range []string{"c_1", "u_1", "z_1"} { // on either side in the order of names
			before, other := f.grant(subject, "c_1"), f.grant(subject, "c_2")
			cut := f.endClient("c_1")
			f.holds(cut.Kind == doorward.KindClient && cut.ID == "c_1" && uuidv7.MatchString(cut.Before), "cut-off %+v", cut)
			f.holds(slices.Contains(f.log(), cut), "%+v is not in the log", cut)
			after := f.grant(subject, "c_1")
			f.holds(before < cut.Before && cut.Before < after, "%s, %s, %s are not in order", before, cut.Before, after)
			f.holds(other < after, "a grant of another client is past it: %s, %s", other, after)
		}
	}},
	{"an end of the subject is a cut-off past its grants", func(f *fixture) {
		before := f.grant("u_1", "c_1")
		cut, err := f.store.EndSubject(f.Context(), "u_1", "admin", event)
		f.ok(err)
		after := f.grant("u_1", "c_1")
		f.holds(before < cut.Before && cut.Before < after, "%s, %s, %s are not in order", before, cut.Before, after)
	}},
	{"a grant of another epoch is refused", func(f *fixture) {
		f.endClient("c_1")
		for _, n := range []issuer.NewGrant{
			{Subject: "c_1", ClientID: "c_1"},
			{Subject: "c_1", Epoch: 1, ClientID: "c_1"},
			{Subject: "u_1", ClientID: "c_1"},
			{Subject: "u_1", Epoch: 1, ClientID: "c_1", ClientEpoch: 1},
			{Subject: "u_1", ClientID: "c_1", ClientEpoch: 2},
		} {
			_, _, err := f.store.CreateGrant(f.Context(), n, event)
			f.fails(err, issuer.ErrEpoch)
		}
		f.grant("u_1", "c_1")
	}},
	{"no grant is made that ends at once", func(f *fixture) {
		for _, end := range []time.Time{time.Now().Add(-time.Hour), time.Now(), time.Unix(1, 0)} {
			_, _, err := f.store.CreateGrant(f.Context(), issuer.NewGrant{Subject: "c", ClientID: "c", NotAfter: end}, event)
			f.fails(err, issuer.ErrInactive)
		}
		_, _, err := f.store.CreateGrant(f.Context(), issuer.NewGrant{Subject: "c", ClientID: "c", NotAfter: time.Now().Add(time.Hour)}, event)
		f.ok(err)
	}},
	{"a grant has a subject and a client", func(f *fixture) {
		for _, n := range []issuer.NewGrant{{Subject: "u_1"}, {ClientID: "c_1"}, {Subject: "u\x00", ClientID: "c"}, {Subject: "u", ClientID: "\xff"}} {
			if _, _, err := f.store.CreateGrant(f.Context(), n, event); err == nil {
				f.Errorf("%q for %q is granted", n.Subject, n.ClientID)
			}
		}
		for _, client := range []string{"", "c\x00"} {
			if _, err := f.store.EndClient(f.Context(), client, event); err == nil {
				f.Errorf("client %q is ended", client)
			}
		}
	}},
	{"an end of the client ends its sessions", func(f *fixture) {
		n := newSession("u_1", 0)
		n.ClientID = "c_1"
		s, err := f.store.CreateSession(f.Context(), n, event)
		f.ok(err)
		other := f.create("u_1")
		cut := f.endClient("c_1")
		read, at := f.read(s.Handle)
		f.holds(!read.Live(at), "the session is live")
		f.holds(cut.ExpiresAt.After(s.AbsoluteEnd), "the session is live again from %s to %s", cut.ExpiresAt, s.AbsoluteEnd)
		read, _ = f.read(other.Handle)
		f.same("session of another client", read, other)
	}},
	{"the cut-off of a client outlives its longest token", func(f *fixture) {
		f.ok(f.store.SwapKeys(f.Context(), 0, []issuer.StoredKey{storedKey("k1", time.Hour)}, nil, event))
		s := f.create("u_1")
		f.grant("c_1", "c_1")
		_, from := f.read(s.Handle)
		cut := f.endClient("c_1")
		f.holds(!cut.ExpiresAt.Before(from.Add(time.Hour+slack)), "it expires at %v", cut.ExpiresAt)
	}},
	{"Attack_F05 no grant outlives an end of its subject or its client", grantsAndEnds},
}

// grantsAndEnds: whatever comes together, a grant that began before an end and was made is covered by it.
func grantsAndEnds(f *fixture) {
	type made struct {
		id                 string
		epoch, clientEpoch int64
	}
	var mu sync.Mutex
	var grants []made
	var cuts []doorward.Revocation
	errs := together(12, func(i int) (err error) {
		for range 10 {
			var cut doorward.Revocation
			switch i {
			case 0:
				cut, err = f.store.EndSubject(f.Context(), "u_1", "admin", event)
			case 1:
				cut, err = f.store.EndClient(f.Context(), "c_1", event)
			default:
				n := issuer.NewGrant{Subject: "u_1", ClientID: "c_1"}
				if n.Epoch, err = f.store.Epoch(f.Context(), n.Subject); err != nil {
					return err
				}
				if n.ClientEpoch, err = f.store.Epoch(f.Context(), n.ClientID); err != nil {
					return err
				}
				id, _, err := f.store.CreateGrant(f.Context(), n, event)
				if errors.Is(err, issuer.ErrEpoch) {
					continue
				}
				if err != nil {
					return err
				}
				mu.Lock()
				grants = append(grants, made{id, n.Epoch, n.ClientEpoch})
				mu.Unlock()
				continue
			}
			if err != nil {
				return err
			}
			mu.Lock()
			cuts = append(cuts, cut)
			mu.Unlock()
		}
		return nil
	})
	f.ok(errors.Join(errs...))
	for _, g := range grants {
		var subject, client int64 // ends before the grant
		for _, cut := range cuts {
			switch {
			case cut.Before >= g.id:
			case cut.Kind == doorward.KindSubject:
				subject++
			default:
				client++
			}
		}
		f.holds(subject == g.epoch && client == g.clientEpoch,
			"grant %s began in epochs %d and %d and is past %d and %d ends", g.id, g.epoch, g.clientEpoch, subject, client)
	}
}

// grant makes an ID in the present epochs.
func (f *fixture) grant(subject, client string) string {
	f.Helper()
	id, _, err := f.store.CreateGrant(f.Context(), issuer.NewGrant{
		Subject: subject, Epoch: f.epoch(subject), ClientID: client, ClientEpoch: f.epoch(client),
	}, event)
	f.ok(err)
	return id
}

func (f *fixture) endClient(client string) doorward.Revocation {
	f.Helper()
	cut, err := f.store.EndClient(f.Context(), client, event)
	f.ok(err)
	return cut
}
