package issuer

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/doorward/doorward/internal/strict"
)

// RefreshTokenPrefix begins every refresh token, and no access token.
const RefreshTokenPrefix = "dwr_"

// A refresh token is the prefix and 60 bytes in base64url: the MAC key's name
// (4), the generation (4), the handle (20) and the MAC (32). The handle names the
// session to its holder alone; the store knows its digest.
const (
	refreshSigned = 4 + 4 + 20
	refreshBytes  = refreshSigned + sha256.Size
	refreshChars  = len(RefreshTokenPrefix) + refreshBytes/3*4
)

type handle [20]byte

func newHandle() handle {
	var h handle
	_, _ = rand.Read(h[:]) // crypto/rand.Read never fails.
	return h
}

func (h handle) digest() Digest { return sha256.Sum256(h[:]) }

type refreshToken struct {
	key        refreshKeyName // whose MAC it has, in a token that was read
	generation uint32
	handle     handle
}

// text writes the token, authenticated by key.
func (t refreshToken) text(key refreshKey) string {
	raw := make([]byte, 0, refreshBytes)
	raw = append(raw, key.name[:]...)
	raw = binary.BigEndian.AppendUint32(raw, t.generation)
	raw = append(raw, t.handle[:]...)
	raw = append(raw, key.mac(raw)...)
	return RefreshTokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
}

// parseRefreshToken reads a token whose MAC is good under one of the keys, and
// answers ErrToken to all else; errNoKey, with the key's name, if none of the keys has
// that name. The store is not asked.
func parseRefreshToken(text string, keys map[refreshKeyName]refreshKey) (refreshToken, error) {
	if len(text) != refreshChars || !strings.HasPrefix(text, RefreshTokenPrefix) {
		return refreshToken{}, ErrToken
	}
	raw, err := strict.AppendBase64(make([]byte, 0, refreshBytes), text[len(RefreshTokenPrefix):])
	if err != nil {
		return refreshToken{}, ErrToken
	}
	name := refreshKeyName(raw[:4])
	key, ok := keys[name]
	if !ok {
		return refreshToken{key: name}, errNoKey
	}
	if !hmac.Equal(raw[refreshSigned:], key.mac(raw[:refreshSigned])) {
		return refreshToken{}, ErrToken
	}
	return refreshToken{
		key:        name,
		generation: binary.BigEndian.Uint32(raw[4:]),
		handle:     handle(raw[8:refreshSigned]),
	}, nil
}

type refreshKeyName [4]byte

// id is the name as a key has it in the store.
func (n refreshKeyName) id() string { return refreshKeyIDPrefix + hex.EncodeToString(n[:]) }

// refreshKey authenticates refresh tokens.
type refreshKey struct {
	name   refreshKeyName
	secret []byte
}

func (k refreshKey) mac(signed []byte) []byte {
	h := hmac.New(sha256.New, k.secret)
	h.Write([]byte("doorward refresh 1\x00"))
	h.Write(signed)
	return h.Sum(nil)
}
