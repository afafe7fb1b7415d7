package jwt

import (
	"crypto"
	"crypto/elliptic"
	_ "crypto/sha256" // crypto.SHA256
	_ "crypto/sha512" // crypto.SHA384, crypto.SHA512
)

// Algorithm is the name of a signature algorithm, as the header parameter "alg" has it (RFC 7518 §3.1, RFC 8037
// §3.1). There is no "none", and no setting that adds it.
type Algorithm string

// The algorithms. EdDSA means Ed25519; "Ed25519" (RFC 9864) is read as another name of it, in tokens and in keys,
// and never written.
const (
	HS256 Algorithm = "HS256"
	HS384 Algorithm = "HS384"
	HS512 Algorithm = "HS512"
	RS256 Algorithm = "RS256"
	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
	PS256 Algorithm = "PS256"
	PS384 Algorithm = "PS384"
	PS512 Algorithm = "PS512"
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	ES512 Algorithm = "ES512"
	EdDSA Algorithm = "EdDSA"
)

// ed25519Name is the other name of EdDSA.
const ed25519Name = "Ed25519"

// Symmetric reports whether the algorithm's key is a secret that signer and verifier share.
func (a Algorithm) Symmetric() bool { return a == HS256 || a == HS384 || a == HS512 }

type family int

const (
	familyHMAC family = iota
	familyPKCS1
	familyPSS
	familyECDSA
	familyEd25519
)

// algorithm is what one name stands for.
type algorithm struct {
	name   Algorithm
	family family
	hash   crypto.Hash
	curve  elliptic.Curve // ECDSA
	crv    string         // the curve's name in a JWK
}

var algorithms = [...]algorithm{
	{name: HS256, family: familyHMAC, hash: crypto.SHA256},
	{name: HS384, family: familyHMAC, hash: crypto.SHA384},
	{name: HS512, family: familyHMAC, hash: crypto.SHA512},
	{name: RS256, family: familyPKCS1, hash: crypto.SHA256},
	{name: RS384, family: familyPKCS1, hash: crypto.SHA384},
	{name: RS512, family: familyPKCS1, hash: crypto.SHA512},
	{name: PS256, family: familyPSS, hash: crypto.SHA256},
	{name: PS384, family: familyPSS, hash: crypto.SHA384},
	{name: PS512, family: familyPSS, hash: crypto.SHA512},
	{name: ES256, family: familyECDSA, hash: crypto.SHA256, curve: elliptic.P256(), crv: "P-256"},
	{name: ES384, family: familyECDSA, hash: crypto.SHA384, curve: elliptic.P384(), crv: "P-384"},
	{name: ES512, family: familyECDSA, hash: crypto.SHA512, curve: elliptic.P521(), crv: "P-521"},
	{name: EdDSA, family: familyEd25519, crv: "Ed25519"},
}

// algorithmNamed returns nil for a name that is none of ours.
func algorithmNamed(name Algorithm) *algorithm {
	if name == ed25519Name {
		name = EdDSA
	}
	for i := range algorithms {
		if algorithms[i].name == name {
			return &algorithms[i]
		}
	}
	return nil
}

// algorithmOnCurve returns the one algorithm that uses the curve with this JWK name, or nil.
func algorithmOnCurve(crv string) *algorithm {
	for i := range algorithms {
		if algorithms[i].crv == crv && crv != "" {
			return &algorithms[i]
		}
	}
	return nil
}

// size is the length of a hash for HMAC and of one of the two numbers of a signature for ECDSA, in bytes.
func (a *algorithm) size() int {
	switch a.family {
	case familyHMAC:
		return a.hash.Size()
	case familyECDSA:
		return (a.curve.Params().BitSize + 7) / 8
	}
	return 0
}
