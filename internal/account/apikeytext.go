package account

import (
	"crypto/rand"
	"errors"
	"hash/crc32"
	"strings"
)

// An API key is APIKeyPrefix, 16 characters that with it are the key's public ID, "_",
// 43 characters of base62 that are secret (256 random bits), "_", and 6 digits of base62:
// the CRC-32 (IEEE 802.3) of all before the second "_". So whoever finds one knows it for
// a key, and a program that scans for leaks finds hardly anything else.
const (
	APIKeyPrefix = "dwk_"
	// APIKeyPattern is what programs look for that scan texts for leaked keys.
	APIKeyPattern = `dwk_[a-z2-7]{16}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}`

	apiKeyIDSize     = len(APIKeyPrefix) + 16
	apiKeySecretSize = 43
	apiKeySumSize    = 6
	apiKeySize       = apiKeyIDSize + 1 + apiKeySecretSize + 1 + apiKeySumSize
)

var (
	// ErrAPIKeyForm says that a text does not have the form of an API key.
	ErrAPIKeyForm = errors.New("account: the text has not the form of an API key")
	// ErrAPIKeySum says that a text has the form of an API key and another checksum: it was
	// mistyped, cut, or made up.
	ErrAPIKeySum = errors.New("account: the checksum of the API key is wrong")
)

// ParseAPIKey returns the public ID in the text of an API key, or ErrAPIKeyForm or
// ErrAPIKeySum. It asks no store: whether there is such a key, it cannot tell.
func ParseAPIKey(text string) (id string, err error) {
	const secret, sum = apiKeyIDSize + 1, apiKeySize - apiKeySumSize
	if len(text) != apiKeySize || !IsAPIKeyID(text[:apiKeyIDSize]) || text[secret-1] != '_' || text[sum-1] != '_' ||
		strings.Trim(text[secret:sum-1], base62) != "" || strings.Trim(text[sum:], base62) != "" {
		return "", ErrAPIKeyForm
	}
	if checksum(text[:sum-1]) != text[sum:] {
		return "", ErrAPIKeySum
	}
	return text[:apiKeyIDSize], nil
}

// IsAPIKeyID reports whether a text has the form of the public ID of an API key. It is
// also the client_id in the tokens that are made from the key.
func IsAPIKeyID(text string) bool {
	return len(text) == apiKeyIDSize && strings.HasPrefix(text, APIKeyPrefix) &&
		strings.Trim(text[len(APIKeyPrefix):], base32) == ""
}

const (
	base32 = "abcdefghijklmnopqrstuvwxyz234567"
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// newAPIKeyText returns the text of a new key.
func newAPIKeyText() (id, text string) {
	id = APIKeyPrefix + strings.ToLower(rand.Text()[:16])
	text = id + "_" + randomBase62(apiKeySecretSize)
	return id, text + "_" + checksum(text)
}

// randomBase62 returns n digits, each as likely as the others.
func randomBase62(n int) string {
	const fair = 256 - 256%len(base62)
	out := make([]byte, 0, n)
	var random [64]byte
	for {
		rand.Read(random[:])
		for _, b := range random {
			if int(b) < fair {
				out = append(out, base62[int(b)%len(base62)])
			}
			if len(out) == n {
				return string(out)
			}
		}
	}
}

// checksum is the CRC-32 of a text in 6 digits. It is no secret and keeps nobody out: it
// tells a typing mistake and a stranger's text from a key before a store is asked.
func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	var digits [apiKeySumSize]byte
	for i := range digits {
		digits[len(digits)-1-i] = base62[sum%uint32(len(base62))]
		sum /= uint32(len(base62))
	}
	return string(digits[:])
}
