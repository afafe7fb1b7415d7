package ago_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/cmd/doorward/internal/ago"
)

// What is said is at most half a unit away from what is.
func TestWhenRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		for _, tt := range []struct {
			from time.Duration
			want string
		}{
			{0, "in 0s"},
			{59*time.Second + 499*time.Millisecond, "in 59s"},
			{59*time.Second + 500*time.Millisecond, "in 1m"},
			{89 * time.Second, "in 1m"},
			{time.Hour - time.Second, "in 60m"},
			{2*time.Hour - 31*time.Second, "in 119m"},
			{2*time.Hour - 30*time.Second, "in 2h"},
			{day - time.Second, "in 24h"},
			{day - 31*time.Minute, "in 23h"},
			{2*day - 31*time.Minute, "in 47h"},
			{2*day - time.Second, "in 2d"},
			{30*day - time.Millisecond, "in 30d"},
			{30*day - 12*time.Hour - time.Second, "in 29d"},
			{-time.Millisecond, "0s ago"},
			{-3*day + time.Second, "3d ago"},
			{-90 * time.Minute, "90m ago"},
		} {
			if got := ago.When(time.Now().Add(tt.from)); !strings.HasSuffix(got, "Z ("+tt.want+")") {
				t.Errorf("%v from now is %q, want %q", tt.from, got, tt.want)
			}
		}
	})
}
