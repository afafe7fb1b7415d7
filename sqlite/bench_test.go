package sqlite_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/doorward/doorward/issuer"
)

// callers is how many refreshes go on at once.
const callers = 32

// BenchmarkRefresh is what a refresh asks of the store: read by handle, swap. Each
// caller has a session of their own; each swap is durable when it returns.
func BenchmarkRefresh(b *testing.B) {
	s := open(b)
	b.SetParallelism(callers / runtime.GOMAXPROCS(0))
	var n atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		session, err := s.CreateSession(b.Context(), newSession(fmt.Sprint("u_", n.Add(1))), event)
		if err != nil {
			b.Error(err)
			return
		}
		for pb.Next() {
			read, at, err := s.SessionByHandle(b.Context(), session.Handle)
			if err != nil {
				b.Error(err)
				return
			}
			ch := issuer.Change{State: issuer.State{Generation: read.State.Generation + 1, HeldSince: at}, Used: true}
			if _, _, err := s.SwapSession(b.Context(), read.ID, read.Rev, ch, event); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refreshes/s")
}

// BenchmarkWrite is one durable write at a time, without others to share a commit.
func BenchmarkWrite(b *testing.B) {
	s := open(b)
	session, err := s.CreateSession(b.Context(), newSession("u_1"), event)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		session, _, err = s.SwapSession(b.Context(), session.ID, session.Rev, issuer.Change{Used: true}, event)
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSessionByHandle is a read among 1,000 cut-offs.
func BenchmarkSessionByHandle(b *testing.B) {
	s := open(b)
	session, err := s.CreateSession(b.Context(), newSession("u_1"), event)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		if _, err := s.EndSession(b.Context(), fmt.Sprint("s_", i), "x", event); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		if _, _, err := s.SessionByHandle(b.Context(), session.Handle); err != nil {
			b.Fatal(err)
		}
	}
}
