package issuer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/sqlite"
)

// BenchmarkRefresh is durable refreshes on SQLite, each of which rotates: by the rule, and by
// strict rotation on the same store. fsync is what the disk does meanwhile: one
// page appended and synced. With one caller a refresh cannot be faster.
func BenchmarkRefresh(b *testing.B) {
	b.Run("fsync", benchmarkFsync)
	for _, rule := range []string{"doorward", "strict"} {
		for _, callers := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("%s/callers=%d", rule, callers), func(b *testing.B) {
				node := benchIssuer(b, rule == "strict")
				benchmarkRefresh(b, node, callers)
			})
		}
	}
}

// BenchmarkRefreshAmong is a refresh among ever more sessions: what it costs does not grow with them.
func BenchmarkRefreshAmong(b *testing.B) {
	sizes := []int{1_000, 10_000, 100_000}
	if soak {
		sizes = append(sizes, 1_000_000)
	}
	for _, sessions := range sizes {
		node := benchIssuer(b, false)
		fill(b, node, sessions)
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) { benchmarkRefresh(b, node, 32) })
	}
}

// benchIssuer is an issuer on a new file, whose refreshes rotate each time.
func benchIssuer(b *testing.B, strict bool) *issuer.Issuer {
	b.Helper()
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "doorward.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	cfg := issuer.Config{
		Issuer: issuerURL, Store: store, MasterKey: masterKey, RefreshLimit: 1 << 30,
		Subjects: &people{byID: map[string]issuer.Subject{"ada": {Active: true, Scope: doorward.Scope{"orders:read"}}}},
	}
	if cfg.StrictRefresh = strict; !strict {
		cfg.Window = time.Nanosecond
	}
	node, err := issuer.New(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	return node
}

func benchLogin(b *testing.B, node *issuer.Issuer) string {
	attempt, err := node.Begin(b.Context(), "ada")
	if err != nil {
		b.Fatal(err)
	}
	set, err := node.Login(b.Context(), attempt, issuer.LoginRequest{})
	if err != nil {
		b.Fatal(err)
	}
	return set.RefreshToken
}

// fill logs in many times.
func fill(b *testing.B, node *issuer.Issuer, sessions int) {
	b.Helper()
	var all sync.WaitGroup
	for range 256 {
		all.Go(func() {
			for range sessions / 256 {
				benchLogin(b, node)
			}
		})
	}
	all.Wait()
}

// benchmarkRefresh lets callers refresh a session each. A refresh that did not rotate,
// since its millisecond was that of the one before, is not counted.
func benchmarkRefresh(b *testing.B, node *issuer.Issuer, callers int) {
	tokens := make(chan string, callers)
	for range callers {
		tokens <- benchLogin(b, node)
	}
	left := make(chan struct{}, b.N)
	for range b.N {
		left <- struct{}{}
	}
	close(left)
	b.ResetTimer()
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			token := <-tokens
			for range left {
				for before := token; token == before; {
					set, err := node.Refresh(b.Context(), token, issuer.RefreshRequest{})
					if err != nil {
						b.Error(err)
						return
					}
					token = set.RefreshToken
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refreshes/s")
}

func benchmarkFsync(b *testing.B) {
	file, err := os.Create(filepath.Join(b.TempDir(), "page"))
	if err != nil {
		b.Fatal(err)
	}
	page := make([]byte, 4096)
	for b.Loop() {
		if _, err = file.Write(page); err == nil {
			err = file.Sync()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "fsyncs/s")
}
