// Package sid makes the IDs of sessions, and the cut-offs that are compared with them: UUIDs in the order of
// time.
package sid

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A UUIDv7 (RFC 9562 §5.7) is used here as a tick of 60 bits and 62 random bits.
// The tick is the millisecond and, in rand_a, the 4096th part of it (§6.2, method
// 3). Where the clock stands or goes back the tick goes on by one.
const (
	ticksPerMilli = 1 << 12
	maxTick       = 1<<60 - 1
)

var errRange = errors.New("sid: the clock is out of the range of a UUIDv7")

// Next returns a UUIDv7 of now, or of a later time if it must be greater than one of the
// floors. Empty floors do not count.
func Next(now time.Time, floors ...string) (string, error) {
	tick := now.UnixMilli()*ticksPerMilli + int64(now.Nanosecond()%1e6)*ticksPerMilli/1e6
	for _, floor := range floors {
		if floor == "" {
			continue
		}
		last, err := tickOf(floor)
		if err != nil {
			return "", err
		}
		tick = max(tick, last+1)
	}
	if tick < 0 || tick > maxTick {
		return "", errRange
	}
	var random [8]byte
	rand.Read(random[:])
	return idOf(tick, random), nil
}

// First returns a UUIDv7 that is not greater than any ID made at or after a time, or "" if the
// time is out of range.
func First(at time.Time) string {
	tick := at.UnixMilli() * ticksPerMilli
	if tick < 0 || tick > maxTick {
		return ""
	}
	return idOf(tick, [8]byte{})
}

// idOf writes a UUIDv7.
func idOf(tick int64, random [8]byte) string {
	var id [16]byte
	const version7 = 7 << 12
	binary.BigEndian.PutUint64(id[:], uint64(tick)/ticksPerMilli<<16|version7|uint64(tick)%ticksPerMilli)
	copy(id[8:], random[:])
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

var form = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// Valid reports whether a text is an ID in the one form that Next writes.
func Valid(id string) bool { return form.MatchString(id) }

// MadeAt returns the latest time at which an ID can have been made, in milliseconds since 1970.
// It returns 0 for a text that is no UUID.
func MadeAt(id string) int64 {
	tick, err := tickOf(id)
	if err != nil {
		return 0
	}
	return tick / ticksPerMilli
}

// tickOf returns the tick of an ID that Next made.
func tickOf(id string) (int64, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(b) != 16 {
		return 0, errors.New("sid: a stored ID is not a UUID")
	}
	high := binary.BigEndian.Uint64(b)
	return int64(high>>16)*ticksPerMilli | int64(high%ticksPerMilli), nil
}
