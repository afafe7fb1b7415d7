package sid_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/sid"
)

func TestNext(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	last := ""
	for i, at := range []time.Time{
		now, now, now.Add(time.Nanosecond), now.Add(time.Microsecond), now.Add(-24 * time.Hour), now.Add(time.Hour), now,
	} {
		id, err := sid.Next(at, "", last)
		if err != nil {
			t.Fatal(err)
		}
		if !form.MatchString(id) {
			t.Errorf("%d: %s is no UUIDv7", i, id)
		}
		if id <= last {
			t.Errorf("%d: %s is not greater than %s", i, id, last)
		}
		last = id
	}
	first, err := sid.Next(now)
	if err != nil {
		t.Fatal(err)
	}
	ms, err := strconv.ParseInt(strings.ReplaceAll(first, "-", "")[:12], 16, 64)
	if err != nil || ms != now.UnixMilli() {
		t.Errorf("the time of %s is %d, want %d (%v)", first, ms, now.UnixMilli(), err)
	}
}

func TestNextFloors(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(0x0190_0000_0000).UTC()
	tests := []struct {
		name    string
		floors  []string
		prefix  string // of the result
		wantErr bool
	}{
		{"no floor", nil, "01900000-0000-7000-", false},
		{"a floor that is over", []string{"018fffff-ffff-7fff-bfff-ffffffffffff"}, "01900000-0000-7000-", false},
		{"the greatest of this tick", []string{"01900000-0000-7000-bfff-ffffffffffff"}, "01900000-0000-7001-", false},
		{"the last tick of a millisecond", []string{"01900000-0000-7fff-8000-000000000000"}, "01900000-0001-7000-", false},
		{"the greater floor counts", []string{"01900000-0005-7000-8000-000000000000", "01900000-0003-7000-8000-000000000000"}, "01900000-0005-7001-", false},
		{"no tick is left", []string{"ffffffff-ffff-7fff-bfff-ffffffffffff"}, "", true},
		{"a floor that is no UUID", []string{"x"}, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id, err := sid.Next(now, tt.floors...)
			if (err != nil) != tt.wantErr {
				t.Fatalf("error is %v", err)
			}
			if !strings.HasPrefix(id, tt.prefix) {
				t.Errorf("ID is %s, want %s…", id, tt.prefix)
			}
		})
	}
	if _, err := sid.Next(time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil {
		t.Error("a time before 1970 makes an ID")
	}
}

// Two subjects may log in within one tick: what tells their sessions apart is random in all its 62 bits.
func TestNextIsRandom(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(0x0190_0000_0000)
	seen, ones, zeros := map[string]bool{}, uint64(0), uint64(0)
	for range 200 {
		id, err := sid.Next(now)
		if err != nil || !sid.Valid(id) || !strings.HasPrefix(id, "01900000-0000-7000-") {
			t.Fatalf("%q, %v", id, err)
		}
		low, err := strconv.ParseUint(strings.ReplaceAll(id, "-", "")[16:], 16, 64)
		if err != nil || seen[id] {
			t.Fatalf("%q came twice, or %v", id, err)
		}
		seen[id], ones, zeros = true, ones|low, zeros|^low
	}
	const varies = 1<<62 - 1
	if ones&varies != varies || zeros&varies != varies || ones>>62 != 2 {
		t.Errorf("bits that are ever 1: %064b, ever 0: %064b", ones, zeros)
	}
}

// First is no greater than what is made at its time, and greater than what was made before.
func TestFirst(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(0x0190_0000_0000)
	for range 20 {
		same, err1 := sid.Next(at)
		before, err2 := sid.Next(at.Add(-time.Microsecond))
		if first := sid.First(at); err1 != nil || err2 != nil || !sid.Valid(first) || first > same || first <= before {
			t.Errorf("%s before, %s first, %s at the same time, %v, %v", before, first, same, err1, err2)
		}
	}
	for _, at := range []time.Time{time.UnixMilli(-1), time.UnixMilli(1 << 48)} {
		if first := sid.First(at); first != "" {
			t.Errorf("%v: %q, want none", at, first)
		}
	}
	for _, at := range []time.Time{time.UnixMilli(0), time.UnixMilli(1<<48 - 1)} {
		if first := sid.First(at); !sid.Valid(first) {
			t.Errorf("%v: %q, want an ID", at, first)
		}
	}
}
