package opaque

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// KeyName is how tokens name their key.
type KeyName [4]byte

// NewKeyName returns a random name.
func NewKeyName() KeyName {
	var n KeyName
	_, _ = rand.Read(n[:]) // crypto/rand.Read never fails.
	return n
}

const keyIDPrefix = "refresh-"

// ID returns the ID of the key in the store.
func (n KeyName) ID() string { return keyIDPrefix + hex.EncodeToString(n[:]) }

// ParseKeyID reads what [KeyName.ID] writes.
func ParseKeyID(id string) (KeyName, error) {
	digits, ok := strings.CutPrefix(id, keyIDPrefix)
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != len(KeyName{}) {
		return KeyName{}, fmt.Errorf("opaque: %q is no id of a refresh key", id)
	}
	return KeyName(raw), nil
}

// Key authenticates tokens.
type Key struct {
	name   KeyName
	secret []byte
}

// NewSecret returns the 32 random bytes of a new key.
func NewSecret() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // crypto/rand.Read never fails.
	return secret
}

// NewKey returns the key of that id in the store.
func NewKey(id string, secret []byte) (Key, error) {
	name, err := ParseKeyID(id)
	if err != nil {
		return Key{}, err
	}
	if len(secret) != 32 {
		return Key{}, fmt.Errorf("opaque: the secret of %s has %d bytes, not 32", id, len(secret))
	}
	return Key{name: name, secret: secret}, nil
}

// Name is how tokens name the key.
func (k Key) Name() KeyName { return k.name }

// Format prints the key's ID for every verb, and not its secret.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.name.ID()) }

func (k Key) mac(signed []byte) []byte {
	h := hmac.New(sha256.New, k.secret)
	h.Write([]byte("doorward refresh 1\x00"))
	h.Write(signed)
	return h.Sum(nil)
}
