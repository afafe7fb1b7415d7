package sqlstore_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

var event = issuer.Event{Kind: "test", Actor: "cli:root", Address: "192.0.2.1", RequestID: "r1", Reason: "why"}

// fixture is a new store and, beside it, a look at its tables.
type fixture struct {
	*testing.T
	sqlstoretest.Whole
	db *sql.DB
}

func open(t *testing.T) *fixture {
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
	return &fixture{T: t, Whole: sqlstoretest.In(s.Store), db: db}
}

// audit returns the events on record, oldest first.
func (f *fixture) audit() (events []issuer.Event) {
	f.Helper()
	rows, err := f.db.QueryContext(f.Context(), `
		SELECT kind, actor, address, request_id, subject, session, reason FROM audit ORDER BY seq`)
	f.ok(err)
	defer rows.Close()
	for rows.Next() {
		var e issuer.Event
		f.ok(rows.Scan(&e.Kind, &e.Actor, &e.Address, &e.RequestID, &e.Subject, &e.Session, &e.Reason))
		events = append(events, e)
	}
	f.ok(rows.Err())
	return events
}

func (f *fixture) ok(errs ...error) {
	f.Helper()
	if err := errors.Join(errs...); err != nil {
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
