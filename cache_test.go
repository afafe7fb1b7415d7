package doorward_test

import (
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// watched is a verifier that says whether the last answer came from the cache.
func watched(t testing.TB, alg jwt.Algorithm, change func(*doorward.Config)) (subject, *doorward.Outcome) {
	t.Helper()
	last := new(doorward.Outcome)
	return newSubject(t, alg, func(c *doorward.Config) {
		c.Observe = func(o doorward.Outcome) { *last = o }
		if change != nil {
			change(c)
		}
	}), last
}

func TestCacheHits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		alg  jwt.Algorithm
		size int
		want bool
	}{
		{jwt.HS256, 0, false}, // quick enough each time
		{jwt.EdDSA, 0, true},
		{jwt.ES256, 0, true},
		{jwt.RS256, 0, true},
		{jwt.EdDSA, -1, false},
		{jwt.EdDSA, 1, false}, // no room for one
	} {
		s, last := watched(t, tt.alg, func(c *doorward.Config) { c.CacheSize = tt.size })
		token := s.token(t, nil)
		for range 2 {
			if _, err := s.v.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		if last.Cached != tt.want {
			t.Errorf("%s with CacheSize %d: cached = %v, want %v", tt.alg, tt.size, last.Cached, tt.want)
		}
	}
}

// Attack_F14, Standard_I08: a cached token expires, becomes revoked and goes stale like any other.
func TestCacheAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := doorward.NewRevocationSet(time.Minute)
		set.Confirm(time.Now())
		s, last := watched(t, jwt.EdDSA, func(c *doorward.Config) { c.Revocations = set })
		a, b := s.token(t, nil), s.token(t, map[string]any{"sid": "0193a7b2-2222-7abc-8def-0123456789ab"})
		verify := func(token string, wantErr error) {
			t.Helper()
			if _, err := s.v.Verify(t.Context(), token); !errors.Is(err, wantErr) || !last.Cached {
				t.Errorf("Verify = %v, cached %v; want %v from the cache", err, last.Cached, wantErr)
			}
		}
		_, _ = s.v.Verify(t.Context(), a)
		_, _ = s.v.Verify(t.Context(), b)
		verify(a, nil)
		set.Add(doorward.Revocation{Kind: doorward.KindSession, ID: testSession, ExpiresAt: time.Now().Add(time.Hour)})
		verify(a, doorward.ErrRevoked)
		verify(b, nil)
		time.Sleep(time.Minute + 1)
		verify(b, doorward.ErrStale)
		set.Confirm(time.Now())
		verify(b, nil)
		time.Sleep(9 * time.Minute)
		verify(b, doorward.ErrExpired)
	})
}

