package sqlstoretest

import (
	"database/sql"
	"errors"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// Event is what changes are recorded with.
var Event = issuer.Event{Kind: "test", Actor: "cli:root", Address: "192.0.2.1", RequestID: "r1", Reason: "why"}

// Fixture is a new store and, beside it, a look at its tables.
type Fixture struct {
	*testing.T
	Whole
	DB *sql.DB
}

// Open makes a store, which is closed when the test ends.
func Open(t *testing.T) *Fixture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "doorward.db")
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(db.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return &Fixture{T: t, Whole: In(s.Store), DB: db}
}

// Audit returns the events on record, oldest first.
func (f *Fixture) Audit() (events []issuer.Event) {
	f.Helper()
	rows, err := f.DB.QueryContext(f.Context(), `
		SELECT kind, actor, address, request_id, subject, session, reason FROM audit ORDER BY seq`)
	f.OK(err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var e issuer.Event
		f.OK(rows.Scan(&e.Kind, &e.Actor, &e.Address, &e.RequestID, &e.Subject, &e.Session, &e.Reason))
		events = append(events, e)
	}
	f.OK(rows.Err())
	return events
}

// OK ends the test with the errors that are not nil.
func (f *Fixture) OK(errs ...error) {
	f.Helper()
	if err := errors.Join(errs...); err != nil {
		f.Fatal(err)
	}
}

// Fails wants an error.
func (f *Fixture) Fails(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Fatalf("error is %v, want %v", err, want)
	}
}

// Same compares.
func (f *Fixture) Same(what string, got, want any) {
	f.Helper()
	if !reflect.DeepEqual(got, want) {
		f.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// Together runs n functions at once and returns their errors, by number.
func Together(n int, f func(i int) error) []error {
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
