package accounts_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
)

var (
	alice = [32]byte{1}
	bob   = [32]byte{2}
)

func (f *fixture) reserve(key [32]byte, limit int) bool {
	f.Helper()
	_, counted := f.reserveUntil(key, limit)
	return counted
}

// reserveUntil is reserve and returns when the window ends, too.
func (f *fixture) reserveUntil(key [32]byte, limit int) (time.Time, bool) {
	f.Helper()
	ends, wait, err := f.Reserve(f.Context(), key, limit, time.Hour, event)
	f.OK(err)
	if wait < 0 || wait > time.Hour {
		f.Fatalf("wait is %v", wait)
	}
	return ends, wait == 0
}

func TestReserve(t *testing.T) {
	t.Parallel()
	f := open(t)
	ends, counted := f.reserveUntil(alice, 3)
	f.Same("try of alice", counted, true)
	for i := 1; i < 5; i++ {
		f.Same("try of alice", f.reserve(alice, 3), i < 3)
	}
	bobs, counted := f.reserveUntil(bob, 3)
	f.Same("try of bob", counted, true)
	// The first refusal of a window is on record, and no other.
	f.Same("events", len(f.Audit()), 1)

	f.OK(f.Release(t.Context(), alice, ends))
	f.Same("after a release", f.reserve(alice, 3), true)
	f.Same("and again", f.reserve(alice, 3), false)
	f.OK(f.Clear(t.Context(), alice))
	for i := range 4 {
		f.Same("after a clear", f.reserve(alice, 3), i < 3)
	}
	f.Same("events", len(f.Audit()), 2)
	f.OK(f.Release(t.Context(), [32]byte{9}, ends), f.Clear(t.Context(), [32]byte{9}))
	for range 9 {
		f.OK(f.Release(t.Context(), bob, bobs))
	}
	for i := range 4 {
		f.Same("a release of nothing is no credit", f.reserve(bob, 3), i < 3)
	}
	for _, bad := range []error{
		third(f.Reserve(t.Context(), bob, 0, time.Hour, event)),
		third(f.Reserve(t.Context(), bob, 1, 0, event)),
	} {
		if bad == nil {
			t.Error("a limit or window of 0 is accepted")
		}
	}
}

func third(_ time.Time, _ time.Duration, err error) error { return err }

// The window ends by the clock. One that was opened by a clock a day ahead is over.
func TestReserveWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		reserve := func(want time.Duration) {
			t.Helper()
			_, wait, err := f.Reserve(t.Context(), alice, 2, 10*time.Minute, event)
			if err != nil || wait != want {
				t.Errorf("wait %v, %v; want %v", wait, err, want)
			}
		}
		reserve(0)
		time.Sleep(4 * time.Minute)
		reserve(0)
		reserve(6 * time.Minute)
		time.Sleep(6*time.Minute - time.Millisecond)
		reserve(time.Millisecond)
		time.Sleep(time.Millisecond)
		for range 2 {
			reserve(0)
			reserve(0)
			reserve(10 * time.Minute)
			reserve(10 * time.Minute)
			_, err := f.DB.ExecContext(t.Context(), `UPDATE tries SET ends_at = ends_at + 86400000`)
			f.OK(err)
		}
		f.Same("events, one for each window", len(f.Audit()), 3)
	})
}

func TestReserveTogether(t *testing.T) {
	t.Parallel()
	f := open(t)
	var admitted atomic.Int32
	errs := sqlstoretest.Together(100, func(int) error {
		_, wait, err := f.Reserve(t.Context(), alice, 10, time.Hour, event)
		if wait == 0 && err == nil {
			admitted.Add(1)
		}
		return err
	})
	f.OK(errors.Join(errs...))
	f.Same("admitted", admitted.Load(), int32(10))
	f.Same("events", len(f.Audit()), 1)
}

// A flood of tries that are all given back leaves no row.
func TestReleaseLeavesNothing(t *testing.T) {
	t.Parallel()
	f := open(t)
	for i := range 20 {
		key := [32]byte{byte(i)}
		ends, _ := f.reserveUntil(key, 3)
		f.OK(f.Release(t.Context(), key, ends))
	}
	var rows int
	f.OK(f.DB.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM tries`).Scan(&rows))
	f.Same("rows", rows, 0)
}