// Attack_A20: a key that left the set, or another under its name, ends what the cache knows of it.
func TestCacheKeyRemoved(t *testing.T) {
	t.Parallel()
	var current *jwt.Key
	s, last := watched(t, jwt.EdDSA, func(c *doorward.Config) {
		current = c.Keys.(*jwt.Key)
		c.Keys = keysFunc(func(_ context.Context, kid string) (*jwt.Key, error) {
			if current == nil {
				return nil, jwt.ErrKey
			}
			return current.Key(t.Context(), kid)
		})
	})
	token := s.token(t, nil)
	for range 2 {
		if _, err := s.v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	mine := current
	current = nil
	if _, err := s.v.Verify(t.Context(), token); !errors.Is(err, jwt.ErrKey) || last.Cached {
		t.Errorf("without the key: %v, cached %v", err, last.Cached)
	}
	impostor, err := newKey(t, jwt.EdDSA).WithID(mine.ID())
	if err != nil {
		t.Fatal(err)
	}
	if current, err = impostor.Public(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.v.Verify(t.Context(), token); !errors.Is(err, jwt.ErrSignature) || last.Cached {
		t.Errorf("another key under the name: %v, cached %v", err, last.Cached)
	}
	// The same key read again, as a fetch of the set does: a new entry takes the old one's place.
	if current, err = s.key.Public(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{false, true} {
		if _, err := s.v.Verify(t.Context(), token); err != nil || last.Cached != want {
			t.Errorf("the key read again: %v, cached %v, want %v", err, last.Cached, want)
		}
	}
}

// Attack_B11, Attack_B10, Behaviour_B23, Behaviour_B23a, Standard_W02: revoked stays revoked under every spelling of the token, also with a warm cache.
func TestRevokedUnderEverySpelling(t *testing.T) {
	t.Parallel()
	set := doorward.NewRevocationSet(time.Hour)
	set.Confirm(time.Now())
	s, last := watched(t, jwt.ES256, func(c *doorward.Config) { c.Revocations = set })
	token := s.token(t, nil)
	twin := negated(t, token)
	for _, text := range []string{token, twin, token, twin} {
		if _, err := s.v.Verify(t.Context(), text); err != nil {
			t.Fatalf("before the revocation: %v", err)
		}
	}
	if !last.Cached {
		t.Fatal("the twin is not in the cache")
	}
	set.Add(doorward.Revocation{Kind: doorward.KindSession, ID: testSession})
	for _, text := range []string{token, twin} {
		if _, err := s.v.Verify(t.Context(), text); !errors.Is(err, doorward.ErrRevoked) {
			t.Errorf("after the revocation: %v", err)
		}
	}
	variants := respelled(token)
	if len(variants) < 100 {
		t.Fatalf("only %d variants", len(variants))
	}
	for _, text := range variants {
		if c, err := s.v.Verify(t.Context(), text); err == nil {
			t.Errorf("%q is accepted: %v", text, c)
		}
	}
}

// Attack_A20: a signature that the cache knows vouches for what was signed with it, and for nothing else.
func TestCacheComparesWhatWasSigned(t *testing.T) {
	t.Parallel()
	s, last := watched(t, jwt.EdDSA, nil)
	good, other := strings.Split(s.token(t, nil), "."), strings.Split(s.token(t, map[string]any{"sub": "bob"}), ".")
	for _, parts := range [][]string{good, other, good, other} {
		if _, err := s.v.Verify(t.Context(), strings.Join(parts, ".")); err != nil {
			t.Fatal(err)
		}
	}
	if !last.Cached {
		t.Fatal("nothing is cached")
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"at+jwt","alg":"EdDSA","kid":"` + s.key.ID() + `"}`))
	for _, tt := range []struct {
		name, text string
		wantErr    error
	}{
		{"another payload", good[0] + "." + other[1] + "." + good[2], jwt.ErrSignature},
		{"another header", header + "." + good[1] + "." + good[2], jwt.ErrSignature},
		{"no header", "." + good[1] + "." + good[2], jwt.ErrMalformed},
		{"no payload", good[0] + ".." + good[2], jwt.ErrMalformed},
		{"the signature alone", good[2], jwt.ErrMalformed},
		{"the signature after dots", ".." + good[2], jwt.ErrMalformed},
		{"the signature after a dot", "." + good[2], jwt.ErrMalformed},
		{"no signature", good[0] + "." + good[1] + ".", jwt.ErrSignature},
		{"a dot more", good[0] + "." + good[1] + ".." + good[2], jwt.ErrMalformed},
		{"a dot between", good[0] + "." + good[1][:9] + "." + good[1][9:] + "." + good[2], jwt.ErrMalformed},
	} {
		if _, err := s.v.Verify(t.Context(), tt.text); !errors.Is(err, tt.wantErr) || last.Cached {
			t.Errorf("%s: %v, cached %v; want %v", tt.name, err, last.Cached, tt.wantErr)
		}
	}
	if _, err := s.v.Verify(t.Context(), strings.Join(good, ".")); err != nil || !last.Cached {
		t.Errorf("the good token after all: %v, cached %v", err, last.Cached)
	}
}

// negated replaces the signature (r, s) by (r, n−s).
func negated(t testing.TB, token string) string {
	t.Helper()
	dot := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil || len(sig) != 64 {
		t.Fatal(err, len(sig))
	}
	n := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
	n.FillBytes(sig[32:])
	return token[:dot+1] + base64.RawURLEncoding.EncodeToString(sig)
}

// respelled writes the token in the ways that a lax reader takes for the same.
func respelled(token string) []string {
	var all []string
	parts := strings.Split(token, ".")
	with := func(i int, text string) {
		changed := append([]string(nil), parts...)
		changed[i] = text
		all = append(all, strings.Join(changed, "."))
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i, part := range parts {
		for _, extra := range []string{"=", "==", "\n", "\r\n", " ", "\t", "\x00", "A", "?", "%3D"} {
			with(i, part+extra)
			with(i, extra+part)
			with(i, part[:5]+extra+part[5:])
		}
		with(i, strings.ReplaceAll(strings.ReplaceAll(part, "-", "+"), "_", "/")+"=")
		for _, last := range letters {
			if text := part[:len(part)-1] + string(last); text != part && i == 2 {
				with(i, text)
			}
		}
	}
	return append(all, token+".", "."+token, token+".AAAA", token+","+token, token+" "+token, "Bearer "+token)
}

// What is used stays, however many others come once.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	s, last := watched(t, jwt.EdDSA, func(c *doorward.Config) { c.CacheSize = 128 << 10 })
	hot, once := s.token(t, map[string]any{"jti": "hot"}), s.token(t, map[string]any{"jti": "once"})
	for _, token := range []string{hot, once} {
		if _, err := s.v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 500 {
		for _, token := range []string{s.token(t, map[string]any{"jti": fmt.Sprint(i)}), hot} {
			if _, err := s.v.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		if !last.Cached {
			t.Fatalf("after %d others the token in use is forgotten", i+1)
		}
	}
	if _, err := s.v.Verify(t.Context(), once); err != nil || last.Cached {
		t.Errorf("a token used once among 500: %v, cached %v", err, last.Cached)
	}
}

// The cache holds to its size whatever comes, and it may be used by many at once.
func TestCacheBounded(t *testing.T) {
	s := newSubject(t, jwt.EdDSA, func(c *doorward.Config) { c.CacheSize = 256 << 10 })
	tokens := make([]string, 1000)
	for i := range tokens {
		tokens[i] = s.token(t, map[string]any{"jti": fmt.Sprint(i), "pad": strings.Repeat("x", 1000)})
	}
	before := heap()
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := range tokens {
				if _, err := s.v.Verify(t.Context(), tokens[(i+part*250)%len(tokens)]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("the heap grew by %d KiB, the cache is bounded to 256", grown>>10)
	}
	if _, err := s.v.Verify(t.Context(), tokens[0]); err != nil {
		t.Error(err)
	}
}
