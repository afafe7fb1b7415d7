// Package storetest is the conformance suite of stores, which doorwardtest.TestStore runs.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// Run is doorwardtest.TestStore.
func Run(t *testing.T, open func(t *testing.T) issuer.Store) {
	groups := []struct {
		name  string
		tests []storeTest
	}{
		{"session", sessionTests},
		{"end", endTests},
		{"grant", grantTests},
		{"list", listTests},
		{"revocations", revocationTests},
		{"keys", keyTests},
		{"together", concurrencyTests},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range g.tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					test.run(&fixture{T: t, store: open(t)})
				})
			}
		})
	}
}

type storeTest struct {
	name string
	run  func(f *fixture)
}

// fixture is one subtest with its own store.
type fixture struct {
	*testing.T
	store issuer.Store
}

var event = issuer.Event{Kind: "test", Actor: "storetest", Address: "192.0.2.1", RequestID: "r1"}

func newSession(subject string, epoch int64) issuer.NewSession {
	n := issuer.NewSession{
		Subject:  subject,
		Epoch:    epoch,
		ClientID: "doorward",
		Scope:    doorward.Scope{"orders:read", "orders:write"},
		Audience: "https://api.example.com",
		Claims:   json.RawMessage(`{"tenant":"zürich","deep":{"a":[1,2]}}`),
		Idle:     time.Hour,
		Absolute: 2 * time.Hour,
	}
	rand.Read(n.Handle[:])
	return n
}

// create inserts a session with the present epoch of its subject.
func (f *fixture) create(subject string) issuer.Session {
	f.Helper()
	s, err := login(f.Context(), f.store, subject)
	f.ok(err)
	return s
}

// login reads the epoch and inserts a session, as an issuer does.
func login(ctx context.Context, store issuer.Store, subject string) (issuer.Session, error) {
	epoch, err := store.Epoch(ctx, subject)
	if err != nil {
		return issuer.Session{}, err
	}
	return store.CreateSession(ctx, newSession(subject, epoch), event)
}

// read returns the session of a handle and the store's time.
func (f *fixture) read(handle issuer.Digest) (issuer.Session, time.Time) {
	f.Helper()
	s, at, err := f.store.SessionByHandle(f.Context(), handle)
	f.ok(err)
	return s, at
}

func (f *fixture) swap(s issuer.Session, ch issuer.Change) (issuer.Session, time.Time) {
	f.Helper()
	s, at, err := f.store.SwapSession(f.Context(), s.ID, s.Rev, ch, event)
	f.ok(err)
	return s, at
}

func (f *fixture) epoch(subject string) int64 {
	f.Helper()
	epoch, err := f.store.Epoch(f.Context(), subject)
	f.ok(err)
	return epoch
}

// since returns one page of the log.
func (f *fixture) since(after issuer.Cursor) issuer.RevocationPage {
	f.Helper()
	page, err := f.store.RevocationsSince(f.Context(), after)
	f.ok(err)
	return page
}

// log returns every cut-off that has not expired.
func (f *fixture) log() []doorward.Revocation {
	f.Helper()
	return f.since("").Entries
}

func (f *fixture) list(q issuer.SessionQuery) []issuer.Session {
	f.Helper()
	list, err := f.store.Sessions(f.Context(), q)
	f.ok(err)
	return list
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) fails(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Fatalf("error is %v, want %v", err, want)
	}
}

func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if !reflect.DeepEqual(got, want) {
		f.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func (f *fixture) holds(fact bool, format string, args ...any) {
	f.Helper()
	if !fact {
		f.Fatalf(format, args...)
	}
}

// together runs n functions at once and returns their errors, by number.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

func ids(list []issuer.Session) []string {
	ids := make([]string, len(list))
	for i, s := range list {
		ids[i] = s.ID
	}
	return ids
}

func reversed(list []string) []string {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}
