//go:build !race && unix

package doorward_test

import (
	"errors"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward"
)

// Attack_F11: what live revocations cost by their number, in the long form up to ten million: memory, a look at
// one of them, and how long the garbage collector stops the program for them.
func TestRevocationSetSizes(t *testing.T) {
	sizes := []int{1_000, 100_000, 1_000_000}
	if os.Getenv("DOORWARD_SOAK") != "" {
		sizes = append(sizes, 10_000_000)
	}
	const entry = 60 // bytes, at most
	for _, n := range sizes {
		before := heap()
		set := doorward.NewRevocationSet(time.Hour)
		set.Confirm(time.Now())
		end := time.Now().Add(time.Hour)
		for i := range n {
			set.Add(doorward.Revocation{Kind: doorward.KindSession, ID: sid(i), ExpiresAt: end})
		}
		bytes := int64(heap() - before)
		if bytes > int64(n)*entry+64<<10 {
			t.Errorf("%d revocations take %d bytes", n, bytes)
		}
		live, ended := lookAt(t, set, n, n, nil), lookAt(t, set, 0, n, doorward.ErrRevoked)
		pause, each := collections()
		t.Logf("%d revocations: %.1f MiB; a look takes %v, at a revoked session %v; a run of the collector stops the program twice for %v, and takes %v (processor time)",
			n, float64(max(bytes, 0))/(1<<20), live, ended, pause, each)
		runtime.KeepAlive(set)
	}
}

// lookAt returns how long a look at a set takes, for many of n sessions from the first on.
func lookAt(t *testing.T, set *doorward.RevocationSet, first, n int, want error) time.Duration {
	t.Helper()
	const looks = 1 << 18
	sids := make([]string, 1<<16) // more than the processor's first caches hold
	for i := range sids {
		sids[i] = sid(first + i*97%n)
	}
	claims := doorward.Claims{Subject: "ann", ClientID: "doorward", KeyID: "k"}
	begun := processorTime(t)
	for i := range looks {
		claims.SessionID = sids[i%len(sids)]
		if err := set.Check(&claims); !errors.Is(err, want) {
			t.Fatal(err)
		}
	}
	return (processorTime(t) - begun) / looks
}

// collections lets the garbage collector run some times, and returns the median of its pauses and the processor time of
// one run. The longest pause is the machine's doing as often as the collector's.
func collections() (pause, each time.Duration) {
	const rounds = 20
	samples := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}, {Name: "/cpu/classes/gc/total:cpu-seconds"}}
	read := func() (counts []uint64, bounds []float64, spent float64) {
		metrics.Read(samples)
		h := samples[0].Value.Float64Histogram()
		return slices.Clone(h.Counts), h.Buckets, samples[1].Value.Float64()
	}
	before, bounds, spent := read()
	for range rounds {
		runtime.GC()
	}
	after, _, now := read()
	each = time.Duration((now - spent) / rounds * float64(time.Second))
	var seen uint64
	for i := range after {
		if seen += after[i] - before[i]; seen >= rounds { // Each run stops the program twice.
			return time.Duration(bounds[i+1] * float64(time.Second)), each
		}
	}
	return 0, each
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
