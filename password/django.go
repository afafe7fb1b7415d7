package password

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// readDjangoPBKDF2 reads pbkdf2_sha256$600000$salt$key, the key in padded base64.
func readDjangoPBKDF2(s string) (stored, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 4 || parts[2] == "" || len(parts[2]) > maxSaltText {
		return stored{}, errForm
	}
	key, err := decodeWith(base64.StdEncoding.Strict(), parts[3], minKey, maxKey)
	if err != nil {
		return stored{}, err
	}
	name := strings.TrimPrefix(parts[0], "pbkdf2_")
	return storedPBKDF2("django "+parts[0], name, parts[1], []byte(parts[2]), key)
}

// readDjangoScrypt reads scrypt$16384$salt$8$5$key, the key in padded base64.
func readDjangoScrypt(s string) (stored, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[2] == "" || len(parts[2]) > maxSaltText {
		return stored{}, errForm
	}
	n, r, p, err := parseScryptCosts(parts[1], parts[3], parts[4])
	if err != nil {
		return stored{}, err
	}
	key, err := decodeWith(base64.StdEncoding.Strict(), parts[5], minKey, maxKey)
	if err != nil {
		return stored{}, err
	}
	return storedScrypt("django scrypt", n, r, p, []byte(parts[2]), key)
}

// readDjangoArgon2 reads argon2$argon2id$…: a PHC string after a word.
func readDjangoArgon2(s string) (stored, error) {
	st, err := readArgon2(strings.TrimPrefix(s, "argon2"))
	st.scheme, st.rehash = "django "+st.scheme, true
	return st, err
}

// readDjangoBcrypt reads bcrypt$$2b$12$… and bcrypt_sha256$$2b$12$…, which hashes
// the hexadecimal SHA-256 of the password.
func readDjangoBcrypt(s string) (stored, error) {
	word, hash, _ := strings.Cut(s, "$")
	if !strings.HasPrefix(hash, "$2a$") && !strings.HasPrefix(hash, "$2b$") && !strings.HasPrefix(hash, "$2y$") {
		return stored{}, errForm
	}
	before := func(text []byte) []byte { return text }
	if word == "bcrypt_sha256" {
		before = func(text []byte) []byte {
			sum := sha256.Sum256(text)
			return hex.AppendEncode(nil, sum[:])
		}
	}
	return storedBcrypt("django "+word, hash, before)
}
