package jwt

import (
	"bytes"
	"crypto/hmac"
	"hash"
	"sync"
)

// secretKey is an HMAC secret (RFC 7518 §3.2).
type secretKey struct {
	alg    *algorithm
	secret []byte
	states sync.Pool // of hash.Hash: keyed once, reset for each token
}

func newSecret(secret []byte) (*secretKey, error) {
	if err := checkSecret(secret); err != nil {
		return nil, err
	}
	return &secretKey{secret: bytes.Clone(secret)}, nil
}

func (k *secretKey) implied() *algorithm { return nil }

func (k *secretKey) bind(a *algorithm) error {
	if a.family != familyHMAC {
		return misfit("a secret", a)
	}
	if len(k.secret) < a.size() {
		return keyError("the secret is shorter than %d bytes, the least for %s (RFC 7518 §3.2)", a.size(), a.name)
	}
	k.alg = a
	k.states.New = func() any { return hmac.New(a.hash.New, k.secret) }
	return nil
}

func (k *secretKey) private() bool    { return true }
func (k *secretKey) public() material { return nil }
func (k *secretKey) std() any         { return nil }

func (k *secretKey) sign(dst, input []byte) ([]byte, error) {
	state := k.states.Get().(hash.Hash)
	defer k.states.Put(state)
	state.Reset()
	state.Write(input)
	return state.Sum(dst), nil
}

func (k *secretKey) verify(s *scratch, input, signature []byte) error {
	if len(signature) != k.alg.size() {
		return errSignatureLength
	}
	want, err := k.sign(s.sum[:0], input)
	if err != nil || !hmac.Equal(want, signature) {
		return ErrSignature
	}
	return nil
}

func (k *secretKey) jwk() jwk { return jwk{Type: "oct", K: encode64(k.secret)} }
