package password

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// Bounds of a PHC string of argon2.
const (
	maxTime    = 16
	maxThreads = 8
	minSalt    = 8 // bytes
	maxSalt    = 64
	minKey     = 16
	maxKey     = 64
	// argon2Work is an upper estimate of the time of one pass over one KiB.
	argon2Work = 600 * time.Nanosecond
)

const (
	saltBytes = 16
	keyBytes  = 32
)

// The variants of argon2 that are read.
const (
	argon2ID = "argon2id"
	argon2I  = "argon2i"
)

// current is what new hashes are made with: the first recommendation of OWASP's
// Password Storage Cheat Sheet.
var current = phc{variant: argon2ID, memory: 19456, time: 2, threads: 1}

// nothing is a well-formed hash of the current cost that no known password matches: its
// key is all zero.
var nothing = phc{
	variant: current.variant, memory: current.memory, time: current.time, threads: current.threads,
	salt: make([]byte, saltBytes), key: make([]byte, keyBytes),
}.String()

// phc is a hash in the PHC string format, argon2id or argon2i of version 19 only:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>
type phc struct {
	variant      string
	memory, time uint32 // KiB, passes
	threads      uint8
	salt, key    []byte
}

// String writes the PHC string.
func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$%s$v=19$m=%d,t=%d,p=%d$%s$%s", p.variant, p.memory, p.time, p.threads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// derive returns the key of a password, of the given number of bytes.
func (p phc) derive(text []byte, size int) []byte {
	if p.variant == argon2I {
		return argon2.Key(text, p.salt, p.time, p.memory, p.threads, uint32(size))
	}
	return argon2.IDKey(text, p.salt, p.time, p.memory, p.threads, uint32(size))
}

func (p phc) work() time.Duration {
	return argon2Work * time.Duration(p.memory) * time.Duration(p.time)
}

// weakerThan reports whether p is of another variant than q, costs less than q in memory or
// time, or has a shorter salt or key than new hashes.
func (p phc) weakerThan(q phc) bool {
	return p.variant != q.variant || p.memory < q.memory || p.time < q.time || len(p.salt) < saltBytes || len(p.key) < keyBytes
}

func readArgon2(s string) (stored, error) {
	p, err := parsePHC(s)
	if err != nil {
		return stored{}, err
	}
	return stored{
		scheme: p.variant, memory: uint64(p.memory), work: p.work(), rehash: p.weakerThan(current),
		match: func(text []byte) bool {
			return subtle.ConstantTimeCompare(p.derive(text, len(p.key)), p.key) == 1
		},
	}, nil
}

// parsePHC reads a PHC string of exactly the one form that String writes. There
// is one text for each hash: no other order, no leading zeros, no padding.
// Every failure is ErrHash, and the text of the hash is never part of it.
func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != argon2ID && parts[1] != argon2I || parts[2] != "v=19" {
		return phc{}, fmt.Errorf("%w: not argon2id or argon2i of version 19", ErrHash)
	}
	p, err := parseCosts(parts[3])
	if err != nil {
		return phc{}, err
	}
	p.variant = parts[1]
	if p.salt, err = parseBytes(parts[4], minSalt, maxSalt); err != nil {
		return phc{}, fmt.Errorf("%w in the salt", err)
	}
	if p.key, err = parseBytes(parts[5], minKey, maxKey); err != nil {
		return phc{}, fmt.Errorf("%w in the key", err)
	}
	return p, nil
}

func parseCosts(s string) (phc, error) {
	m, rest, _ := strings.Cut(s, ",")
	t, p, _ := strings.Cut(rest, ",")
	memory, err := parseCost(m, "m=", maxMemory)
	if err != nil {
		return phc{}, err
	}
	passes, err := parseCost(t, "t=", maxTime)
	if err != nil {
		return phc{}, err
	}
	threads, err := parseCost(p, "p=", maxThreads)
	if err != nil {
		return phc{}, err
	}
	// RFC 9106 §3.1: at least 8 KiB for each lane.
	if memory < 8*threads {
		return phc{}, fmt.Errorf("%w: m is less than 8 p", ErrHash)
	}
	return phc{memory: memory, time: passes, threads: uint8(threads)}, nil
}

// parseCost reads a decimal between 1 and limit after its name.
func parseCost(s, name string, limit uint32) (uint32, error) {
	digits, ok := strings.CutPrefix(s, name)
	if !ok {
		return 0, fmt.Errorf("%w: %s is missing", ErrHash, name)
	}
	return parseNumber(digits, name, limit)
}

// parseNumber reads a decimal between 1 and limit, without sign and leading zeros.
func parseNumber(digits, name string, limit uint32) (uint32, error) {
	n, err := strconv.ParseUint(digits, 10, 32)
	switch {
	case err != nil && isDigits(digits):
		return 0, fmt.Errorf("%w: %s is more than %d", ErrCost, strings.TrimSuffix(name, "="), limit)
	case err != nil || digits[0] < '1' || digits[0] > '9':
		return 0, fmt.Errorf("%w: %s is not a number", ErrHash, strings.TrimSuffix(name, "="))
	case n > uint64(limit):
		return 0, fmt.Errorf("%w: %s is %d, at most %d", ErrCost, strings.TrimSuffix(name, "="), n, limit)
	}
	return uint32(n), nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func parseBytes(s string, least, most int) ([]byte, error) {
	return decodeWith(base64.RawStdEncoding.Strict(), s, least, most)
}

// decodeWith decodes base64 whose bytes are between least and most.
func decodeWith(encoding *base64.Encoding, s string, least, most int) ([]byte, error) {
	// The decoder skips line ends, which would give one hash a second text.
	if strings.ContainsAny(s, "\r\n") {
		return nil, fmt.Errorf("%w: line end", ErrHash)
	}
	b, err := encoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64", ErrHash)
	}
	if len(b) < least || len(b) > most {
		return nil, fmt.Errorf("%w: %d bytes", ErrHash, len(b))
	}
	return b, nil
}
