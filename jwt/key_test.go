package jwt_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

func TestGenerateKey_Standard_J20(t *testing.T) {
	t.Parallel()
	for _, alg := range slices.DeleteFunc(slices.Clone(algorithms), func(a jwt.Algorithm) bool { return strings.HasPrefix(string(a), "P") }) {
		first, err := jwt.GenerateKey(alg)
		if err != nil {
			t.Fatal(err)
		}
		if first.Algorithm() != alg || !first.Private() || first.ID() == "" {
			t.Errorf("%s: %v", alg, first)
		}
		thumbprint, err := first.Thumbprint()
		if alg.Symmetric() {
			secret, _ := first.MarshalJWK()
			sum := jwtSum(string(secret))
			if !errors.Is(err, jwt.ErrKey) || strings.Contains(first.ID(), b64(sum)) {
				t.Errorf("%s: thumbprint %q, %v, want none (Standard_P05)", alg, thumbprint, err)
			}
		} else if err != nil || first.ID() != thumbprint {
			t.Errorf("%s: kid %q, thumbprint %q, %v", alg, first.ID(), thumbprint, err)
		}
		accepted(t, sign(t, first, "JWT", json.RawMessage(payload)), first)
	}
	for _, alg := range []jwt.Algorithm{"", "none", "hs256", "ES256K"} {
		if k, err := jwt.GenerateKey(alg); !errors.Is(err, jwt.ErrKey) || k != nil {
			t.Errorf("GenerateKey(%q) = %v, %v", alg, k, err)
		}
	}
}

// No verb, logger or encoder shows a secret, from a key or from a struct that holds one.
func TestSecretsAreNotShown_Attack_G07(t *testing.T) {
	t.Parallel()
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%b", "%o", "%t"}
	for _, alg := range algorithms {
		k := newKey(t, alg)
		full, err := k.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]string
		_ = json.Unmarshal(full, &members)
		type holder struct {
			Key   *jwt.Key
			inner *jwt.Key
		}
		var out bytes.Buffer
		for _, value := range []any{k, holder{k, k}, &holder{k, k}, []*jwt.Key{k}, map[string]*jwt.Key{"a": k}, newSet(t, k), jwt.Token{Key: k}} {
			for _, verb := range verbs {
				fmt.Fprintf(&out, verb+"\n", value)
			}
			for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				slog.New(handler).Info("key", "key", value)
			}
			text, _ := json.Marshal(value)
			out.Write(text)
		}
		_, err = jwt.Sign(public2(t, k), "", "not an object")
		fmt.Fprintf(&out, "%v %+v", err, err)
		found := false
		for _, name := range []string{"k", "d", "p", "q", "dp", "dq", "qi"} {
			secret, ok := members[name]
			if !ok {
				continue
			}
			found = true
			raw, _ := base64.RawURLEncoding.DecodeString(secret)
			number := new(big.Int).SetBytes(raw).String()
			bytesText := strings.Trim(fmt.Sprintf("%d", raw), "[]")
			for _, form := range []string{
				secret, string(raw), hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), number,
				bytesText, base64.StdEncoding.EncodeToString(raw),
			} {
				if strings.Contains(out.String(), form) {
					t.Errorf("%s: %s is shown", alg, name)
				}
			}
		}
		if !found || !strings.Contains(out.String(), `jwt.Key(`+string(alg)+`, kid \"k\", private)`) {
			t.Errorf("%s: the key is not described in %.300s", alg, out.String())
		}
	}
}

// Covers Behaviour_P66, Behaviour_P69, Behaviour_P75, Behaviour_P78.
func TestMaterialThatIsNoKey_Behaviour_P66(t *testing.T) {
	t.Parallel()
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	for name, material := range map[string]any{
		"nil": nil, "text": "a secret of more than thirty-two letters", "number": 7, "nil RSA": (*rsa.PublicKey)(nil),
		"nil private RSA": (*rsa.PrivateKey)(nil), "empty RSA": &rsa.PublicKey{}, "empty private RSA": &rsa.PrivateKey{},
		"nil EC": (*ecdsa.PublicKey)(nil), "nil private EC": (*ecdsa.PrivateKey)(nil), "empty EC": &ecdsa.PublicKey{},
		"empty private EC": &ecdsa.PrivateKey{}, "P-224": p224, "P-224 public": &p224.PublicKey,
		"nil Ed25519": ed25519.PublicKey(nil), "short Ed25519": ed25519.PublicKey(make([]byte, 31)), "nil private Ed25519": ed25519.PrivateKey(nil),
		"a key": newKey(t, jwt.ES256), "a value": *p224,
	} {
		for _, alg := range append(slices.Clone(algorithms), "", "none", "ES224") {
			if k, err := jwt.NewKey(alg, material); !errors.Is(err, jwt.ErrKey) || k != nil {
				t.Errorf("%s, %q: %v, %v, want ErrKey", name, alg, k, err)
			}
		}
	}
}

