package issuer

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/doorward/doorward/internal/seal"
)

// MasterKey is the 32-byte key under which the issuer's keys are sealed in the
// store. Whoever holds the database without it can make no token. It is printed
// by [MasterKey.Text] alone.
type MasterKey struct{ secret [32]byte }

// GenerateMasterKey makes a new master key from the system's randomness.
func GenerateMasterKey() MasterKey {
	var k MasterKey
	_, _ = rand.Read(k.secret[:]) // crypto/rand.Read never fails: it ends the program instead.
	return k
}

// ParseMasterKey reads the form that [MasterKey.Text] writes: 43 characters of
// base64url. Space around it, such as a file's last newline, is ignored.
func ParseMasterKey(text string) (MasterKey, error) {
	text = strings.TrimSpace(text)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 32 || len(text) != 43 {
		return MasterKey{}, errors.New("issuer: a master key is 43 characters of base64url (32 bytes)")
	}
	k := MasterKey{[32]byte(raw)}
	if k.isZero() {
		return MasterKey{}, errors.New("issuer: a master key of zeros is no secret")
	}
	return k, nil
}

// Text returns the key in the form that [ParseMasterKey] reads. It is a secret.
func (k MasterKey) Text() string { return base64.RawURLEncoding.EncodeToString(k.secret[:]) }

// String returns a placeholder.
func (MasterKey) String() string { return "[master key]" }

// Format prints a placeholder for every verb.
func (k MasterKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue logs a placeholder.
func (k MasterKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText refuses, so that no encoder writes the key by accident.
func (MasterKey) MarshalText() ([]byte, error) {
	return nil, errors.New("issuer: a master key is not to be marshalled")
}

func (k MasterKey) isZero() bool { return k.secret == [32]byte{} }

func (k MasterKey) seal(purpose, id string, plain []byte) []byte {
	return seal.Seal(k.secret, purpose, id, plain)
}

func (k MasterKey) open(purpose, id string, sealed []byte) ([]byte, error) {
	plain, err := seal.Open(k.secret, purpose, id, sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %s key %q", ErrMasterKey, purpose, id)
	}
	return plain, nil
}
