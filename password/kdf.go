package password

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"math/bits"
	"time"

	"golang.org/x/crypto/scrypt"
)

// digest is a hash function.
type digest struct {
	new  func() hash.Hash
	size int
	// round is an upper estimate of the time of one iteration of PBKDF2.
	round time.Duration
}

// digestOf returns the hash function by the name that stored hashes have for it.
func digestOf(name string) (d digest, ok bool) {
	switch name {
	case "sha1":
		return digest{sha1.New, sha1.Size, 200 * time.Nanosecond}, true
	case "sha256":
		return digest{sha256.New, sha256.Size, 200 * time.Nanosecond}, true
	case "sha512":
		return digest{sha512.New, sha512.Size, 500 * time.Nanosecond}, true
	}
	return digest{}, false
}

// isWhole reports whether another program would have hashed all of a text. C stops at a
// NUL, and HMAC cannot tell the key "a" from the key "a\x00" (RFC 2104 §2).
func isWhole(text []byte, most int) bool {
	return len(text) <= most && bytes.IndexByte(text, 0) < 0
}

// maxRounds is more than stored.affordable lets through for any digest.
const maxRounds = 1 << 30

// storedPBKDF2 is a PBKDF2 hash (RFC 8018 §5.2) whose key is one digest long, as
// every program that is read here makes it.
func storedPBKDF2(scheme, name, rounds string, salt, key []byte) (stored, error) {
	d, ok := digestOf(name)
	if !ok || len(key) != d.size {
		return stored{}, errForm
	}
	n, err := parseNumber(rounds, "rounds", maxRounds)
	if err != nil {
		return stored{}, err
	}
	return stored{
		scheme: scheme, work: d.round * time.Duration(n), rehash: true,
		match: func(text []byte) bool {
			got, err := pbkdf2.Key(d.new, string(text), salt, int(n), d.size)
			return err == nil && subtle.ConstantTimeCompare(got, key) == 1 && isWhole(text, MaxBytes)
		},
	}, nil
}

// Bounds of scrypt. What they let through is bounded by memory and time as well.
const (
	maxScryptLog = 20
	maxScryptN   = 1 << maxScryptLog
	maxScryptR   = 32
	maxScryptP   = 32
	scryptWork   = 400 * time.Nanosecond // for each of N·r·p
)

// storedScrypt is an scrypt hash (RFC 7914). n is a power of two.
func storedScrypt(scheme string, n, r, p uint32, salt, key []byte) (stored, error) {
	if n < 2 || bits.OnesCount32(n) != 1 {
		return stored{}, errForm
	}
	return stored{
		scheme: scheme,
		// 128·r bytes for each of N blocks, of p lanes, and of two more.
		memory: (128*uint64(r)*(uint64(n)+uint64(p)+2) + 1023) / 1024,
		work:   scryptWork * time.Duration(n) * time.Duration(r) * time.Duration(p),
		rehash: true,
		match: func(text []byte) bool {
			got, err := scrypt.Key(text, salt, int(n), int(r), int(p), len(key))
			return err == nil && subtle.ConstantTimeCompare(got, key) == 1 && isWhole(text, MaxBytes)
		},
	}, nil
}

// parseScryptCosts reads N, r and p as decimals.
func parseScryptCosts(n, r, p string) (nn, rr, pp uint32, err error) {
	if nn, err = parseNumber(n, "N", maxScryptN); err != nil {
		return 0, 0, 0, err
	}
	if rr, err = parseNumber(r, "r", maxScryptR); err != nil {
		return 0, 0, 0, err
	}
	pp, err = parseNumber(p, "p", maxScryptP)
	return nn, rr, pp, err
}