// Covers Standard_A06, Standard_E02, Behaviour_P53, Behaviour_P81, Behaviour_P88, Behaviour_F7.
func TestKeyAndAlgorithm_Standard_A06(t *testing.T) {
	t.Parallel()
	for own, material := range private() {
		for _, alg := range append(slices.Clone(algorithms), "none", "rs256", "XX") {
			_, err := jwt.NewKey(alg, material)
			if fits := family(alg) == family(own); fits != (err == nil) || err != nil && !errors.Is(err, jwt.ErrKey) {
				t.Errorf("a key for %s as %s: %v", own, alg, err)
			}
		}
		k, err := jwt.NewKey("", material)
		if single := own[:2] == "ES" || own == jwt.EdDSA; single != (err == nil) || err == nil && k.Algorithm() != own {
			t.Errorf("a key for %s without a name: %v, %v", own, k, err)
		}
	}
}

// Covers Attack_A09, Standard_A03, Standard_A12, Behaviour_P83.
func TestWeakRSA_Attack_A09(t *testing.T) {
	t.Parallel()
	good := private()[jwt.RS256].(*rsa.PrivateKey)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	odd := func(bits int) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		for n.SetBit(n, 0, 1); ; n.Add(n, big.NewInt(2)) { // no small factors
			if new(big.Int).GCD(nil, nil, n, primorial).Cmp(big.NewInt(1)) == 0 {
				return n
			}
		}
	}
	beyond := math.MaxInt32
	beyond += 2 // where an int has 32 bits, it is negative
	with := func(n *big.Int, e int) *rsa.PublicKey { return &rsa.PublicKey{N: n, E: e} }
	for name, test := range map[string]struct {
		key     any
		wantErr error
	}{
		"1024 bits":              {small, jwt.ErrKey},
		"1024 bits, public":      {&small.PublicKey, jwt.ErrKey},
		"Standard_Z06 2047 bits": {with(odd(2047), 65537), jwt.ErrKey},
		"2048 bits":              {with(odd(2048), 65537), nil},
		"8192 bits":              {with(odd(8192), 65537), nil},
		"8193 bits":              {with(odd(8193), 65537), jwt.ErrKey},
		"16384 bits":             {with(odd(16384), 65537), jwt.ErrKey},
		"32768 bits":             {with(odd(32768), 65537), jwt.ErrKey},
		"e = 0":                  {with(good.N, 0), jwt.ErrKey},
		"e = 1":                  {with(good.N, 1), jwt.ErrKey},
		"e = 2":                  {with(good.N, 2), jwt.ErrKey},
		"e = 65536":              {with(good.N, 65536), jwt.ErrKey},
		"e = -3":                 {with(good.N, -3), jwt.ErrKey},
		"e = 2³¹−1":              {with(good.N, 1<<31-1), nil},
		"e = 2³¹+1":              {with(good.N, beyond), jwt.ErrKey},
		"even modulus":           {with(new(big.Int).Lsh(odd(2048), 1), 65537), jwt.ErrKey},
		"3N":                     {with(new(big.Int).Mul(good.N, big.NewInt(3)), 65537), jwt.ErrKey},
		"negative modulus":       {with(new(big.Int).Neg(good.N), 65537), jwt.ErrKey},
		"other primes":           {&rsa.PrivateKey{PublicKey: good.PublicKey, D: good.D, Primes: []*big.Int{big.NewInt(3), big.NewInt(5)}}, jwt.ErrKey},
		"other d":                {&rsa.PrivateKey{PublicKey: good.PublicKey, D: big.NewInt(3), Primes: good.Primes}, jwt.ErrKey},
		"no primes":              {&rsa.PrivateKey{PublicKey: good.PublicKey, D: good.D}, jwt.ErrKey},
		"nil prime":              {&rsa.PrivateKey{PublicKey: good.PublicKey, D: good.D, Primes: []*big.Int{nil, nil}}, jwt.ErrKey},
	} {
		for _, alg := range []jwt.Algorithm{jwt.RS256, jwt.PS512} {
			if _, err := jwt.NewKey(alg, test.key); !errors.Is(err, test.wantErr) {
				t.Errorf("%s, %s: %v, want %v", name, alg, err, test.wantErr)
			}
		}
	}
}

// primorial is the product of the odd primes up to 701.
var primorial = func() *big.Int {
	product := big.NewInt(1)
	for p := int64(3); p <= 701; p += 2 {
		if big.NewInt(p).ProbablyPrime(0) {
			product.Mul(product, big.NewInt(p))
		}
	}
	return product
}()

