package quota_test

import (
	"testing"
	"time"

	"github.com/doorward/doorward/internal/quota"
)

func TestPerMinute(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var q quota.PerMinute[string]
	for n, step := range []struct {
		key   string
		after time.Duration
		want  bool
	}{
		{"a", 0, true},
		{"a", 1, true},
		{"a", 2, false},
		{"b", 2, true},
		{"a", time.Minute - 1, false},
		{"a", time.Minute, true},
		{"a", time.Minute, true},
		{"a", time.Minute, false},
		{"a", -time.Hour, true}, // The clock went back: a new minute.
	} {
		if got := q.Allow(step.key, 2, start.Add(step.after)); got != step.want {
			t.Errorf("step %d: %s after %v: %t, want %t", n, step.key, step.after, got, step.want)
		}
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	var s quota.Spread
	now := time.Unix(1_800_000_000, 0)
	for i := 1; i <= 3; i++ {
		if got := s.Add("a", now.Add(time.Duration(i-1)*29*time.Second)); got != i {
			t.Errorf("%d of %d", got, i)
		}
	}
	for name, at := range map[string]time.Time{"a minute later": now.Add(time.Minute), "the clock went back": now.Add(-time.Hour)} {
		if got := s.Add("a", at); got != 1 {
			t.Errorf("%s: %d", name, got)
		}
	}
}
