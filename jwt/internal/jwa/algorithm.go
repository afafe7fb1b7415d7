package jwa

import (
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
)

// Family is a way of signing. The algorithms of one family differ in their hash or curve alone.
type Family int

// The families of algorithms.
const (
	HMAC Family = iota
	PKCS1
	PSS
	ECDSA
	Ed25519
)

// Algorithm is what one name of the header parameter "alg" stands for.
type Algorithm struct {
	Name   string
	Family Family
	Hash   crypto.Hash    // not of Ed25519
	Curve  elliptic.Curve // of ECDSA
	Crv    string         // the curve's name in a JWK, or ""
}

var algorithms = [...]Algorithm{
	{Name: "HS256", Family: HMAC, Hash: crypto.SHA256},
	{Name: "HS384", Family: HMAC, Hash: crypto.SHA384},
	{Name: "HS512", Family: HMAC, Hash: crypto.SHA512},
	{Name: "RS256", Family: PKCS1, Hash: crypto.SHA256},
	{Name: "RS384", Family: PKCS1, Hash: crypto.SHA384},
	{Name: "RS512", Family: PKCS1, Hash: crypto.SHA512},
	{Name: "PS256", Family: PSS, Hash: crypto.SHA256},
	{Name: "PS384", Family: PSS, Hash: crypto.SHA384},
	{Name: "PS512", Family: PSS, Hash: crypto.SHA512},
	{Name: "ES256", Family: ECDSA, Hash: crypto.SHA256, Curve: elliptic.P256(), Crv: "P-256"},
	{Name: "ES384", Family: ECDSA, Hash: crypto.SHA384, Curve: elliptic.P384(), Crv: "P-384"},
	{Name: "ES512", Family: ECDSA, Hash: crypto.SHA512, Curve: elliptic.P521(), Crv: "P-521"},
	{Name: "EdDSA", Family: Ed25519, Crv: "Ed25519"},
}

// Named returns the algorithm of that name, or nil. "Ed25519" (RFC 9864) is another name of EdDSA.
func Named(name string) *Algorithm {
	if name == "Ed25519" {
		name = "EdDSA"
	}
	return find(func(a *Algorithm) bool { return a.Name == name })
}

// OnCurve returns the only algorithm that uses the curve with this JWK name, or nil.
func OnCurve(crv string) *Algorithm {
	return find(func(a *Algorithm) bool { return a.Crv != "" && a.Crv == crv })
}

// Size is, in bytes, the length of the hash for HMAC and of each of the two numbers of a signature for ECDSA. It is 0
// for the others.
func (a *Algorithm) Size() int {
	switch a.Family {
	case HMAC:
		return a.Hash.Size()
	case ECDSA:
		return (a.Curve.Params().BitSize + 7) / 8
	}
	return 0
}

func find(is func(*Algorithm) bool) *Algorithm {
	for i := range algorithms {
		if is(&algorithms[i]) {
			return &algorithms[i]
		}
	}
	return nil
}

// digest holds a digest of any of the three hashes.
type digest [sha512.Size]byte

func (d *digest) of(h crypto.Hash, input []byte) []byte {
	switch h {
	case crypto.SHA256:
		sum := sha256.Sum256(input)
		return append(d[:0], sum[:]...)
	case crypto.SHA384:
		sum := sha512.Sum384(input)
		return append(d[:0], sum[:]...)
	default:
		sum := sha512.Sum512(input)
		return append(d[:0], sum[:]...)
	}
}
