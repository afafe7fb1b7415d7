package doorward_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// Attack_G11: seconds are counted without a wrap, past 2038 and 2106, and each claim of time is held against the same
// clock. (Leeways are capped: TestNewVerifierRefuses. Dates that are negative or beyond the year 9999:
// TestVerifyNumericDates. A clock that jumps: TestRevocationSetClocks, and the rule of refresh in issuer.)
func TestFarClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubject(t, jwt.HS256, nil)
		for _, second := range []int64{1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1 << 33} {
			time.Sleep(time.Until(time.Unix(second, 0)))
			for _, tt := range []struct {
				name     string
				iat, exp int64
				wantErr  error
			}{
				{"good", 0, 600, nil},
				{"last second", -600, 1, nil},
				{"expired now", -600, 0, doorward.ErrExpired},
				{"within the leeway", 30, 600, nil},
				{"not yet", 31, 600, doorward.ErrNotYet},
				{"longest", -10, 24*3600 - 10, nil},
				{"too long", -10, 24*3600 - 9, doorward.ErrClaims},
				{"a wrap of 31 bits later", 0, 600 + 1<<31, doorward.ErrClaims},
				{"cut to 31 bits", -second, (second+600)%(1<<31) - second, doorward.ErrExpired},
			} {
				token := s.token(t, map[string]any{"iat": raw(fmt.Sprint(second + tt.iat)), "exp": raw(fmt.Sprint(second + tt.exp))})
				if _, err := s.v.Verify(t.Context(), token); !errors.Is(err, tt.wantErr) {
					t.Errorf("%v, %s: %v, want %v", time.Now().UTC(), tt.name, err, tt.wantErr)
				}
			}
		}
	})
}

// Attack_G11: what only the clock of this machine finds wrong is answered with 503, and whatever is refused by the
// issuer's clock too is refused as ever. No token is accepted for it.
func TestClockOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hour = int64(3600)
		set := doorward.NewRevocationSet(time.Minute)
		set.Add(doorward.Revocation{Kind: doorward.KindSession, ID: "gone"})
		set.Confirm(time.Now())
		old := doorward.NewRevocationSet(-1)
		for _, tt := range []struct {
			name     string
			off      int64 // seconds by which the issuer is ahead
			iat, exp int64 // from now, by this machine's clock
			change   map[string]any
			stale    bool
			wantErr  error
			status   int
		}{
			{"right", 0, 0, 600, nil, false, nil, 200},
			{"right, not yet", 0, 31, 600, nil, false, doorward.ErrNotYet, 401},
			{"right, expired", 0, -600, 0, nil, false, doorward.ErrExpired, 401},
			{"behind, and the token is old enough", 90, 30, 600, nil, false, nil, 200},
			{"behind", 90, 90, 690, nil, false, doorward.ErrClock, 503},
			{"behind by an hour", hour, hour, hour + 600, nil, false, doorward.ErrClock, 503},
			{"behind, by nbf", 90, 0, 690, map[string]any{"nbf": raw(fmt.Sprint(time.Now().Unix() + 90))}, false, doorward.ErrClock, 503},
			{"behind by a hair more than the leeway", 31, 31, 600, nil, false, doorward.ErrClock, 503},
			{"behind, of the issuer's future too", 90, 121, 600, nil, false, doorward.ErrNotYet, 401},
			{"behind, and expired", 90, -600, 0, nil, false, doorward.ErrExpired, 401},
			{"behind, and expired by the issuer's clock since", 700, 90, 690, nil, false, doorward.ErrExpired, 401},
			{"behind, of another audience", 90, 90, 690, map[string]any{"aud": "https://other.example"}, false, doorward.ErrAudience, 401},
			{"behind, of another issuer", 90, 90, 690, map[string]any{"iss": "https://other.example"}, false, doorward.ErrIssuer, 401},
			{"behind, and revoked", 90, 90, 690, map[string]any{"sid": "gone"}, false, doorward.ErrRevoked, 401},
			{"behind, and out of touch", 90, 90, 690, nil, true, doorward.ErrClock, 503},
			{"out of touch", 90, 0, 600, nil, true, doorward.ErrStale, 503},
			{"ahead", -hour, -hour, 600 - hour, nil, false, doorward.ErrClock, 503},
			{"ahead within the leeway", -30, -600, 0, nil, false, doorward.ErrExpired, 401},
			{"ahead by a second more", -31, -600, 0, nil, false, doorward.ErrClock, 503},
			{"ahead, and expired by both", -90, -700, -90, nil, false, doorward.ErrExpired, 401},
			{"ahead, not expired yet", -90, -90, 1, nil, false, nil, 200},
			{"ahead, of everybody's future", -90, 31, 600, nil, false, doorward.ErrNotYet, 401},
			{"ahead, and revoked", -hour, -hour, 600 - hour, map[string]any{"sid": "gone"}, false, doorward.ErrRevoked, 401},
		} {
			var reason string
			s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) {
				c.Revocations, c.YoungWhenStale = set, 0
				if tt.stale {
					c.Revocations = old
				}
				c.ClockOffset = func() time.Duration { return time.Duration(tt.off) * time.Second }
				c.Observe = func(o doorward.Outcome) { reason = o.Reason }
			})
			now := time.Now().Unix()
			claims := map[string]any{"iat": raw(fmt.Sprint(now + tt.iat)), "exp": raw(fmt.Sprint(now + tt.exp))}
			maps.Copy(claims, tt.change)
			token := s.token(t, claims)
			if _, err := s.v.Verify(t.Context(), token); !errors.Is(err, tt.wantErr) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.wantErr)
			} else if errors.Is(tt.wantErr, doorward.ErrClock) && (reason != "clock" || errors.Is(err, doorward.ErrExpired)) {
				t.Errorf("%s: reason %q, and expired: %v", tt.name, reason, errors.Is(err, doorward.ErrExpired))
			}
			if got := statusOf(s.v.Require(), token); got != tt.status {
				t.Errorf("%s: %d, want %d", tt.name, got, tt.status)
			}
		}
	})
}

// A clock that is far ahead makes every login seem old: nobody is sent to log in again for it, but for a login that is
// too old by the issuer's clock as well.
func TestClockOffsetOfLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			off     time.Duration
			loginAt int64 // from now, by this machine's clock
			status  int
		}{
			{0, -300, 200},
			{0, -301, 401},
			{-30 * time.Second, -301, 401},
			{-400 * time.Second, -400, 503},
			{-400 * time.Second, -700, 503},
			{-400 * time.Second, -701, 401},
			{-31 * time.Second, -3600, 401},
			{400 * time.Second, 400, 503},
			{400 * time.Second, -301, 401},
		} {
			s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.ClockOffset = func() time.Duration { return tt.off } })
			token := s.token(t, map[string]any{"auth_time": time.Now().Unix() + tt.loginAt})
			other := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.Issuer = "https://b.example" })
			joined, err := doorward.AnyOf(other.v, s.v)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range []*doorward.Verifier{s.v, joined} {
				if got := statusOf(v.Require(doorward.LoggedInWithin(5*time.Minute)), token); got != tt.status {
					t.Errorf("a clock that is %v off, a login at %d s: %d, want %d", tt.off, tt.loginAt, got, tt.status)
				}
			}
		}
	})
}
