package remote_test

import (
	"testing"
	"time"
	"unsafe"

	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/remote"
)

// Attack_G01, Attack_G04: the clocks differ. A machine that sleeps has a monotonic clock that stands still; a wall clock
// can be set. A set is as old as the clock says that makes it older, and the cool-down goes by the monotonic one, so
// that no jump of the other opens it or keeps it shut. A bubble has one clock alone, so these run outside of one.
func TestClocksDiffer(t *testing.T) {
	t.Parallel()
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	for _, tt := range []struct {
		name            string
		monotonic, wall time.Duration // since the first fetch
		kid             string
		wantErr         error
		wantFetches     int // more than the first
	}{
		{"no time", 0, 0, "good", nil, 0},
		{"no time, unknown kid", 0, 0, "other", jwt.ErrKey, 0},
		{"both go on", 31 * time.Second, 31 * time.Second, "other", jwt.ErrKey, 1},
		{"both go on, max-age over", 5 * time.Minute, 5 * time.Minute, "good", nil, 1},

		{"slept an hour", 0, time.Hour, "good", nil, 0},
		{"slept an hour, awake a while", 31 * time.Second, time.Hour, "good", nil, 1},
		{"slept a day", 0, day, "good", remote.ErrUnavailable, 0},
		{"slept a day, awake a while", 31 * time.Second, day, "good", nil, 1},

		{"set back an hour", 29 * time.Second, -time.Hour, "other", jwt.ErrKey, 0},
		{"set back an hour, cool-down over", 31 * time.Second, -time.Hour, "other", jwt.ErrKey, 1},
		{"set back an hour, max-age over", 5 * time.Minute, -time.Hour, "good", nil, 1},
		{"set back a year, last good too old", day, -year, "withdrawn", jwt.ErrKey, 1},

		{"set forward an hour, unknown kid", 29 * time.Second, time.Hour, "other", jwt.ErrKey, 0},
		{"set forward a year, unknown kid", 29 * time.Second, year, "other", remote.ErrUnavailable, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			good := newKey(t, "good")
			f.set(serves(setOf(t, good, newKey(t, "withdrawn"))))
			f.want(t, "good", nil)
			f.set(serves(setOf(t, good)))
			f.keys.Backdate(func(at time.Time) time.Time { return shiftMonotonic(at.Add(-tt.wall), tt.wall-tt.monotonic) })
			f.want(t, tt.kid, tt.wantErr)
			f.keys.Wait()
			if got := f.requests() - 1; got != tt.wantFetches {
				t.Errorf("%d more fetches, want %d", got, tt.wantFetches)
			}
		})
	}
}

// shiftMonotonic moves the monotonic reading alone, which package time has no means to do.
func shiftMonotonic(t time.Time, d time.Duration) time.Time {
	(*[2]int64)(unsafe.Pointer(&t))[1] += int64(d)
	return t
}
