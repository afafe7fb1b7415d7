package masterkey_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/masterkey"
	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/postgres"
	"github.com/doorward/doorward/sqlite"
)

const url = "https://auth.example.com"

var event = issuer.Event{Actor: "cli:root"}

// people are the subjects: everybody is active.
type people struct{}

func (people) Subject(context.Context, string) (issuer.Subject, error) {
	return issuer.Subject{Active: true}, nil
}

func onEach(t *testing.T, f func(*testing.T, *world)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "doorward.db"))
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
		f(t, fill(t, sqlstoretest.In(s.Store)))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		s, err := postgres.Open(t.Context(), postgres.Config{URL: postgrestest.URL(t)})
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
		f(t, fill(t, sqlstoretest.In(s.Store)))
	})
}

// world is a store with several keys of each kind, a session and a sealed record, and what runs on it.
type world struct {
	*testing.T
	store    sqlstoretest.Whole
	old, new issuer.MasterKey
	issuer   *issuer.Issuer
	sealer   *audit.Sealer // which makes a new key for each block
	refresh  string
}

func fill(t *testing.T, store sqlstoretest.Whole) *world {
	t.Helper()
	w := &world{T: t, store: store, old: issuer.GenerateMasterKey(), new: issuer.GenerateMasterKey()}
	w.issuer = w.open(w.old)
	_, err := w.issuer.RotateKey(t.Context(), event)
	must(t, err)
	attempt, err := w.issuer.Begin(t.Context(), "ada")
	must(t, err)
	tokens, err := w.issuer.Login(t.Context(), attempt, issuer.LoginRequest{})
	must(t, err)
	w.refresh = tokens.RefreshToken
	w.sealer, err = audit.NewSealer(audit.Config{Store: store, MasterKey: w.old, KeyTTL: time.Nanosecond})
	must(t, err)
	for range 2 {
		must(t, store.Record(t.Context(), issuer.Event{Kind: "test"}), w.sealer.Seal(t.Context()))
	}
	must(t, store.Record(t.Context(), issuer.Event{Kind: "test"})) // which waits
	return w
}

func (w *world) config(master issuer.MasterKey) issuer.Config {
	return issuer.Config{Issuer: url, Store: w.store, MasterKey: master, Subjects: people{}}
}

func (w *world) open(master issuer.MasterKey) *issuer.Issuer {
	w.Helper()
	iss, err := issuer.New(w.Context(), w.config(master))
	must(w, err)
	return iss
}

// state is all that is sealed in the store, and how much is on record.
type state struct {
	Ring    issuer.KeyRing
	Audit   []audit.StoredKey
	Waiting int64
}

func (w *world) state() (s state) {
	w.Helper()
	var err1, err2, err3 error
	s.Ring, err1 = w.store.KeyRing(w.Context())
	s.Audit, err2 = w.store.AuditKeys(w.Context())
	s.Waiting, _, err3 = w.store.AuditWaiting(w.Context())
	must(w, err1, err2, err3)
	return s
}

// unchanged checks that f fails with want and writes nothing.
func (w *world) unchanged(want error, f func() error) {
	w.Helper()
	before := w.state()
	if err := f(); !errors.Is(err, want) {
		w.Errorf("%v, want %v", err, want)
	}
	if after := w.state(); !reflect.DeepEqual(after, before) {
		w.Errorf("it was refused, and changed the store from\n%+v to\n%+v", before, after)
	}
}

