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
		{"a", -time.Hour, true}, // The clock went back: a new minute.
	} {
		if got := q.Allow(step.key, 2, start.Add(step.after)); got != step.want {
			t.Errorf("step %d: %s after %v: %t, want %t", n, step.key, step.after, got, step.want)
		}
	}
}
