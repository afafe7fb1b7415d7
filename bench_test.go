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

var benchAlgorithms = []jwt.Algorithm{jwt.HS256, jwt.ES256, jwt.EdDSA, jwt.RS256}

// The signature is checked each time.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range benchAlgorithms {
		b.Run(string(alg), func(b *testing.B) {
			benchVerify(b, newSubject(b, alg, func(cfg *doorward.Config) { cfg.CacheSize = -1 }))
		})
	}
}

// The signature was checked before. HMAC tokens are never kept.
func BenchmarkVerifyCached(b *testing.B) {
	for _, alg := range benchAlgorithms[1:] {
		b.Run(string(alg), func(b *testing.B) { benchVerify(b, newSubject(b, alg, nil)) })
	}
}

func benchVerify(b *testing.B, s subject) {
	b.Helper()
	token := s.token(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.v.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

// A token that is well signed and refused for what it says.
func BenchmarkReject(b *testing.B) {
	for name, changes := range map[string]map[string]any{
		"expired":  {"exp": time.Now().Unix() - 1, "iat": time.Now().Unix() - 600},
		"issuer":   {"iss": "https://other.example"},
		"audience": {"aud": "https://other.example"},
	} {
		b.Run(name, func(b *testing.B) {
			s := newSubject(b, jwt.HS256, nil)
			token := s.token(b, changes)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.v.Verify(b.Context(), token); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

// The middleware in process, with the cache as it is by default.
func BenchmarkRequire(b *testing.B) {
	for _, alg := range benchAlgorithms {
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

// Check of one session against a million entries, most of which are in no cache of the processor.
func BenchmarkRevocationSet(b *testing.B) {
	const n = 1_000_000
	before := heap()
	set := doorward.NewRevocationSet(time.Hour)
	set.Confirm(time.Now())
	for i := range n {
		set.Add(doorward.Revocation{Kind: doorward.KindSession, ID: sid(i), ExpiresAt: time.Now().Add(time.Hour)})
	}
	mib := float64(heap()-before) / (1 << 20)
	for name, at := range map[string]int{"hit": 0, "miss": n} {
		b.Run(name, func(b *testing.B) {
			sids := make([]string, 1<<16)
			for i := range sids {
				sids[i] = sid(at + i*97%n)
			}
			claims := doorward.Claims{Subject: "ann", ClientID: "doorward", KeyID: "k"}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				claims.SessionID = sids[i&(len(sids)-1)]
				_ = set.Check(&claims)
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
