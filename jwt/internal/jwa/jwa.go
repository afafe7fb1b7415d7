// Package jwa holds the keys of the signature algorithms of RFC 7518 and RFC 8037: it refuses weak ones, and signs and
// verifies bytes with the others.
//
// It is the lower half of package jwt, whose errors it returns; names, headers and encodings are there.
package jwa

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
)

// The errors of package jwt that arise here.
var (
	ErrKey       = errors.New("jwt: no usable key")
	ErrSignature = errors.New("jwt: wrong signature")
)

var (
	errSignatureLength = fmt.Errorf("%w: not of the algorithm's length", ErrSignature)
	errSignatureRange  = fmt.Errorf("%w: r or s out of range", ErrSignature)
)

// Key is a private key, a public key or a secret. Bind is called once, before the key is shared; the other methods
// are safe for concurrent use.
type Key interface {
	// Implied returns the algorithm when the key fits only one, else nil.
	Implied() *Algorithm
	// Bind sets the algorithm, or returns why it does not fit. A weak secret is refused here and not by New, since
	// how long it must be depends on the algorithm.
	Bind(a *Algorithm) error
	// Private reports whether the key holds a secret.
	Private() bool
	// Public returns the public half, bound like the key, or nil when there is none.
	Public() Key
	// Sign appends the signature of input to dst.
	Sign(dst, input []byte) ([]byte, error)
	// Verify checks a signature. It keeps nothing of its arguments.
	Verify(w *Workspace, input, signature []byte) error
	// Std returns the key as a type that New takes. It is not to be changed.
	Std() any
}

// Workspace is memory for one verification at a time. Its zero value is ready.
type Workspace struct {
	digest digest
	der    [160]byte
}

// New checks a key of a standard type and copies it: a []byte that holds a secret, *[rsa.PrivateKey],
// *[rsa.PublicKey], *[ecdsa.PrivateKey], *[ecdsa.PublicKey], [ed25519.PrivateKey] or [ed25519.PublicKey]. It returns
// [ErrKey] for other types and for keys that are invalid or weak.
func New(material any) (Key, error) {
	switch m := material.(type) {
	case []byte:
		return known(newSecret(m))
	case *rsa.PrivateKey:
		return known(newRSAPrivate(m))
	case *rsa.PublicKey:
		return known(newRSAPublic(m))
	case *ecdsa.PrivateKey:
		return known(newECPrivate(m))
	case *ecdsa.PublicKey:
		return known(newECPublic(m))
	case ed25519.PrivateKey:
		return known(newEdPrivate(m))
	case ed25519.PublicKey:
		return known(newEdPublic(m))
	}
	return nil, KeyError("%T is not a kind of key", material)
}

// KeyError is [ErrKey] with what is wrong about a key.
func KeyError(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrKey, fmt.Errorf(format, args...))
}

// known returns k as a Key; with an error it returns nil, not an interface that holds a nil pointer.
func known[K Key](k K, err error) (Key, error) {
	if err != nil {
		return nil, err
	}
	return k, nil
}

// misfit is the error for an algorithm that a key cannot be bound to.
func misfit(kind string, a *Algorithm) error { return KeyError("%s is no key for %s", kind, a.Name) }
