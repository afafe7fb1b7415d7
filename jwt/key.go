package jwt

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"sync/atomic"
	"unicode/utf8"
)

// MaxKeyID is the longest kid of a key, in bytes.
const MaxKeyID = 256

// Key is a key with exactly one algorithm (RFC 8725 §3.1). It is immutable and safe for concurrent use. Printed,
// logged or marshalled as JSON it shows its algorithm, its kid and its public half, never a secret.
type Key struct {
	id       string
	alg      *algorithm
	material material
	noVerify bool // key_ops of a JWK, RFC 7517 §4.3
	noSign   bool
	header   atomic.Pointer[signHeader] // the header that Sign wrote last
}

// material is one kind of key. bind is called once, before the key is published; everything else only reads.
type material interface {
	// implied returns the algorithm when the key fits only one, else nil.
	implied() *algorithm
	// bind sets the algorithm, or returns why it does not fit.
	bind(a *algorithm) error
	private() bool
	// public returns the public half, or nil when there is none.
	public() material
	// sign appends the signature of input to dst.
	sign(dst, input []byte) ([]byte, error)
	// verify checks a signature; s is working memory.
	verify(s *scratch, input, signature []byte) error
	// jwk returns all members that the key has.
	jwk() jwk
	// std returns the key as a type of the standard library.
	std() any
}

// NewKey makes a key of alg from material: a []byte that holds an HMAC secret, or one of *[rsa.PrivateKey],
// *[rsa.PublicKey], *[ecdsa.PrivateKey], *[ecdsa.PublicKey], [ed25519.PrivateKey] and [ed25519.PublicKey]. An empty
// alg means the only one that fits; RSA keys and secrets fit several. The material is copied.
//
// The kid is the RFC 7638 thumbprint; a secret has none until [Key.WithID] gives it one.
//
// Weak material is refused with [ErrKey]: a secret shorter than the algorithm's hash (RFC 7518 §3.2), of low
// variety, publicly known, or that is the text of another key; RSA below 2,048 or above 8,192 bits, with an
// exponent that is 1, even or above 2³¹−1, or with the marks of a broken generator; an elliptic curve key of
// another curve or a point off the curve; an Ed25519 point of small order or in a non-canonical encoding.
func NewKey(alg Algorithm, material any) (*Key, error) {
	m, err := load(material)
	if err != nil {
		return nil, err
	}
	k, err := newKey(alg, m)
	if err != nil {
		return nil, err
	}
	if m.public() != nil {
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
func (k *Key) Algorithm() Algorithm { return k.alg.name }

// Private reports whether the key holds a secret: a private key or an HMAC secret.
func (k *Key) Private() bool { return k.material.private() }

// Public returns the public half under the same kid. A public key is its own. An HMAC secret has none: [ErrKey].
func (k *Key) Public() (*Key, error) {
	m := k.material.public()
	if m == nil {
		return nil, keyError("an HMAC secret has no public half")
	}
	return &Key{id: k.id, alg: k.alg, material: m, noVerify: k.noVerify && !k.Private()}, nil
}

// Key makes a key a [KeySet] of one. It answers its own kid, and a token without kid.
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
	return fmt.Sprintf("jwt.Key(%s, kid %q, %s)", k.alg.name, k.id, half)
}

// Format prints [Key.String] whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// LogValue logs [Key.String].
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// newKey binds material to an algorithm.
func newKey(alg Algorithm, m material) (*Key, error) {
	a := m.implied()
	if alg != "" {
		a = algorithmNamed(alg)
	}
	switch {
	case a == nil && alg == "":
		return nil, keyError("the key fits several algorithms: name one")
	case a == nil:
		return nil, keyError("unknown algorithm")
	}
	if err := m.bind(a); err != nil {
		return nil, err
	}
	return &Key{alg: a, material: m}, nil
}

// load checks material of a standard type and copies it.
func load(given any) (material, error) {
	switch m := given.(type) {
	case []byte:
		return newSecret(m)
	case *rsa.PrivateKey:
		return newRSAPrivate(m)
	case *rsa.PublicKey:
		return newRSAPublic(m)
	case *ecdsa.PrivateKey:
		return newECPrivate(m)
	case *ecdsa.PublicKey:
		return newECPublic(m)
	case ed25519.PrivateKey:
		return newEdPrivate(m)
	case ed25519.PublicKey:
		return newEdPublic(m)
	}
	return nil, keyError("%T is not a kind of key", given)
}

func checkKeyID(kid string) error {
	if len(kid) > MaxKeyID || !utf8.ValidString(kid) {
		return keyError("the kid is longer than %d bytes or not UTF-8", MaxKeyID)
	}
	return nil
}

// misfit is the error of a bind.
func misfit(kind string, a *algorithm) error { return keyError("%s is no key for %s", kind, a.name) }