// Covers Attack_A07, Standard_E01.
func TestEd25519Points_Attack_A07(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"order 1":               "0100000000000000000000000000000000000000000000000000000000000000",
		"order 1, sign set":     "0100000000000000000000000000000000000000000000000000000000000080",
		"order 2":               "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 2, sign set":     "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"order 4":               "0000000000000000000000000000000000000000000000000000000000000000",
		"order 4, sign set":     "0000000000000000000000000000000000000000000000000000000000000080",
		"order 8, first":        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"order 8, first, sign":  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"order 8, second":       "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"order 8, second, sign": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"p":                     "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"p + 1":                 "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"p + 1, sign set":       "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"2^255 - 1":             "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"no point: y = 2":       "0200000000000000000000000000000000000000000000000000000000000000",
	} {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jwt.NewKey(jwt.EdDSA, ed25519.PublicKey(raw)); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
		text := `{"kty":"OKP","crv":"Ed25519","x":"` + b64(raw) + `"}`
		if _, err := jwt.ParseJWK([]byte(text), ""); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("%s as JWK: %v, want ErrKey", name, err)
		}
	}
	for range 50 { // honest keys pass
		pub, priv, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jwt.NewKey(jwt.EdDSA, pub); err != nil {
			t.Errorf("%x: %v", pub, err)
		}
		priv[40] ^= 1 // the public half of another key
		if _, err := jwt.NewKey(jwt.EdDSA, priv); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("halves that do not belong together: %v", err)
		}
	}
}

// Covers Standard_C07, Standard_A10.
//
//nolint:staticcheck // 2026-11-22: only raw numbers make the wrong keys that this test wants
func TestECPoints_Standard_C07(t *testing.T) {
	t.Parallel()
	priv := private()[jwt.ES256].(*ecdsa.PrivateKey)
	off := &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).Add(priv.X, big.NewInt(1)), Y: priv.Y}
	for name, key := range map[string]any{
		"off the curve": off, "zero": &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)},
		"another curve's point": &ecdsa.PublicKey{Curve: elliptic.P384(), X: priv.X, Y: priv.Y},
		"negative":              &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).Neg(priv.X), Y: priv.Y},
		"another d":             &ecdsa.PrivateKey{PublicKey: priv.PublicKey, D: big.NewInt(5)},
		"d = 0":                 &ecdsa.PrivateKey{PublicKey: priv.PublicKey, D: new(big.Int)},
		"d = n":                 &ecdsa.PrivateKey{PublicKey: priv.PublicKey, D: elliptic.P256().Params().N},
		"negative d":            &ecdsa.PrivateKey{PublicKey: priv.PublicKey, D: big.NewInt(-5)},
	} {
		if _, err := jwt.NewKey("", key); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
	}
}

// A key keeps its material: what the caller does with its own copy afterwards changes nothing.
func TestMaterialIsCopied(t *testing.T) {
	t.Parallel()
	secret := bytes.Clone(private()[jwt.HS256].([]byte))
	k, err := jwt.NewKey(jwt.HS256, secret)
	if err != nil {
		t.Fatal(err)
	}
	clear(secret)
	accepted(t, hs256(t, hsHeader, payload), k)
}

func TestKeyIsASetOfOne(t *testing.T) {
	t.Parallel()
	k := newKey(t, jwt.EdDSA)
	for kid, want := range map[string]error{"k": nil, "": nil, "K": jwt.ErrKey, "other": jwt.ErrKey} {
		if got, err := k.Key(context.Background(), kid); !errors.Is(err, want) || err == nil && got != k {
			t.Errorf("Key(%q) = %v, %v, want %v", kid, got, err, want)
		}
	}
	nameless := withID(t, k, "")
	if _, err := nameless.Key(context.Background(), "k"); !errors.Is(err, jwt.ErrKey) {
		t.Errorf("a key without kid answered one: %v", err)
	}
	for _, kid := range []string{strings.Repeat("k", jwt.MaxKeyID+1), "\xff"} {
		if _, err := k.WithID(kid); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("WithID(%.10q…): %v, want ErrKey", kid, err)
		}
	}
}

// Covers Behaviour_F8.
func TestPublic(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		k := newKey(t, alg)
		pub, err := k.Public()
		if alg.Symmetric() {
			if !errors.Is(err, jwt.ErrKey) || pub != nil {
				t.Errorf("%s: Public = %v, %v, want ErrKey", alg, pub, err)
			}
			continue
		}
		if err != nil || pub.Private() || pub.ID() != "k" || pub.Algorithm() != alg {
			t.Errorf("%s: Public = %v, %v", alg, pub, err)
		}
		if again := public(t, pub); again.String() != pub.String() {
			t.Errorf("%s: the public half of a public key is %v", alg, again)
		}
		if token, err := jwt.Sign(pub, "", map[string]int{}); !errors.Is(err, jwt.ErrKey) || token != "" {
			t.Errorf("%s: a public key signed: %q, %v", alg, token, err)
		}
	}
}

// A kid is an argument of commands.
func TestGeneratedKidIsNoFlag(t *testing.T) {
	t.Parallel()
	for range 1000 {
		key, err := jwt.GenerateKey(jwt.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(key.ID(), "-") {
			t.Fatalf("kid %s", key.ID())
		}
	}
}
