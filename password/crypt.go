package password

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/go-crypt/crypt/algorithm/shacrypt"
	"golang.org/x/crypto/bcrypt"
)

// Bounds of bcrypt. It sees no more than 72 bytes and, in C, nothing after a NUL.
const (
	bcryptBytes = 72
	bcryptSalt  = 22                    // characters
	bcryptKey   = 31                    // characters
	bcryptWork  = 65 * time.Microsecond // for each of 2^cost
	leastCost   = 4
	mostCost    = 31
)

// readBcrypt reads $2b$12$ and 53 characters of salt and key.
func readBcrypt(s string) (stored, error) {
	return storedBcrypt("bcrypt", s, func(text []byte) []byte { return text })
}

// storedBcrypt is a bcrypt hash of what before makes of the password. A password that
// bcrypt would truncate never matches, since its beginning alone must not be enough.
func storedBcrypt(scheme, s string, before func([]byte) []byte) (stored, error) {
	const prefix = len("$2b$12$")
	if len(s) != prefix+bcryptSalt+bcryptKey || s[prefix-1] != '$' || !isCryptText(s[prefix:]) {
		return stored{}, errForm
	}
	cost, err := strconv.ParseUint(s[4:6], 10, 8)
	if err != nil || cost < leastCost || cost > mostCost {
		return stored{}, errForm
	}
	hash := []byte(s)
	return stored{
		scheme: scheme, memory: 5, work: bcryptWork << cost, rehash: true,
		match: func(text []byte) bool {
			key := before(text)
			err := bcrypt.CompareHashAndPassword(hash, key[:min(len(key), bcryptBytes)])
			return err == nil && isWhole(text, MaxBytes) && len(key) <= bcryptBytes
		},
	}, nil
}

// isCryptText reports whether s is of the 64 characters of crypt(3).
func isCryptText(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '.' && c != '/' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// Bounds of SHA-crypt. Each of its rounds takes in the whole password, so that a
// long one multiplies the time: libxcrypt takes no more than 512 bytes.
const (
	shaCryptBytes   = 256
	shaCryptRounds  = 5000 // when the hash does not say
	shaCryptLeast   = 1000
	shaCryptSalt    = 16 // characters, at most
	sha256CryptWork = 400 * time.Nanosecond
	sha512CryptWork = time.Microsecond
)

// readSHACrypt reads $6$rounds=656000$salt$key, where rounds may be left out.
func readSHACrypt(s string) (stored, error) {
	scheme, round, size := "sha256_crypt", sha256CryptWork, 43
	if s[1] == '6' {
		scheme, round, size = "sha512_crypt", sha512CryptWork, 86
	}
	parts := strings.Split(s[3:], "$")
	rounds := uint32(shaCryptRounds)
	if len(parts) == 3 {
		var err error
		if rounds, err = parseCost(parts[0], "rounds=", maxRounds); err != nil {
			return stored{}, err
		}
		parts = parts[1:]
	}
	if len(parts) != 2 || len(parts[0]) > shaCryptSalt || !isCryptText(parts[0]) ||
		len(parts[1]) != size || !isCryptText(parts[1]) || rounds < shaCryptLeast {
		return stored{}, errForm
	}
	sum, err := shacrypt.Decode(s)
	if err != nil {
		return stored{}, errForm
	}
	return stored{
		scheme: scheme, work: round * time.Duration(rounds), rehash: true,
		match: func(text []byte) bool {
			return sum.MatchBytes(text[:min(len(text), shaCryptBytes)]) && isWhole(text, shaCryptBytes)
		},
	}, nil
}

// readScrypt reads passlib's $scrypt$ln=16,r=8,p=1$salt$key, where ln is log2 N.
func readScrypt(s string) (stored, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 5 {
		return stored{}, errForm
	}
	costs := strings.Split(parts[2], ",")
	if len(costs) != 3 {
		return stored{}, errForm
	}
	var at [3]uint32
	for i, limit := range []uint32{maxScryptLog, maxScryptR, maxScryptP} {
		var err error
		if at[i], err = parseCost(costs[i], []string{"ln=", "r=", "p="}[i], limit); err != nil {
			return stored{}, err
		}
	}
	salt, err := parseBytes(parts[3], 1, maxSalt)
	if err != nil {
		return stored{}, err
	}
	key, err := parseBytes(parts[4], minKey, maxKey)
	if err != nil {
		return stored{}, err
	}
	return storedScrypt("scrypt", 1<<at[0], at[1], at[2], salt, key)
}

// passlib64 is passlib's base64, which has a dot for the plus.
var passlib64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./").
	WithPadding(base64.NoPadding).Strict()

// readPasslibPBKDF2 reads $pbkdf2-sha256$29000$salt$key; $pbkdf2$ is over SHA-1.
func readPasslibPBKDF2(s string) (stored, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 5 {
		return stored{}, errForm
	}
	name, ok := strings.CutPrefix(parts[1], "pbkdf2-")
	if !ok {
		name = "sha1"
	}
	salt, err := decodeWith(passlib64, parts[3], 0, maxSalt)
	if err != nil {
		return stored{}, err
	}
	key, err := decodeWith(passlib64, parts[4], minKey, maxKey)
	if err != nil {
		return stored{}, err
	}
	return storedPBKDF2("passlib pbkdf2-"+name, name, parts[2], salt, key)
}

// readPasslibBcrypt reads $bcrypt-sha256$v=2,t=2b,r=12$salt$key and, of the
// version before, $bcrypt-sha256$2b,12$salt$key. Version 2 is keyed with the salt.
func readPasslibBcrypt(s string) (stored, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 5 || len(parts[3]) != bcryptSalt {
		return stored{}, errForm
	}
	costs, second := strings.CutPrefix(parts[2], "v=2,t=")
	variant, cost, ok := strings.Cut(costs, ",")
	if second && ok {
		cost, ok = strings.CutPrefix(cost, "r=")
	}
	if !ok || variant != "2a" && variant != "2b" {
		return stored{}, errForm
	}
	if len(cost) == 1 {
		cost = "0" + cost
	}
	before := func(text []byte) []byte {
		sum := sha256.Sum256(text)
		if second {
			mac := hmac.New(sha256.New, []byte(parts[3]))
			mac.Write(text)
			mac.Sum(sum[:0])
		}
		return base64.StdEncoding.AppendEncode(nil, sum[:])
	}
	return storedBcrypt("passlib bcrypt_sha256", "$"+variant+"$"+cost+"$"+parts[3]+parts[4], before)
}
