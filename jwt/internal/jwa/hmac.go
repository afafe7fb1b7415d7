package jwa

import (
	"bytes"
	"crypto/hmac"
	"hash"
	"sync"
)

// secretKey is an HMAC secret (RFC 7518 §3.2).
type secretKey struct {
	alg    *Algorithm
	secret []byte
	states sync.Pool // of hash.Hash: keyed once, reset for each token
}

func newSecret(secret []byte) (*secretKey, error) {
	if len(secret) > maxSecret {
		return nil, KeyError("the secret is longer than 8 KiB")
	}
	return &secretKey{secret: bytes.Clone(secret)}, nil
}

func (k *secretKey) Implied() *Algorithm { return nil }

func (k *secretKey) Bind(a *Algorithm) error {
	if a.Family != HMAC {
		return misfit("a secret", a)
	}
	if len(k.secret) < a.Size() {
		return KeyError("the secret is shorter than %d bytes, the least for %s (RFC 7518 §3.2)", a.Size(), a.Name)
	}
	if err := checkSecret(k.secret); err != nil {
		return err
	}
	k.alg = a
	k.states.New = func() any { return hmac.New(a.Hash.New, k.secret) }
	return nil
}

func (k *secretKey) Private() bool { return true }
func (k *secretKey) Public() Key   { return nil }
func (k *secretKey) Std() any      { return k.secret }

func (k *secretKey) Sign(dst, input []byte) ([]byte, error) {
	state := k.states.Get().(hash.Hash)
	defer k.states.Put(state)
	state.Reset()
	state.Write(input)
	return state.Sum(dst), nil
}

func (k *secretKey) Verify(w *Workspace, input, signature []byte) error {
	if len(signature) != k.alg.Size() {
		return errSignatureLength
	}
	want, err := k.Sign(w.digest[:0], input)
	if err != nil || !hmac.Equal(want, signature) {
		return ErrSignature
	}
	return nil
}
