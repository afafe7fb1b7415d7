package jwt_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward/jwt"
)

var algorithms = []jwt.Algorithm{
	jwt.HS256, jwt.HS384, jwt.HS512, jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384, jwt.PS512,
	jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA,
}

var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

// private holds one private key of the standard library for each algorithm, made once. All RSA algorithms share one,
// and all HMAC algorithms share a secret, so that only the binding to one algorithm keeps them apart.
var private = sync.OnceValue(func() map[jwt.Algorithm]any {
	must := func(key any, err error) any {
		if err != nil {
			panic(err)
		}
		return key
	}
	secret := make([]byte, 64)
	_, _ = rand.Read(secret)
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	keys := map[jwt.Algorithm]any{
		jwt.ES256: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		jwt.ES384: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		jwt.ES512: must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		jwt.EdDSA: must(edKey, err),
	}
	for _, alg := range algorithms {
		switch alg[:2] {
		case "HS":
			keys[alg] = secret
		case "RS", "PS":
			keys[alg] = rsaKey
		}
	}
	return keys
})

// newKey is a key of alg with kid "k".
func newKey(t testing.TB, alg jwt.Algorithm) *jwt.Key {
	t.Helper()
	k, err := jwt.NewKey(alg, private()[alg])
	if err != nil {
		t.Fatal(err)
	}
	return withID(t, k, "k")
}

func withID(t testing.TB, k *jwt.Key, kid string) *jwt.Key {
	t.Helper()
	k, err := k.WithID(kid)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func public(t testing.TB, k *jwt.Key) *jwt.Key {
	t.Helper()
	k, err := k.Public()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newSet(t testing.TB, keys ...*jwt.Key) *jwt.Set {
	t.Helper()
	s, err := jwt.NewSet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t testing.TB, k *jwt.Key, typ string, claims any) string {
	t.Helper()
	token, err := jwt.Sign(k, typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// b64 is base64url without padding.
func b64[T string | []byte](text T) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge makes a token with this header and payload, signed with alg and a key of the standard library: what an
// attacker, or an issuer with other habits, can write.
func forge(t testing.TB, alg jwt.Algorithm, key any, header, payload string) string {
	t.Helper()
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(signature(t, alg, key, input))
}

// hs256 forges with the secret of private.
func hs256(t testing.TB, header, payload string) string {
	t.Helper()
	return forge(t, jwt.HS256, private()[jwt.HS256], header, payload)
}

// signature signs with the standard library alone.
func signature(t testing.TB, alg jwt.Algorithm, key any, input string) []byte {
	t.Helper()
	if alg == jwt.EdDSA {
		return ed25519.Sign(key.(ed25519.PrivateKey), []byte(input))
	}
	h := hashes[string(alg[2:])]
	state := h.New()
	state.Write([]byte(input))
	digest := state.Sum(nil)
	var signed []byte
	var err error
	switch alg[:2] {
	case "HS":
		mac := hmac.New(h.New, key.([]byte))
		mac.Write([]byte(input))
		return mac.Sum(nil)
	case "RS":
		signed, err = rsa.SignPKCS1v15(nil, key.(*rsa.PrivateKey), h, digest)
	case "PS":
		signed, err = rsa.SignPSS(rand.Reader, key.(*rsa.PrivateKey), h, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case "ES":
		priv := key.(*ecdsa.PrivateKey)
		size := (priv.Curve.Params().BitSize + 7) / 8
		r, s, signErr := ecdsa.Sign(rand.Reader, priv, digest)
		if err = signErr; err == nil {
			signed = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// refused checks that a token is refused with exactly this reason, and that nothing comes with the error.
func refused(t testing.TB, token string, keys jwt.KeySet, want error) {
	t.Helper()
	got, err := jwt.Verify(t.Context(), token, keys, "JWT", "at+jwt", "")
	if !errors.Is(err, want) {
		t.Errorf("%.80q: error %v, want %v", token, err, want)
	}
	others := []error{jwt.ErrMalformed, jwt.ErrKey, jwt.ErrSignature, jwt.ErrType}
	if err != nil && slices.ContainsFunc(others, func(other error) bool { return !errors.Is(want, other) && errors.Is(err, other) }) {
		t.Errorf("%.80q: error %v has two reasons", token, err)
	}
	if got.Claims != nil || got.Key != nil || got.Header.Algorithm != "" {
		t.Errorf("%.80q: claims came with the error %v", token, err)
	}
}

// accepted checks that a token is accepted and returns it.
func accepted(t testing.TB, token string, keys jwt.KeySet) jwt.Token {
	t.Helper()
	got, err := jwt.Verify(t.Context(), token, keys, "JWT", "at+jwt", "")
	if err != nil {
		t.Errorf("%.80q: %v", token, err)
	}
	return got
}

// corpora is the folder of public test data.
func corpora(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("DOORWARD_CORPORA")
	if dir == "" {
		t.Skip("DOORWARD_CORPORA is not set: the public test data is not read")
	}
	return dir
}

// lines are the lines of a file of public test data that is not empty.
func lines(t testing.TB, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil || len(data) == 0 {
		t.Fatalf("%s: %d bytes, %v", file, len(data), err)
	}
	return strings.Split(strings.TrimRight(string(data), "\r\n"), "\n")
}

// keySetFunc is a key set of somebody else's making.
type keySetFunc func(ctx context.Context, kid string) (*jwt.Key, error)

func (f keySetFunc) Key(ctx context.Context, kid string) (*jwt.Key, error) { return f(ctx, kid) }

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unb64(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
