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
