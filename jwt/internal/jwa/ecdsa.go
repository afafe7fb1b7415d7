package jwa

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
)

// ecKey is a public key, or a private one when priv is set. Its curve implies its algorithm.
type ecKey struct {
	alg   *Algorithm
	pub   *ecdsa.PublicKey
	priv  *ecdsa.PrivateKey
	order []byte // of the curve, as long as each half of a signature
}

func newECPublic(pub *ecdsa.PublicKey) (*ecKey, error) {
	//nolint:staticcheck // 2026-11-22: reading the fields for nil is what keeps Bytes from a panic
	if pub == nil || pub.Curve == nil || pub.X == nil || pub.Y == nil {
		return nil, KeyError("the EC key has no point")
	}
	a := find(func(a *Algorithm) bool { return a.Curve != nil && a.Curve == pub.Curve })
	if a == nil {
		return nil, KeyError("the EC key is not on P-256, P-384 or P-521")
	}
	point, err := pub.Bytes()
	if err != nil {
		return nil, KeyError("the EC key is no point of its curve")
	}
	own, err := ecdsa.ParseUncompressedPublicKey(a.Curve, point)
	if err != nil {
		return nil, KeyError("the EC key is no point of its curve")
	}
	order := a.Curve.Params().N.FillBytes(make([]byte, a.Size()))
	return &ecKey{alg: a, pub: own, order: order}, nil
}

func newECPrivate(priv *ecdsa.PrivateKey) (*ecKey, error) {
	//nolint:staticcheck // 2026-11-22: reading the field for nil is what keeps Bytes from a panic
	if priv == nil || priv.D == nil {
		return nil, KeyError("the EC key has no private number")
	}
	k, err := newECPublic(&priv.PublicKey)
	if err != nil {
		return nil, err
	}
	d, err := priv.Bytes()
	if err != nil {
		return nil, KeyError("the private number of the EC key is out of range")
	}
	own, err := ecdsa.ParseRawPrivateKey(k.alg.Curve, d)
	if err != nil {
		return nil, KeyError("the private number of the EC key is out of range")
	}
	if !own.PublicKey.Equal(k.pub) {
		return nil, KeyError("the halves of the EC key do not belong together")
	}
	k.priv = own
	return k, nil
}

func (k *ecKey) Implied() *Algorithm { return k.alg }

func (k *ecKey) Bind(a *Algorithm) error {
	if a != k.alg {
		return misfit("an EC key on "+k.alg.Crv, a)
	}
	return nil
}

func (k *ecKey) Private() bool { return k.priv != nil }
func (k *ecKey) Public() Key   { return &ecKey{alg: k.alg, pub: k.pub, order: k.order} }

func (k *ecKey) Std() any {
	if k.priv != nil {
		return k.priv
	}
	return k.pub
}

// Sign writes R and S with a fixed width (RFC 7518 §3.4). The nonce is hedged: a hash of the key, the message and
// fresh randomness.
func (k *ecKey) Sign(dst, input []byte) ([]byte, error) {
	var d digest
	r, s, err := ecdsa.Sign(rand.Reader, k.priv, d.of(k.alg.Hash, input))
	if err != nil {
		return nil, err
	}
	size := len(k.order)
	start := len(dst)
	dst = append(dst, make([]byte, 2*size)...)
	r.FillBytes(dst[start : start+size])
	s.FillBytes(dst[start+size:])
	return dst, nil
}

func (k *ecKey) Verify(w *Workspace, input, signature []byte) error {
	size := len(k.order)
	if len(signature) != 2*size {
		return errSignatureLength
	}
	if !k.inRange(signature[:size]) || !k.inRange(signature[size:]) {
		return errSignatureRange
	}
	der := appendDER(w.der[:0], signature[:size], signature[size:])
	if !ecdsa.VerifyASN1(k.pub, w.digest.of(k.alg.Hash, input), der) {
		return ErrSignature
	}
	return nil
}

// inRange reports whether 0 < number < order.
func (k *ecKey) inRange(number []byte) bool {
	return bytes.Compare(number, k.order) < 0 && len(bytes.TrimLeft(number, "\x00")) > 0
}

// appendDER appends SEQUENCE { r INTEGER, s INTEGER } (X.690): the form that crypto/ecdsa reads without big.Int.
func appendDER(dst, r, s []byte) []byte {
	r, s = bytes.TrimLeft(r, "\x00"), bytes.TrimLeft(s, "\x00")
	length := derLen(r) + derLen(s)
	dst = append(dst, 0x30)
	if length >= 0x80 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(length))
	return appendInteger(appendInteger(dst, r), s)
}

// derLen is the length of a positive INTEGER with its header. If the top bit is set, a zero byte goes before it.
func derLen(n []byte) int { return 2 + len(n) + int(n[0]>>7) }

func appendInteger(dst, n []byte) []byte {
	dst = append(dst, 0x02, byte(derLen(n)-2))
	if n[0]>>7 == 1 {
		dst = append(dst, 0)
	}
	return append(dst, n...)
}
