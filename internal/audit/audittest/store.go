// Package audittest checks that a store of the audit record does what package audit asks of
// it, on a real database, and that tampering with that database by hand is noticed.
package audittest

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/issuer"
)

// Open opens the database of a folder, which is empty the first time, and a second connection to it that is not the
// store's. Both are closed in t.Cleanup; several Stores of one folder may be open at once.
type Open func(t *testing.T, dir string) (audit.Store, *sql.DB)

// TestStore checks a store, each promise in a subtest of its own.
func TestStore(t *testing.T, open Open) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			f := &fixture{T: t, master: issuer.GenerateMasterKey(), again: func() audit.Store { s, _ := open(t, dir); return s }}
			f.store, f.db = open(t, dir)
			test.run(f)
		})
	}
}

var tests = []struct {
	name string
	run  func(f *fixture)
}{
	{"records are found by each of their fields", testSearch},
	{"records are searched in pages", testSearchPages},
	{"a search for what cannot be", testSearchRefused},
	{"what is sealed verifies, and nothing is sealed twice", testSeal},
	{"the first broken block is named", testTampering},
	{"a tail that was cut is seen with a head", testHead},
	{"blocks of another record do not fit", testForeign},
	{"keys rotate, and old blocks verify", testRotate},
	{"retention leaves a chain that verifies", testRetention},
	{"retention and seal while the record is verified", testOvertaken},
	{"what is broken is not deleted", testBrokenStays},
	{"a front that was cut is no retention", testFront},
	{"a clock that goes back", testClock},
	{"several processes seal each record once", testTogether},
}

// fixture is one subtest with its own database.
type fixture struct {
	*testing.T
	store audit.Store
	db    *sql.DB
	again func() audit.Store // another Store on the same database

	master issuer.MasterKey
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

// exec tampers with the database.
func (f *fixture) exec(query string, args ...any) {
	f.Helper()
	_, err := f.db.ExecContext(f.Context(), query, args...)
	f.ok(err)
}