// Everything opens under the new key and nothing under the old one. The keys and what they made are the same.
func TestReplace(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		before := w.state()
		list, err := w.issuer.KeyList(t.Context())
		must(t, err)
		if len(before.Ring.Keys) < 3 || len(before.Audit) < 2 {
			t.Fatalf("there are too few keys: %+v", before)
		}
		must(t, masterkey.Replace(t.Context(), w.store.Store, w.old, w.new, event))

		after := w.state()
		if after.Ring.Rev <= before.Ring.Rev || after.Waiting != before.Waiting+1 {
			t.Errorf("revision %d after %d, %d records wait after %d", after.Ring.Rev, before.Ring.Rev, after.Waiting, before.Waiting)
		}
		found, err := w.store.SearchAudit(t.Context(), audit.Query{Kinds: []issuer.EventKind{masterkey.EventReplace}, Limit: 2})
		must(t, err)
		if len(found) != 1 || found[0].Actor != event.Actor {
			t.Errorf("on record is %+v", found)
		}
		if _, err := issuer.New(t.Context(), w.config(w.old)); !errors.Is(err, issuer.ErrMasterKey) {
			t.Errorf("the old key: %v, want ErrMasterKey", err)
		}
		if _, err := audit.OpenKeys(w.old, after.Audit); !errors.Is(err, issuer.ErrMasterKey) {
			t.Errorf("the old key, for the audit record: %v, want ErrMasterKey", err)
		}
		iss := w.open(w.new)
		again, err := iss.KeyList(t.Context())
		must(t, err)
		if !reflect.DeepEqual(again, list) || !reflect.DeepEqual(iss.JWKS(), w.issuer.JWKS()) {
			t.Errorf("the keys are\n%+v and were\n%+v", again, list)
		}
		_, err = iss.Refresh(t.Context(), w.refresh, issuer.RefreshRequest{})
		must(t, err)
		sealer, err := audit.NewSealer(audit.Config{Store: w.store, MasterKey: w.new})
		must(t, err, sealer.Seal(t.Context()))
		_, err = audit.Verify(t.Context(), w.store, w.new, nil, func(int64, int64) {})
		must(t, err)
		must(t, masterkey.Replace(t.Context(), w.store.Store, w.new, w.old, event)) // back
		w.open(w.old)
	})
}

// What is refused changes nothing, also where one key alone is not sealed under the old one.
func TestReplaceAllOrNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		replace := func(from, to issuer.MasterKey) func() error {
			return func() error { return masterkey.Replace(t.Context(), w.store.Store, from, to, event) }
		}
		w.unchanged(issuer.ErrMasterKey, replace(w.new, w.old))
		w.unchanged(issuer.ErrMasterKey, replace(w.old, issuer.MasterKey{}))
		w.unchanged(issuer.ErrMasterKey, replace(issuer.MasterKey{}, w.new))
		ring := w.state().Ring
		other := issuer.StoredKey{ID: "stray", Purpose: issuer.PurposeSign, Algorithm: jwt.EdDSA, Sealed: []byte("under another master key")}
		must(t, w.store.SwapKeys(t.Context(), ring.Rev, append(ring.Keys[:1:1], other), nil, event))
		w.unchanged(issuer.ErrMasterKey, replace(w.old, w.new))
		must(t, w.store.SwapKeys(t.Context(), ring.Rev+1, ring.Keys, nil, event))
		stray := audit.StoredKey{Number: 99, ID: "dwa_stray", Sealed: []byte("under another master key"), CreatedAt: time.Now()}
		must(t, w.store.AddAuditKey(t.Context(), stray, issuer.Event{Kind: "test"}))
		w.unchanged(issuer.ErrMasterKey, replace(w.old, w.new))
	})
}

// Who still runs under the old key goes on, and adds no key that the others cannot read.
func TestReplaceBesideOthers(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		must(t, masterkey.Replace(t.Context(), w.store.Store, w.old, w.new, event))
		w.unchanged(issuer.ErrMasterKey, func() error {
			_, err := w.issuer.RotateKey(t.Context(), event)
			return err
		})
		w.unchanged(issuer.ErrMasterKey, func() error { return w.sealer.Seal(t.Context()) })
		w.unchanged(issuer.ErrMasterKey, func() error {
			_, err := w.sealer.Rotate(t.Context(), event)
			return err
		})
		_, err := w.issuer.Refresh(t.Context(), w.refresh, issuer.RefreshRequest{})
		must(t, err)
	})
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
