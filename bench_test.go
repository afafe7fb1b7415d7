package doorward_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

func BenchmarkVerify(b *testing.B) {
	for _, bb := range []struct {
		name  string
		alg   jwt.Algorithm
		cache int
	}{
		{"HS256", jwt.HS256, -1},
		{"EdDSA", jwt.EdDSA, -1},
		{"EdDSA cached", jwt.EdDSA, 0},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s := newSubject(b, bb.alg, func(cfg *doorward.Config) { cfg.CacheSize = bb.cache })
			token := s.token(b, nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.v.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRequire(b *testing.B) {
	for _, alg := range []jwt.Algorithm{jwt.HS256, jwt.EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			s := newSubject(b, alg, nil)
			h := s.v.Require(doorward.HasScope("orders:read"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			r.Header.Set("Authorization", "Bearer "+s.token(b, nil))
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				delete(w.Header(), "Vary")
				h.ServeHTTP(w, r)
			}
		})
	}
}

func BenchmarkRevocationSet(b *testing.B) {
	const n = 1 << 20
	before := heap()
	set := doorward.NewRevocationSet(time.Hour)
	set.Confirm(time.Now())
	for i := range n {
		set.Add(doorward.Revocation{Kind: doorward.KindSession, ID: sid(i), ExpiresAt: time.Now().Add(time.Hour)})
	}
	mib := float64(heap()-before) / (1 << 20)
	for name, at := range map[string]int{"hit": 0, "miss": n} {
		b.Run(name, func(b *testing.B) {
			claims := make([]doorward.Claims, 1<<12)
			for i := range claims {
				claims[i] = doorward.Claims{SessionID: sid(at + i*97%n), Subject: "ann", ClientID: "doorward", KeyID: "k"}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				_ = set.Check(&claims[i&(len(claims)-1)])
				i++
			}
			b.ReportMetric(mib, "MiB")
		})
	}
	runtime.KeepAlive(set)
}

// sid returns the i-th of many sids, in ascending order.
func sid(i int) string { return fmt.Sprintf("01900000-0000-7000-8000-%012x", i) }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
