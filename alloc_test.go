//go:build !race

package doorward_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

func TestAllocsVerify(t *testing.T) {
	for _, tt := range []struct {
		name    string
		alg     jwt.Algorithm
		cache   int
		corrupt bool
		want    float64
	}{
		{name: "HS256 cold", alg: jwt.HS256, want: 2},
		{name: "EdDSA cold", alg: jwt.EdDSA, cache: -1, want: 2},
		{name: "ES256 cold", alg: jwt.ES256, cache: -1, want: 13},
		{name: "RS256 (2048 bits) cold", alg: jwt.RS256, cache: -1, want: 11},
		{name: "EdDSA cached", alg: jwt.EdDSA, want: 0},
		{name: "ES256 cached", alg: jwt.ES256, want: 0},
		{name: "HS256 garbage", alg: jwt.HS256, corrupt: true, want: 0},
		{name: "EdDSA garbage", alg: jwt.EdDSA, corrupt: true, want: 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSubject(t, tt.alg, func(cfg *doorward.Config) {
				cfg.CacheSize = tt.cache
				set := doorward.NewRevocationSet(time.Hour)
				set.Confirm(time.Now())
				set.Add(doorward.Revocation{Kind: doorward.KindSubject, ID: "someone else"})
				cfg.Revocations = set
			})
			raw := s.token(t, nil)
			if _, err := s.v.Verify(t.Context(), raw); err != nil {
				t.Fatal(err)
			}
			if tt.corrupt {
				raw = raw[:len(raw)-8] + "!" + raw[len(raw)-7:]
			}
			got := testing.AllocsPerRun(200, func() {
				if _, err := s.v.Verify(t.Context(), raw); (err != nil) != tt.corrupt {
					t.Fatal(err)
				}
			})
			t.Logf("%v allocations", got)
			if got > tt.want {
				t.Errorf("%v allocations, want at most %v", got, tt.want)
			}
		})
	}
}

func TestAllocsRequire(t *testing.T) {
	for _, tt := range []struct {
		alg  jwt.Algorithm
		want float64
	}{{jwt.HS256, 4}, {jwt.EdDSA, 2}} {
		t.Run(string(tt.alg), func(t *testing.T) {
			s := newSubject(t, tt.alg, nil)
			h := s.v.Require(doorward.HasScope("orders:read"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			r.Header.Set("Authorization", "Bearer "+s.token(t, nil))
			w := httptest.NewRecorder()
			got := testing.AllocsPerRun(200, func() {
				delete(w.Header(), "Vary")
				h.ServeHTTP(w, r)
			})
			t.Logf("%v allocations", got)
			if got > tt.want {
				t.Errorf("%v allocations, want at most %v", got, tt.want)
			}
		})
	}
}

func TestAllocsRevocationSet(t *testing.T) {
	set := doorward.NewRevocationSet(time.Hour)
	set.Confirm(time.Now())
	set.Add(doorward.Revocation{Kind: doorward.KindSubject, ID: "ann", Before: "01900000-0000-7000-8000-000000000000"})
	c := &doorward.Claims{Subject: "ann", ClientID: "doorward", SessionID: "01900000-0000-7000-8000-000000000001", KeyID: "k"}
	if err := set.Check(c); err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(200, func() { _ = set.Check(c) }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

// A joined verifier adds nothing, whichever issuer's token comes.
func TestAllocsAnyOf(t *testing.T) {
	p := newPair(t, jwt.EdDSA, jwt.EdDSA, false)
	for name, raw := range map[string]string{
		"first":   p.a.token(t, nil),
		"second":  sign(t, p.b.key, "JWT", changed(map[string]any{"iss": otherIssuer})),
		"garbage": "x.y.z",
	} {
		_, want := p.v.Verify(t.Context(), raw)
		got := testing.AllocsPerRun(200, func() {
			if _, err := p.v.Verify(t.Context(), raw); (err == nil) != (want == nil) {
				t.Fatal(err)
			}
		})
		if got > 0 {
			t.Errorf("%s: %v allocations, want none", name, got)
		}
	}
}
