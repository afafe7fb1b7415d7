// Package password hashes passwords with argon2id and verifies them, within bounds:
// of memory, of waiting, and of what a stored hash may ask for. It verifies what
// Flask, Django and passlib have left behind, too; see [Recognize].
//
// A program with a users table of its own needs two calls: [Hasher.Hash] when a
// password is set and [Hasher.Verify] at login. For a user who does not exist
// it calls [Hasher.VerifyNothing], so that both cases cost the same.
package password

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxBytes is the greatest length of a password in bytes of UTF-8.
const MaxBytes = 1024

// Errors of a [Hasher].
var (
	// ErrMismatch says that the password is not the one that was hashed.
	ErrMismatch = errors.New("password: wrong password")
	// ErrBusy says that too many passwords are being hashed. Nothing was computed.
	// A server answers 503 with Retry-After.
	ErrBusy = errors.New("password: too many logins at once")
	// ErrHash says that the stored hash cannot be read, or that it asks for more
	// memory or time than is allowed. Nothing was computed.
	ErrHash = errors.New("password: stored hash not usable")
	// ErrTooLong says that the password has more than MaxBytes bytes.
	ErrTooLong = errors.New("password: longer than 1024 bytes")
	// ErrText says that the password is not valid UTF-8.
	ErrText = errors.New("password: not valid UTF-8")
)

// Config bounds a [Hasher]. The zero Config is a good one.
type Config struct {
	// Slots is how many passwords are hashed at once; each takes 19 MiB of memory
	// and one core, and up to 128 MiB while a hash of another program is verified.
	// 0 means GOMAXPROCS.
	Slots int
	// Reserved is how many of the Slots are kept for the calls of [Hasher.Reserved]:
	// more than 0 keeps strangers from holding them all. 0 means none; the greatest
	// is Slots-1.
	Reserved int
	// Queue is how many callers may wait for a slot; the next gets ErrBusy at
	// once. 0 means four times Slots. Those of [Hasher.Reserved] wait in a queue of
	// their own, of the same length.
	Queue int
	// Wait is how long a caller waits for a slot before it gets ErrBusy. 0 means 2 s.
	Wait time.Duration
	// KeepMemory leaves it to the Go runtime when the memory of the last hash goes
	// back to the operating system, which takes minutes. Otherwise a garbage
	// collection of the whole program is forced when no password was hashed for
	// 250 ms, at most every 10 s. Set it in a program with a very large heap.
	KeepMemory bool
	// Busy, if set, is called with true when the first password of a burst is about to
	// be hashed, and with false when the burst is over: when none was hashed for 250 ms,
	// and not within 10 s of the end of the burst before. Calls do not overlap and hold
	// up the hash: they must be short. A program that also answers short requests can
	// raise GOMAXPROCS in between: Go takes a core from a hash only after 10 ms, the
	// operating system at once.
	Busy func(busy bool)
}

// Hasher hashes passwords, a bounded number at once. It is safe for concurrent
// use. It runs no goroutine of its own.
type Hasher struct {
	slots *slots
	line  *line
}

// New returns a Hasher. Make one for the whole program, since its bounds hold for itself alone.
func New(cfg Config) *Hasher {
	if cfg.Slots <= 0 {
		cfg.Slots = runtime.GOMAXPROCS(0)
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 4 * cfg.Slots
	}
	if cfg.Wait <= 0 {
		cfg.Wait = 2 * time.Second
	}
	cfg.Reserved = min(max(cfg.Reserved, 0), cfg.Slots-1)
	s := newSlots(cfg)
	return &Hasher{slots: s, line: &s.anybody}
}

// Reserved returns a Hasher on the same slots that may use every one of them, those of
// Config.Reserved too, and that waits in a queue of its own. Strangers can neither hold
// its slots nor fill its queue.
func (h *Hasher) Reserved() *Hasher { return &Hasher{slots: h.slots, line: &h.slots.reserved} }

// Stats is how busy a [Hasher] is, and what it has done since it was made.
type Stats struct {
	Slots   int           // passwords that can be hashed at once
	InUse   int           // passwords that are being hashed
	Waiting int           // callers that wait for a slot
	Hashed  int64         // passwords that got a slot
	Refused int64         // callers that got ErrBusy
	Waited  time.Duration // of all callers that had to wait, together
}

// Stats returns the figures of this moment.
func (h *Hasher) Stats() Stats { return h.slots.stats() }

// Hash returns the argon2id hash of a password as a PHC string, with a random
// salt. The whole password is hashed, in NFC (NIST SP 800-63B-4 §3.1.1.2). Hash does
// not ask whether it is a good password: see [Check].
//
// It returns ErrTooLong, ErrText, ErrBusy, or the context's error while it waits.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	text, err := prepare(password)
	if err != nil {
		return "", err
	}
	p := current
	p.salt = make([]byte, saltBytes)
	rand.Read(p.salt)
	if err := h.slots.acquire(ctx, h.line); err != nil {
		return "", err
	}
	defer h.slots.release(h.line)
	p.key = p.derive(text, keyBytes)
	return p.String(), nil
}

// Verify reports whether hash was made from password: the error is nil if so and
// ErrMismatch if not. hash is in any of the forms that [Recognize] reads. rehash
// says that it is weaker than what Hash makes now, and is false with every error.
// The caller then hashes the password again and stores that in the place of hash: only
// if hash is still what is stored, or a change of password meanwhile would be undone, and
// only if Hash had no error. Until then the old hash serves.
//
// The password is tried in NFC and then as it came, since other programs hash what
// they get. No password of more than 72 bytes is right for a bcrypt hash, and none
// of more than 256 for a SHA-crypt one. A wrong password takes about as long as with
// a hash of our own, or longer, even if the stored hash is a cheap one: old hashes do not
// make guessing faster.
//
// It returns ErrHash, ErrTooLong, ErrText, ErrBusy, or the context's error while
// it waits; none of these says anything about the password.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (rehash bool, err error) {
	st, err := read(hash)
	if err != nil {
		return false, err
	}
	text, err := prepare(password)
	if err != nil {
		return false, err
	}
	if err := h.slots.acquire(ctx, h.line); err != nil {
		return false, err
	}
	defer h.slots.release(h.line)
	right := st.match(text)
	if !right && string(text) != password {
		right = st.match([]byte(password))
	}
	if right {
		return st.rehash, nil
	}
	if st.work < current.work()/2 {
		none := current
		none.salt = make([]byte, saltBytes)
		none.derive(text, keyBytes)
	}
	return false, ErrMismatch
}

// VerifyNothing costs what Verify costs and always fails: with ErrMismatch, or
// as Verify does when it is busy or the password cannot be hashed. It stands in
// for a user who does not exist, so that the answer takes as long.
func (h *Hasher) VerifyNothing(ctx context.Context, password string) error {
	_, err := h.Verify(ctx, nothing, password)
	if err == nil {
		return ErrMismatch
	}
	return err
}

// prepare checks a password and returns it in NFC. The length is checked first, so that
// a megabyte is refused before anything reads it.
func prepare(password string) ([]byte, error) {
	if len(password) > MaxBytes {
		return nil, fmt.Errorf("%w: it has %d", ErrTooLong, len(password))
	}
	if !utf8.ValidString(password) {
		return nil, ErrText
	}
	return norm.NFC.Bytes([]byte(password)), nil
}
