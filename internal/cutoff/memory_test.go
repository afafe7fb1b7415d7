//go:build !race

package cutoff_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/cutoff"
)

// A million sessions may take 60 MiB, at their worst moment: just after the parts have grown.
func TestMemory(t *testing.T) {
	before, s, worst := heap(), cutoff.NewSet(), 0.0
	for i := range 450_000 {
		s.EndSession(fmt.Sprintf("01900000-0000-7000-8000-%012x", i), time.Now().Add(time.Hour))
		if i >= 100_000 && i%50_000 == 0 {
			worst = max(worst, float64(heap()-before)/float64(i))
		}
	}
	if worst > 60 {
		t.Errorf("%.1f bytes for an entry", worst)
	}
	if got := testing.AllocsPerRun(100, func() { s.Ends(cutoff.Target{Session: low, Subject: "a", Client: "b", Key: "c"}) }); got != 0 {
		t.Errorf("Ends takes %v allocations", got)
	}
	t.Logf("%.1f bytes for an entry, %d entries", worst, s.Len())
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
