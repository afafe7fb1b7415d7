package jwa

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	_ "embed" // weak.bin
	"sort"

	"github.com/doorward/doorward/internal/strict"
)

// leastVariety is the least number of different bytes in a secret. Of a million million random secrets of 32 bytes
// none has so few.
const leastVariety = 8

// maxSecret bounds the work of looking for repetition, in bytes.
const maxSecret = 8 << 10

// weakSecrets holds, sorted, the first 8 bytes of the SHA-256 of each publicly known secret that has 32 bytes or
// more, white space around it counted but not hashed. Shorter ones are refused for their length. The list is
// wallarm/jwt-secrets (MIT). To make the file anew, run
//
//	DOORWARD_CORPORA=… go test ./jwt/internal/jwa -run TestWeakSecretFile -update
//
//go:embed weak.bin
var weakSecrets string

const weakDigest = 8

// checkSecret refuses secrets that can be guessed or are public. Their length is judged before, with the algorithm.
func checkSecret(secret []byte) error {
	trimmed := bytes.TrimSpace(secret)
	switch {
	case len(trimmed) == 0:
		return KeyError("the secret is empty")
	case uniform(trimmed):
		return KeyError("the secret repeats itself: make one with GenerateKey")
	case otherKey(secret) || otherKey(trimmed): // DER may end in a byte that is also a blank
		return KeyError("the secret is the text of another kind of key")
	case knownSecret(trimmed):
		return KeyError("the secret is on a public list: make one with GenerateKey")
	}
	return nil
}

// uniform reports whether secret has few different bytes, or is one piece written twice or more, the last time
// perhaps in part.
func uniform(secret []byte) bool {
	var seen [256]bool
	variety := 0
	for _, c := range secret {
		if !seen[c] {
			seen[c] = true
			variety++
		}
	}
	if variety < leastVariety {
		return true
	}
	for n := 1; n <= len(secret)/2; n++ {
		if bytes.HasPrefix(secret, secret[n:]) {
			return true
		}
	}
	return false
}

// otherKey reports whether secret is the text of a key of another kind, or of a certificate: PEM, SSH, JWK or DER.
// Others may know such a text; above all, a public key must not be taken for a secret (RFC 8725 §2.1).
func otherKey(secret []byte) bool {
	if bytes.Contains(secret, []byte("-----BEGIN ")) || strict.Object(secret, 32, nil) == nil {
		return true
	}
	for _, prefix := range []string{"ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"} {
		if bytes.HasPrefix(secret, []byte(prefix)) {
			return true
		}
	}
	if secret[0] != 0x30 { // every DER form below is a SEQUENCE
		return false
	}
	for _, parse := range []func([]byte) error{
		func(b []byte) error { _, err := x509.ParsePKIXPublicKey(b); return err },
		func(b []byte) error { _, err := x509.ParsePKCS1PublicKey(b); return err },
		func(b []byte) error { _, err := x509.ParsePKCS8PrivateKey(b); return err },
		func(b []byte) error { _, err := x509.ParsePKCS1PrivateKey(b); return err },
		func(b []byte) error { _, err := x509.ParseECPrivateKey(b); return err },
		func(b []byte) error { _, err := x509.ParseCertificate(b); return err },
	} {
		if parse(secret) == nil {
			return true
		}
	}
	return false
}

func knownSecret(secret []byte) bool {
	digest := sha256.Sum256(secret)
	want := string(digest[:weakDigest])
	n := len(weakSecrets) / weakDigest
	i := sort.Search(n, func(i int) bool { return weakSecrets[i*weakDigest:(i+1)*weakDigest] >= want })
	return i < n && weakSecrets[i*weakDigest:(i+1)*weakDigest] == want
}
