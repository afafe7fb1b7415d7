package jwa

import (
	"bytes"
	"crypto/ed25519"
	"math/big"
	"slices"
)

// edKey is an Ed25519 public key, or a private one when priv is set (RFC 8037).
type edKey struct {
	pub  ed25519.PublicKey
	priv ed25519.PrivateKey
}

func newEdPublic(pub ed25519.PublicKey) (*edKey, error) {
	if len(pub) != ed25519.PublicKeySize {
		return nil, KeyError("an Ed25519 public key has 32 bytes")
	}
	if err := checkEdPoint(pub); err != nil {
		return nil, err
	}
	return &edKey{pub: bytes.Clone(pub)}, nil
}

func newEdPrivate(priv ed25519.PrivateKey) (*edKey, error) {
	if len(priv) != ed25519.PrivateKeySize {
		return nil, KeyError("an Ed25519 private key has 64 bytes")
	}
	own := ed25519.NewKeyFromSeed(priv.Seed())
	if !own.Equal(priv) {
		return nil, KeyError("the halves of the Ed25519 key do not belong together")
	}
	return &edKey{pub: own.Public().(ed25519.PublicKey), priv: own}, nil
}

func (k *edKey) Implied() *Algorithm { return Named("EdDSA") }

func (k *edKey) Bind(a *Algorithm) error {
	if a.Family != Ed25519 {
		return misfit("an Ed25519 key", a)
	}
	return nil
}

func (k *edKey) Private() bool { return k.priv != nil }
func (k *edKey) Public() Key   { return &edKey{pub: k.pub} }

func (k *edKey) Std() any {
	if k.priv != nil {
		return k.priv
	}
	return k.pub
}

func (k *edKey) Sign(dst, input []byte) ([]byte, error) {
	return append(dst, ed25519.Sign(k.priv, input)...), nil
}

func (k *edKey) Verify(_ *Workspace, input, signature []byte) error {
	if len(signature) != ed25519.SignatureSize {
		return errSignatureLength
	}
	if !ed25519.Verify(k.pub, input, signature) {
		return ErrSignature
	}
	return nil
}

var (
	edPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	// edD is the constant of the curve, −121665/121666 (RFC 8032 §5.1).
	edD = func() *big.Int {
		d := new(big.Int).ModInverse(big.NewInt(121666), edPrime)
		d.Mul(d, big.NewInt(-121665))
		return d.Mod(d, edPrime)
	}()
)

// checkEdPoint refuses an encoding above the field's prime, a number that is no y of the curve, and the eight points
// of small order, under which anyone can make signatures for some messages.
func checkEdPoint(pub []byte) error {
	text := bytes.Clone(pub)
	text[31] &= 0x7f // the sign of x
	slices.Reverse(text)
	y := new(big.Int).SetBytes(text)
	if y.Cmp(edPrime) >= 0 {
		return KeyError("the Ed25519 key is not canonically encoded")
	}
	square := new(big.Int).Mul(y, y)
	// x² = (y²−1) / (dy²+1)
	below := new(big.Int).Mul(edD, square)
	below.Add(below, big.NewInt(1))
	above := new(big.Int).Sub(square, big.NewInt(1))
	product := new(big.Int).Mul(above, below)
	if big.Jacobi(product.Mod(product, edPrime), edPrime) < 0 {
		return KeyError("the Ed25519 key is no point of the curve")
	}
	if edSmallOrder(y, square) {
		return KeyError("the Ed25519 key is of small order")
	}
	return nil
}

// edSmallOrder finds the points P with 8P = 0 by their y: 1 and −1 (orders 1, 2), 0 (order 4), and the four numbers
// of order 8, which have x² = −y², so that dy⁴ + 2y² − 1 = 0 by the equation of the curve.
func edSmallOrder(y, square *big.Int) bool {
	if y.Sign() == 0 || y.Cmp(big.NewInt(1)) == 0 || new(big.Int).Sub(edPrime, y).Cmp(big.NewInt(1)) == 0 {
		return true
	}
	sum := new(big.Int).Mul(square, square)
	sum.Mul(sum, edD)
	sum.Add(sum, new(big.Int).Lsh(square, 1))
	sum.Sub(sum, big.NewInt(1))
	return sum.Mod(sum, edPrime).Sign() == 0
}
