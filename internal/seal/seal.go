// Package seal encrypts keys at rest under a master key.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// ParseMaster reads the text of a master key, as issuer.MasterKey writes it. It refuses the zero key, which is none.
func ParseMaster(text string) ([32]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != 32 || [32]byte(raw) == [32]byte{} {
		return [32]byte{}, errors.New("seal: the master key is required")
	}
	return [32]byte(raw), nil
}

// Seal encrypts a key. Its purpose and name are authenticated with it, so that no
// sealed key can stand in for another.
func Seal(master [32]byte, purpose, name string, plain []byte) []byte {
	return aead(master).Seal(nil, nil, plain, associated(purpose, name))
}

// Open decrypts what Seal has made with the same master key, purpose and name.
// Otherwise it returns an error, which tells nothing of the key.
func Open(master [32]byte, purpose, name string, sealed []byte) ([]byte, error) {
	return aead(master).Open(nil, nil, sealed, associated(purpose, name))
}

// aead is AES-256-GCM with random nonces; the few keys of an issuer stay far
// from the 2³² messages that one key may seal (NIST SP 800-38D §8.3).
func aead(master [32]byte) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, master[:], nil, "doorward seal 1", 32)
	if err != nil {
		panic(err) // Only a length above 8,160 bytes is an error.
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes are a key.
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size that GCM wants.
	}
	return gcm
}

func associated(purpose, name string) []byte { return []byte(purpose + "\x00" + name) }
