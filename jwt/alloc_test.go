//go:build !race

package jwt_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

// Limits on allocations, the caller's own struct for claims not counted. The RSA key has 2,048 bits; above that
// the standard library's arithmetic allocates more.
func TestAllocations(t *testing.T) {
	ctx := context.Background()
	var claims any = json.RawMessage(payload)
	for alg, limit := range map[jwt.Algorithm]struct{ verify, sign float64 }{
		jwt.HS256: {1, 1}, jwt.HS512: {1, 1}, jwt.EdDSA: {1, 2}, jwt.ES256: {12, 70}, jwt.RS256: {10, 60}, jwt.PS256: {20, 70},
	} {
		k := newKey(t, alg)
		token := sign(t, k, "at+jwt", claims)
		for name, set := range map[string]jwt.KeySet{"key": k, "set": newSet(t, k), "other set": keySetFunc(newSet(t, k).Key)} {
			if got := testing.AllocsPerRun(200, func() { _, _ = jwt.Verify(ctx, token, set, "at+jwt") }); got > limit.verify {
				t.Errorf("%s: Verify with a %s takes %v allocations, want at most %v", alg, name, got, limit.verify)
			}
		}
		if got := testing.AllocsPerRun(20, func() { _, _ = jwt.Sign(k, "at+jwt", claims) }); got > limit.sign {
			t.Errorf("%s: Sign takes %v allocations, want at most %v", alg, got, limit.sign)
		}
	}
}

// Refusing what anyone can send takes no memory.
//
// Covers Attack_B06, Attack_B07.
func TestRefusalsDoNotAllocate_Attack_B06(t *testing.T) {
	ctx := context.Background()
	k := newKey(t, jwt.HS256)
	set := newSet(t, k)
	good := hs256(t, hsHeader, payload)
	for name, token := range map[string]string{
		"nothing":           "",
		"dots":              strings.Repeat(".", jwt.MaxSize),
		"a million dots":    strings.Repeat(".", 1_000_000),
		"too long":          strings.Repeat("A", 100_000),
		"no dots":           strings.Repeat("A", 8000),
		"bad base64":        "!!!.!!!.!!!",
		"bad payload":       good[:len(hsHeader)*4/3+4] + "!" + good[len(hsHeader)*4/3+4:],
		"bad signature":     good + "\n",
		"no JSON":           "AAAA.AAAA.AAAA",
		"duplicate names":   hs256(t, `{"alg":"HS256","alg":"HS256"}`, payload),
		"deep header":       hs256(t, `{"alg":"HS256","x":`+strings.Repeat("[", 2000), payload),
		"none":              b64(`{"alg":"none"}`) + "." + b64(payload) + ".",
		"crit":              hs256(t, `{"alg":"HS256","crit":["x"]}`, payload),
		"unknown kid":       hs256(t, `{"alg":"HS256","kid":"zzz"}`, payload),
		"another algorithm": hs256(t, `{"alg":"HS384","kid":"k"}`, payload),
		"wrong signature":   good[:len(good)-4] + "AAAA",
		"five parts":        "AAAA.AAAA.AAAA.AAAA.AAAA",
		"no object":         hs256(t, hsHeader, `[1,2,3]`),
		"wrong type":        hs256(t, `{"alg":"HS256","typ":"other"}`, payload),
	} {
		for _, keys := range []jwt.KeySet{k, set} {
			if _, err := jwt.Verify(ctx, token, keys, "at+jwt"); err == nil {
				t.Errorf("%s: accepted", name)
			}
			if got := testing.AllocsPerRun(100, func() { _, _ = jwt.Verify(ctx, token, keys, "at+jwt") }); got > 0 {
				t.Errorf("%s: %v allocations, want none", name, got)
			}
		}
	}
}
