package quota_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/quota"
)

func TestBudget_Attack_E06(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	b := quota.NewBudget[string](quota.Limits{Each: 2, All: 4})
	for n, step := range []struct {
		key   string
		after time.Duration
		want  time.Duration
	}{
		{"a", 0, 0},
		{"a", time.Second, 0},
		{"a", time.Second, 59 * time.Second}, // spent, and not counted for all
		{"b", time.Second, 0},
		{"", time.Second, 0},
		{"", 2 * time.Second, 58 * time.Second}, // all are spent
		{"c", 2 * time.Second, 58 * time.Second},
		{"a", time.Minute, 0},
		{"a", time.Minute, 0},
		{"a", time.Minute, time.Minute},
		{"a", -time.Hour, 0}, // The clock went back: a new minute.
	} {
		if got := b.Take(step.key, now.Add(step.after)); got != step.want {
			t.Errorf("step %d: %q after %v waits %v, want %v", n, step.key, step.after, got, step.want)
		}
	}
}

func TestBudgetGive(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	b := quota.NewBudget[string](quota.Limits{Each: 1, All: 2})
	for range 5 {
		if wait := b.Take("a", now); wait != 0 {
			t.Fatalf("given back and not there: wait %v", wait)
		}
		b.Give("a", now)
	}
	b.Take("a", now)
	later := now.Add(time.Minute)
	b.Take("a", later)
	b.Give("a", now) // of the minute before
	if b.Take("a", later) == 0 {
		t.Error("a gift of the last minute counts in this one")
	}
}

// Of takes that come at once no more succeed than the limits say.
func TestBudgetTogether_Attack_E06(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	b := quota.NewBudget[int](quota.Limits{Each: 10, All: 25})
	var taken atomic.Int64
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			if b.Take(i%4+1, now) == 0 {
				taken.Add(1)
			}
		})
	}
	wg.Wait()
	if taken.Load() != 25 {
		t.Errorf("%d taken, want 25", taken.Load())
	}
}

// However many keys strangers have, the memory is bounded, and who was there first keeps a limit.
func TestBudgetBound_Attack_E06(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	b := quota.NewBudget[int](quota.Limits{Each: 1, All: 1 << 30})
	for key := 1; key <= 4*quota.MaxKeys; key++ {
		if wait := b.Take(key, now); wait != 0 {
			t.Fatalf("key %d waits %v", key, wait)
		}
	}
	if b.Take(1, now) == 0 || b.Take(quota.MaxKeys+1, now) != 0 {
		t.Error("the first key has no limit, or one beyond the bound has")
	}
}
