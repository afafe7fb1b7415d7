package password

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What a stored hash may ask for. Whoever can write a hash into the database, or
// into a file that is imported, must not be able to take all memory or an hour of
// a core with it.
const (
	maxHash   = 512        // characters
	maxMemory = 128 * 1024 // KiB, while one password is verified
	// maxWork is the time on one core of the reference machine, by the estimates
	// beside each scheme. A password that is not in NFC may take twice as long.
	maxWork = 1100 * time.Millisecond
)

// ErrCost says that a stored hash asks for more memory or time than is allowed. It wraps ErrHash.
var ErrCost = fmt.Errorf("%w: it costs too much", ErrHash)

// errForm is a hash of a known scheme that is not written as that scheme writes it.
var errForm = errors.New("not in the form of its scheme")

// stored is a hash that was read and that costs no more than is allowed.
type stored struct {
	scheme string // for people: "bcrypt", "werkzeug pbkdf2:sha256"
	memory uint64 // KiB
	work   time.Duration
	// rehash says that Hash makes a stronger one.
	rehash bool
	// match reports whether the hash was made from text.
	match func(text []byte) bool
}

// Recognize returns the name of the scheme that made a hash, if [Hasher.Verify]
// can verify it. Otherwise the error is ErrHash or ErrCost and says why; it never holds
// the hash. Nothing is computed.
//
// It reads argon2id and argon2i (PHC), bcrypt ($2a$, $2b$, $2y$), scrypt (PHC),
// SHA-crypt ($5$, $6$), and what passlib, Werkzeug and Django write: PBKDF2,
// bcrypt over SHA-256, scrypt, and the salted single digests of old Flask and
// Django programs. No hash may ask for more than 128 MiB or about a second.
func Recognize(hash string) (scheme string, err error) {
	st, err := read(hash)
	if err != nil {
		return "", err
	}
	return st.scheme, nil
}

// read reads a hash in any of the forms. The text of the hash is in no error.
func read(s string) (stored, error) {
	if len(s) > maxHash {
		return stored{}, fmt.Errorf("%w: longer than %d characters", ErrHash, maxHash)
	}
	for _, form := range forms {
		if !strings.HasPrefix(s, form.prefix) {
			continue
		}
		st, err := form.read(s)
		if err == nil {
			err = st.affordable()
		}
		if err != nil && !errors.Is(err, ErrHash) {
			err = fmt.Errorf("%w: %s: %w", ErrHash, strings.Trim(form.prefix, "$"), err)
		}
		if err != nil {
			return stored{}, err
		}
		return st, nil
	}
	return stored{}, fmt.Errorf("%w: %s", ErrHash, unread(s))
}

// forms are what a stored hash can look like, told apart by how it begins.
var forms = []struct {
	prefix string
	read   func(string) (stored, error)
}{
	{"$argon2id$", readArgon2},
	{"$argon2i$", readArgon2},
	{"$2a$", readBcrypt},
	{"$2b$", readBcrypt},
	{"$2y$", readBcrypt},
	{"$5$", readSHACrypt},
	{"$6$", readSHACrypt},
	{"$scrypt$", readScrypt},
	{"$pbkdf2$", readPasslibPBKDF2},
	{"$pbkdf2-sha256$", readPasslibPBKDF2},
	{"$pbkdf2-sha512$", readPasslibPBKDF2},
	{"$bcrypt-sha256$", readPasslibBcrypt},
	{"pbkdf2:", readWerkzeugPBKDF2},
	{"scrypt:", readWerkzeugScrypt},
	{"sha1$", readDigest},
	{"sha256$", readDigest},
	{"sha512$", readDigest},
	{"pbkdf2_sha1$", readDjangoPBKDF2},
	{"pbkdf2_sha256$", readDjangoPBKDF2},
	{"argon2$", readDjangoArgon2},
	{"bcrypt$", readDjangoBcrypt},
	{"bcrypt_sha256$", readDjangoBcrypt},
	{"scrypt$", readDjangoScrypt},
}

// unread says why a hash of none of the forms is not read.
func unread(s string) string {
	for _, known := range []struct{ prefix, why string }{
		{"!", "the user has no password"},
		{"*", "the user has no password"},
		{"$argon2d$", "argon2d is not for passwords"},
		{"$2x$", "$2x$ was made by a program with a known fault"},
		{"$2$", "$2$ was made by a program with a known fault"},
		{"$1$", "MD5 protects nothing"},
		{"$apr1$", "MD5 protects nothing"},
		{"$P$", "MD5 protects nothing"},
		{"$H$", "MD5 protects nothing"},
		{"md5$", "MD5 protects nothing"},
		{"plain", "the password itself is not taken as a hash"},
	} {
		if strings.HasPrefix(s, known.prefix) {
			return known.why
		}
	}
	if s == "" {
		return "it is empty"
	}
	return "not a form that is read here"
}

// affordable refuses a hash that costs more than the bounds.
func (st stored) affordable() error {
	switch {
	case st.memory > maxMemory:
		return fmt.Errorf("%w: %d MiB of memory, at most %d", ErrCost, (st.memory+1023)/1024, maxMemory/1024)
	case st.work > maxWork:
		return fmt.Errorf("%w: about %v of a core, at most %v", ErrCost, st.work.Round(time.Millisecond), maxWork)
	}
	return nil
}
