package jwa

import (
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"slices"
)

// rsaKey is a public key, or a private one when priv is set. Its algorithm decides on padding and hash.
type rsaKey struct {
	alg  *Algorithm
	pub  *rsa.PublicKey
	priv *rsa.PrivateKey
}

func newRSAPublic(pub *rsa.PublicKey) (*rsaKey, error) {
	if pub == nil || pub.N == nil {
		return nil, KeyError("the RSA key has no modulus")
	}
	if err := checkRSA(pub.N, pub.E); err != nil {
		return nil, err
	}
	return &rsaKey{pub: &rsa.PublicKey{N: new(big.Int).Set(pub.N), E: pub.E}}, nil
}

func newRSAPrivate(priv *rsa.PrivateKey) (*rsaKey, error) {
	if priv == nil || priv.D == nil || len(priv.Primes) != 2 || slices.Contains(priv.Primes, nil) {
		return nil, KeyError("an RSA private key here has d and exactly two primes")
	}
	k, err := newRSAPublic(&priv.PublicKey)
	if err != nil {
		return nil, err
	}
	p, q := priv.Primes[0], priv.Primes[1]
	if priv.D.BitLen() > maxRSABits || p.BitLen() > maxRSABits || q.BitLen() > maxRSABits {
		return nil, KeyError("the numbers of the RSA key do not fit each other")
	}
	own := &rsa.PrivateKey{
		PublicKey: *k.pub,
		D:         new(big.Int).Set(priv.D),
		Primes:    []*big.Int{new(big.Int).Set(p), new(big.Int).Set(q)},
	}
	own.Precompute()
	if err := own.Validate(); err != nil {
		return nil, KeyError("the numbers of the RSA key do not fit each other")
	}
	k.priv = own
	return k, nil
}

func (k *rsaKey) Implied() *Algorithm { return nil }

func (k *rsaKey) Bind(a *Algorithm) error {
	if a.Family != PKCS1 && a.Family != PSS {
		return misfit("an RSA key", a)
	}
	k.alg = a
	return nil
}

func (k *rsaKey) Private() bool { return k.priv != nil }
func (k *rsaKey) Public() Key   { return &rsaKey{alg: k.alg, pub: k.pub} }

func (k *rsaKey) Std() any {
	if k.priv != nil {
		return k.priv
	}
	return k.pub
}

func (k *rsaKey) Sign(dst, input []byte) ([]byte, error) {
	var d digest
	sum := d.of(k.alg.Hash, input)
	var signature []byte
	var err error
	if k.alg.Family == PSS {
		signature, err = rsa.SignPSS(rand.Reader, k.priv, k.alg.Hash, sum, saltIsHash)
	} else {
		signature, err = rsa.SignPKCS1v15(nil, k.priv, k.alg.Hash, sum)
	}
	return append(dst, signature...), err
}

func (k *rsaKey) Verify(w *Workspace, input, signature []byte) error {
	if len(signature) != k.pub.Size() {
		return errSignatureLength
	}
	sum := w.digest.of(k.alg.Hash, input)
	var err error
	if k.alg.Family == PSS {
		err = rsa.VerifyPSS(k.pub, k.alg.Hash, sum, signature, saltIsHash)
	} else {
		err = rsa.VerifyPKCS1v15(k.pub, k.alg.Hash, sum, signature)
	}
	if err != nil {
		return ErrSignature
	}
	return nil
}

// saltIsHash: the salt is as long as the hash, in both directions (RFC 7518 §3.5).
var saltIsHash = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
