package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"strings"

	"github.com/doorward/doorward/jwt/internal/jwa"
)

// rsaBits is the size of the RSA keys made here: 128 bits of strength (NIST SP 800-57).
const rsaBits = 3072

// GenerateKey makes a new private key from the system's random source: a secret as long as the hash, RSA with 3,072
// bits, the algorithm's curve, or Ed25519. The kid is the RFC 7638 thumbprint; a secret gets a random one, since a
// thumbprint of it would help to guess it. No kid begins with a hyphen, which a command line would take for a flag.
// The error is [ErrKey] for an unknown algorithm.
func GenerateKey(alg Algorithm) (*Key, error) {
	a := jwa.Named(string(alg))
	if a == nil {
		return nil, keyError("unknown algorithm")
	}
	for {
		material, err := generate(a)
		if err != nil {
			return nil, keyError("generate: %w", err)
		}
		k, err := NewKey(Algorithm(a.Name), material)
		if err != nil {
			return nil, err
		}
		if a.Family == jwa.HMAC {
			k.id = rand.Text()
		}
		if !strings.HasPrefix(k.id, "-") {
			return k, nil
		}
	}
}

func generate(a *jwa.Algorithm) (any, error) {
	switch a.Family {
	case jwa.HMAC:
		secret := make([]byte, a.Size())
		_, err := rand.Read(secret)
		return secret, err
	case jwa.ECDSA:
		return ecdsa.GenerateKey(a.Curve, rand.Reader)
	case jwa.Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	default:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
}
