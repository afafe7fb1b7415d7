// Package opaque writes and reads refresh tokens: texts that mean nothing to those who hold
// them, and that only the holder of a key can make. It is a part of package issuer.
package opaque

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/doorward/doorward/internal/strict"
)

// Prefix begins every refresh token, and no access token.
const Prefix = "dwr_"

// A token is the prefix and 60 bytes in base64url: the MAC key's name (4), the
// generation (4), the handle (20) and the MAC (32).
const (
	signedBytes = 4 + 4 + 20
	allBytes    = signedBytes + sha256.Size
	chars       = len(Prefix) + allBytes/3*4
)

// Errors of [Parse].
var (
	// ErrToken says that a text is no token, or that its MAC is wrong.
	ErrToken = errors.New("opaque: not a token of these keys")
	// ErrKey says that a text may be a token, of a key that is not among the keys.
	ErrKey = errors.New("opaque: a token of another key")
)

// Handle names a session. Only the holder of one of the session's tokens knows it.
type Handle [20]byte

// NewHandle returns a random handle of 160 bits.
func NewHandle() Handle {
	var h Handle
	_, _ = rand.Read(h[:]) // crypto/rand.Read never fails.
	return h
}

// Digest is what a store knows of the handle.
func (h Handle) Digest() [sha256.Size]byte { return sha256.Sum256(h[:]) }

// Token is what a refresh token says.
type Token struct {
	Key        KeyName // of the key that made its MAC; set by Parse
	Generation uint32
	Handle     Handle
}

// Parse reads a token whose MAC is good under one of the keys. With ErrKey it returns the
// name of the missing key, which anybody may have made up.
func Parse(text string, keys map[KeyName]Key) (Token, error) {
	if len(text) != chars || !strings.HasPrefix(text, Prefix) {
		return Token{}, ErrToken
	}
	raw, err := strict.AppendBase64(make([]byte, 0, allBytes), text[len(Prefix):])
	if err != nil {
		return Token{}, ErrToken
	}
	name := KeyName(raw[:4])
	key, ok := keys[name]
	if !ok {
		return Token{Key: name}, ErrKey
	}
	if !hmac.Equal(raw[signedBytes:], key.mac(raw[:signedBytes])) {
		return Token{}, ErrToken
	}
	return Token{
		Key:        name,
		Generation: binary.BigEndian.Uint32(raw[4:]),
		Handle:     Handle(raw[8:signedBytes]),
	}, nil
}

// Text writes the generation and the handle, authenticated by key.
func (t Token) Text(key Key) string {
	raw := make([]byte, 0, allBytes)
	raw = append(raw, key.name[:]...)
	raw = binary.BigEndian.AppendUint32(raw, t.Generation)
	raw = append(raw, t.Handle[:]...)
	raw = append(raw, key.mac(raw)...)
	return Prefix + base64.RawURLEncoding.EncodeToString(raw)
}
