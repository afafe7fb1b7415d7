package doorward_test

import (
	"errors"
	"fmt"
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
