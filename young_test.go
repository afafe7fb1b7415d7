package doorward_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// Attack_F12, Attack_F14: out of touch, a verifier accepts what its policy and the route's say, and says so; a token that is not good
// otherwise never gets so far.
func TestAttack_F12_YoungWhenStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := doorward.NewRevocationSet(time.Minute)
		set.Add(doorward.Revocation{Kind: doorward.KindSession, ID: "gone", ExpiresAt: time.Now().Add(time.Hour)})
		set.Confirm(time.Now())
		var outcomes []string
		var log strings.Builder
		s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) {
			c.Revocations, c.YoungWhenStale = set, 30*time.Second
			c.Observe = func(o doorward.Outcome) { outcomes = append(outcomes, o.Reason) }
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		routes := map[string][]doorward.Need{
			"none": nil, "scope": {doorward.HasScope("orders:write")}, "refuse": {doorward.YoungWhenStale(0)},
			"longer": {doorward.YoungWhenStale(time.Minute)}, "last": {doorward.YoungWhenStale(time.Minute), doorward.YoungWhenStale(time.Second)},
			"missing": {doorward.HasScope("admin"), doorward.YoungWhenStale(time.Minute)},
		}
		ask := func(route, token string) int { return statusOf(s.v.Require(routes[route]...), token) }
		token := s.token(t, nil)
		for route, want := range map[string]int{"none": 200, "scope": 200, "refuse": 200, "longer": 200, "last": 200, "missing": 403} {
			if got := ask(route, token); got != want {
				t.Errorf("fresh, route %s: %d, want %d", route, got, want)
			}
		}
		time.Sleep(5 * time.Minute)
		outcomes = nil
		old := func(seconds int64) string { return s.token(t, map[string]any{"iat": time.Now().Unix() - seconds}) }
		for _, tt := range []struct {
			route, token string
			status       int
			reason       string
		}{
			{"none", old(29), 200, "young"},
			{"none", old(0), 200, "young"},
			{"none", old(-20), 200, "young"}, // of a clock that is ahead
			{"none", old(30), 503, "stale"},
			{"none", token, 503, "stale"},
			{"scope", old(29), 200, "young"},
			{"refuse", old(0), 503, "stale"},
			{"refuse", old(-20), 503, "stale"},
			{"longer", old(59), 200, "young"},
			{"longer", old(60), 503, "stale"},
			{"last", old(0), 200, "young"},
			{"last", old(1), 503, "stale"},
			{"missing", old(0), 403, "scope"},
			{"none", s.token(t, map[string]any{"sid": "gone"}), 401, "revoked"},
			{"none", s.token(t, map[string]any{"aud": "other"}), 401, "audience"},
			{"none", s.token(t, map[string]any{"iat": time.Now().Unix() - 9, "exp": time.Now().Unix()}), 401, "expired"},
			{"none", "junk", 401, "malformed"},
		} {
			if got := ask(tt.route, tt.token); got != tt.status || outcomes[len(outcomes)-1] != tt.reason {
				t.Errorf("route %s: %d %s, want %d %s", tt.route, got, outcomes[len(outcomes)-1], tt.status, tt.reason)
			}
		}
		again := old(0)
		for n := range 3 { // cached or not
			if _, err := s.v.Verify(t.Context(), again); err != nil {
				t.Errorf("Verify %d: %v", n, err)
			}
		}
		time.Sleep(30 * time.Second)
		if _, err := s.v.Verify(t.Context(), again); !errors.Is(err, doorward.ErrStale) {
			t.Errorf("Verify of a token that has aged: %v", err)
		}
		set.Confirm(time.Now())
		if _, err := s.v.Verify(t.Context(), again); err != nil || outcomes[len(outcomes)-1] != "ok" {
			t.Errorf("up to date again: %v, %v", err, outcomes[len(outcomes)-1])
		}
		for _, once := range []string{"only young tokens are accepted", "up to date again"} {
			if strings.Count(log.String(), once) != 1 {
				t.Errorf("%q is not once in the log:\n%s", once, log.String())
			}
		}
	})
}

// A token is not young where somebody knows that it was revoked, or when it does not say how old it is.
func TestYoungButRevoked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answer, want error
		change       map[string]any
	}{
		{doorward.ErrStale, nil, nil},
		{errors.Join(doorward.ErrStale, doorward.ErrRevoked), doorward.ErrRevoked, nil},
		{doorward.ErrStale, doorward.ErrStale, map[string]any{"iat": remove}},
	} {
		s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) {
			c.Revocations = revocationsFunc(func(*doorward.Claims) error { return tt.answer })
			c.YoungWhenStale, c.Types, c.RequireClaims = 10*time.Minute, []string{"JWT"}, []string{"jti"}
		})
		_, err := s.v.Verify(t.Context(), sign(t, s.key, "JWT", changed(tt.change)))
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("answer %v, claims %v: %v, want %v", tt.answer, tt.change, err, tt.want)
		}
	}
}

// Of joined verifiers each has the policy of its own.
func TestYoungWhenStaleOfSeveral(t *testing.T) {
	t.Parallel()
	stale := doorward.NewRevocationSet(-1)
	a := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Revocations, c.YoungWhenStale = stale, time.Minute })
	b := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Revocations, c.Issuer = stale, "https://b.example" })
	v, err := doorward.AnyOf(a.v, b.v)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := v.Verify(t.Context(), a.token(t, nil)); err != nil {
				t.Errorf("the first issuer's: %v", err)
			}
			if _, err := v.Verify(t.Context(), b.token(t, map[string]any{"iss": "https://b.example"})); !errors.Is(err, doorward.ErrStale) {
				t.Errorf("the second issuer's: %v", err)
			}
		})
	}
	all.Wait()
	for _, d := range []time.Duration{-1, 10*time.Minute + 1} {
		_, err := doorward.NewVerifier(doorward.Config{
			Issuer: testIssuer, Audience: testAudience, Keys: a.key, Revocations: stale, YoungWhenStale: d,
		})
		if err == nil || !strings.Contains(fmt.Sprint(err), "Config.YoungWhenStale") {
			t.Errorf("%v: %v", d, err)
		}
	}
}

func statusOf(guard func(http.Handler) http.Handler, token string) int {
	r, w := httptest.NewRequest(http.MethodGet, "/", http.NoBody), httptest.NewRecorder()
	r.Header.Set("Authorization", "Bearer "+token)
	guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })).ServeHTTP(w, r)
	if w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		return 0
	}
	return w.Code
}
