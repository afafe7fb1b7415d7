package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
)

var (
	errSignature = errors.New("the signature is wrong")
	errUnknown   = errors.New("the algorithm is unknown")
)

// rawVerify is the standard library's check of the signature and nothing else: no decoding, no claims. It always checks
// the same token.
func rawVerify(k *keys) (verify, error) {
	dot := strings.LastIndexByte(k.token, '.')
	input := []byte(k.token[:dot])
	signature, err := base64.RawURLEncoding.DecodeString(k.token[dot+1:])
	if err != nil {
		return nil, err
	}
	good, err := rawCheck(k, input, signature)
	if err != nil {
		return nil, err
	}
	return func(string) error {
		if !good() {
			return errSignature
		}
		return nil
	}, nil
}

func rawCheck(k *keys, input, signature []byte) (func() bool, error) {
	switch key := k.public.(type) {
	case []byte:
		mac, sum := hmac.New(sha256.New, key), make([]byte, 0, sha256.Size)
		return func() bool {
			mac.Reset()
			mac.Write(input)
			return hmac.Equal(mac.Sum(sum), signature)
		}, nil
	case *ecdsa.PublicKey:
		half := len(signature) / 2
		der, err := asn1.Marshal([]*big.Int{new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])})
		return func() bool {
			digest := sha256.Sum256(input)
			return ecdsa.VerifyASN1(key, digest[:], der)
		}, err
	case ed25519.PublicKey:
		return func() bool { return ed25519.Verify(key, input, signature) }, nil
	case *rsa.PublicKey:
		return func() bool {
			digest := sha256.Sum256(input)
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
		}, nil
	}
	return nil, errUnknown
}

// rawSign is the standard library's signature and nothing else, over the same bytes each time.
func rawSign(k *keys) (sign, error) {
	input := []byte(k.token[:strings.LastIndexByte(k.token, '.')])
	switch key := k.private.(type) {
	case []byte:
		mac, sum := hmac.New(sha256.New, key), make([]byte, 0, sha256.Size)
		return func(*claims) (string, error) {
			mac.Reset()
			mac.Write(input)
			mac.Sum(sum)
			return k.token, nil
		}, nil
	case ed25519.PrivateKey:
		return func(*claims) (string, error) {
			ed25519.Sign(key, input)
			return k.token, nil
		}, nil
	case crypto.Signer:
		return func(*claims) (string, error) {
			digest := sha256.Sum256(input)
			_, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
			return k.token, err
		}, nil
	}
	return nil, errUnknown
}
