package jwt

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"unicode/utf8"

	"github.com/doorward/doorward/jwt/internal/jwa"
)

// MaxKeyID is the longest kid of a key, in bytes.
const MaxKeyID = 256

// Key is a key with exactly one algorithm (RFC 8725 §3.1). It is immutable and safe for concurrent use. Printed,
// logged or marshalled as JSON it shows its algorithm, its kid and its public half, never a secret.
type Key struct {
	id       string
	alg      Algorithm
	material jwa.Key
	noVerify bool // key_ops of a JWK, RFC 7517 §4.3
	noSign   bool
	header   atomic.Pointer[signHeader] // the header that Sign wrote last
}

// NewKey makes a key of alg from material: a []byte that holds an HMAC secret, or one of *[crypto/rsa.PrivateKey],
// *[crypto/rsa.PublicKey], *[crypto/ecdsa.PrivateKey], *[crypto/ecdsa.PublicKey], [crypto/ed25519.PrivateKey] and
// [crypto/ed25519.PublicKey]. An empty alg means the only one that fits; it is an error for RSA keys and secrets,
// which fit several. The material is copied.
//
// The kid is the RFC 7638 thumbprint; a secret has none until [Key.WithID] gives it one.
//
// Weak material is refused with [ErrKey]: a secret shorter than the algorithm's hash (RFC 7518 §3.2), of low
// variety, publicly known, or that is the text of another key; RSA below 2,048 or above 8,192 bits, with an
// exponent that is 1, even or above 2³¹−1, or with the marks of a broken generator; an elliptic curve key of
// another curve or a point off the curve; an Ed25519 point of small order or in a non-canonical encoding.
func NewKey(alg Algorithm, material any) (*Key, error) {
	m, err := jwa.New(material)
	if err != nil {
		return nil, err
	}
	k, err := newKey(alg, m)
	if err != nil {
		return nil, err
	}
	if m.Public() != nil {
		k.id, err = k.Thumbprint()
	}
	return k, err
}

// ID returns the key's kid, or "" when it has none.
func (k *Key) ID() string { return k.id }

// WithID returns the same key under another kid; "" takes its kid away. It returns [ErrKey] for a kid longer than
// [MaxKeyID] or not UTF-8.
func (k *Key) WithID(kid string) (*Key, error) {
	if err := checkKeyID(kid); err != nil {
		return nil, err
	}
	return &Key{id: kid, alg: k.alg, material: k.material, noVerify: k.noVerify, noSign: k.noSign}, nil
}

// Algorithm returns the key's algorithm.
func (k *Key) Algorithm() Algorithm { return k.alg }

// Private reports whether the key holds a secret: a private key or an HMAC secret.
func (k *Key) Private() bool { return k.material.Private() }

// Public returns the public half under the same kid; for a public key, that is the key itself. It returns [ErrKey] for
// an HMAC secret, which has none.
func (k *Key) Public() (*Key, error) {
	m := k.material.Public()
	if m == nil {
		return nil, keyError("an HMAC secret has no public half")
	}
	return &Key{id: k.id, alg: k.alg, material: m, noVerify: k.noVerify && !k.Private()}, nil
}

// Key implements [KeySet]: a key is a set of one. It returns k for k's own kid and for an empty one, otherwise [ErrKey].
func (k *Key) Key(_ context.Context, kid string) (*Key, error) {
	if kid != "" && kid != k.id {
		return nil, errUnknownKey
	}
	return k, nil
}

// String returns the algorithm, the kid and whether the key is private.
func (k *Key) String() string {
	half := "public"
	if k.Private() {
		half = "private"
	}
	return fmt.Sprintf("jwt.Key(%s, kid %q, %s)", k.alg, k.id, half)
}

// Format prints [Key.String] whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// LogValue logs [Key.String].
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// newKey binds material to alg, or to the only algorithm that fits it if alg is empty.
func newKey(alg Algorithm, material jwa.Key) (*Key, error) {
	a := material.Implied()
	if alg != "" {
		a = jwa.Named(string(alg))
	}
	switch {
	case a == nil && alg == "":
		return nil, keyError("the key fits several algorithms: name one")
	case a == nil:
		return nil, keyError("unknown algorithm")
	}
	if err := material.Bind(a); err != nil {
		return nil, err
	}
	return &Key{alg: Algorithm(a.Name), material: material}, nil
}

func checkKeyID(kid string) error {
	if len(kid) > MaxKeyID || !utf8.ValidString(kid) {
		return keyError("the kid is longer than %d bytes or not UTF-8", MaxKeyID)
	}
	return nil
}

func keyError(format string, args ...any) error { return jwa.KeyError(format, args...) }
