package password

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// What a stored hash may ask for. Whoever can write a hash into the database must
// not be able to take all memory or an hour of a core with it.
const (
	maxPHC     = 256       // characters
	maxMemory  = 64 * 1024 // KiB
	maxTime    = 8
	maxThreads = 4
	minSalt    = 8 // bytes
	maxSalt    = 64
	minKey     = 16
	maxKey     = 64
)

const (
	saltBytes = 16
	keyBytes  = 32
)

// current is what new hashes are made with: the first recommendation of OWASP's
// Password Storage Cheat Sheet.
var current = phc{memory: 19456, time: 2, threads: 1}

// nothing is a readable hash of the current cost that no one has the password of:
// its key is all zero.
var nothing = phc{
	memory: current.memory, time: current.time, threads: current.threads,
	salt: make([]byte, saltBytes), key: make([]byte, keyBytes),
}.String()

// phc is a hash in the PHC string format, argon2id version 19 only:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>
type phc struct {
	memory, time uint32 // KiB, passes
	threads      uint8
	salt, key    []byte
}

// String writes the PHC string.
func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", p.memory, p.time, p.threads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// weakerThan reports whether q costs an attacker more in any respect.
func (p phc) weakerThan(q phc) bool {
	return p.memory < q.memory || p.time < q.time || len(p.salt) < saltBytes || len(p.key) < keyBytes
}

// parsePHC reads a PHC string of exactly the one form that String writes. There
// is one text for each hash: no other order, no leading zeros, no padding.
// Every failure is ErrHash, and the text of the hash is never part of it.
func parsePHC(s string) (phc, error) {
	if len(s) > maxPHC {
		return phc{}, fmt.Errorf("%w: too long", ErrHash)
	}
	rest, ok := strings.CutPrefix(s, "$argon2id$v=19$")
	if !ok {
		return phc{}, fmt.Errorf("%w: not argon2id version 19", ErrHash)
	}
	costs, rest, ok := strings.Cut(rest, "$")
	salt, key, ok2 := strings.Cut(rest, "$")
	if !ok || !ok2 {
		return phc{}, fmt.Errorf("%w: a part is missing", ErrHash)
	}
	p, err := parseCosts(costs)
	if err != nil {
		return phc{}, err
	}
	if p.salt, err = parseBytes(salt, minSalt, maxSalt); err != nil {
		return phc{}, fmt.Errorf("%w in the salt", err)
	}
	if p.key, err = parseBytes(key, minKey, maxKey); err != nil {
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
	time, err := parseCost(t, "t=", maxTime)
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
	return phc{memory: memory, time: time, threads: uint8(threads)}, nil
}

// parseCost reads a decimal between 1 and limit.
func parseCost(s, name string, limit uint32) (uint32, error) {
	digits, ok := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	switch {
	case !ok || err != nil || digits[0] < '1' || digits[0] > '9':
		return 0, fmt.Errorf("%w: %s is not a number", ErrHash, name)
	case uint32(n) > limit:
		return 0, fmt.Errorf("%w: %s%d is more than %d", ErrHash, name, n, limit)
	}
	return uint32(n), nil
}

func parseBytes(s string, least, most int) ([]byte, error) {
	// The decoder skips line ends; here they are a second text of one hash.
	if strings.ContainsAny(s, "\r\n") {
		return nil, fmt.Errorf("%w: line end", ErrHash)
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64", ErrHash)
	}
	if len(b) < least || len(b) > most {
		return nil, fmt.Errorf("%w: %d bytes", ErrHash, len(b))
	}
	return b, nil
}
