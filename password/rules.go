package password

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of the least number of characters that [Rules] ask for.
const (
	// DefaultMin is for a password that is the only factor (NIST SP 800-63B-4 §3.1.1.2).
	DefaultMin = 15
	// LeastMin is for a password beside a second factor. No setting goes below it.
	LeastMin = 8
)

// Why a new password is refused: the Err of a [RuleError].
var (
	// ErrTooShort says that the password has too few characters.
	ErrTooShort = errors.New("password: too short")
	// ErrCommon says that the password is one of those that are tried first: common
	// ones, rows of the keyboard, and short texts that repeat.
	ErrCommon = errors.New("password: common")
	// ErrNamed says that the password is little more than a name that everybody knows.
	ErrNamed = errors.New("password: made of a known name")
	// ErrBreached says that the password is known from a breach.
	ErrBreached = errors.New("password: known from a breach")
)

// RuleError says why a new password is refused and what to do. Both texts may be
// shown to the person; neither holds the password.
type RuleError struct {
	Reason string // "the password has 7 characters"
	Advice string // "choose a password of at least 15 characters; …"
	Err    error  // ErrTooShort, ErrTooLong, ErrText, ErrCommon, ErrNamed or ErrBreached
}

// Error returns reason and advice.
func (e *RuleError) Error() string { return "password: " + e.Reason + ": " + e.Advice }

// Unwrap returns Err.
func (e *RuleError) Unwrap() error { return e.Err }

// Rules are what a new password has to keep to (NIST SP 800-63B-4 §3.1.1.2). The
// zero Rules are good ones. They ask for no kinds of characters, and every
// character is allowed.
type Rules struct {
	// Min is the least number of characters, counted as code points in NFC. 0 means
	// [DefaultMin], and less than [LeastMin] means LeastMin.
	Min int
	// Names are what everybody knows about the service: its name and its host.
	Names []string
	// Breached, if not nil, holds the passwords of a file.
	Breached *Breached
}

// Check returns nil if a new password may be used by somebody with these names: a user
// name, an e-mail address. The error is a *[RuleError], or that of reading the file of
// breached passwords.
func (r Rules) Check(password string, names ...string) error {
	least := r.Min
	if least == 0 {
		least = DefaultMin
	}
	if err := checkLength(password, max(least, LeastMin)); err != nil {
		return err
	}
	text := foldCommon(password)
	if isCommon(text) {
		return &RuleError{
			Reason: "the password is one of the first that are tried",
			Advice: adviceWords,
			Err:    ErrCommon,
		}
	}
	if isNamed(text, append(names, r.Names...)) {
		return &RuleError{
			Reason: "the password is little more than your name or that of this service",
			Advice: adviceWords,
			Err:    ErrNamed,
		}
	}
	return r.checkBreached(password)
}

// Check checks a new password by Rules{Min: least}; see [Rules.Check]. 0 means [DefaultMin].
func Check(password string, least int) error { return Rules{Min: least}.Check(password) }

const adviceWords = "choose another one; four or five unrelated words are easy to remember"

func checkLength(password string, least int) error {
	if len(password) > MaxBytes {
		return &RuleError{
			Reason: fmt.Sprintf("the password has %d bytes", len(password)),
			Advice: fmt.Sprintf("choose a password of at most %d bytes", MaxBytes),
			Err:    ErrTooLong,
		}
	}
	if !utf8.ValidString(password) {
		return &RuleError{
			Reason: "the password is not text in UTF-8",
			Advice: "type it again, or choose a password of letters, digits and spaces",
			Err:    ErrText,
		}
	}
	if n := utf8.RuneCountInString(norm.NFC.String(password)); n < least {
		return &RuleError{
			Reason: fmt.Sprintf("the password has %d characters", n),
			Advice: fmt.Sprintf("choose a password of at least %d characters; four or five unrelated words are easy to remember", least),
			Err:    ErrTooShort,
		}
	}
	return nil
}

func (r Rules) checkBreached(password string) error {
	if r.Breached == nil {
		return nil
	}
	known, err := r.Breached.Contains(password)
	if err != nil {
		return err
	}
	if known {
		return &RuleError{
			Reason: "the password is known from a breach of some service",
			Advice: "choose another one, and change it wherever else it is in use",
			Err:    ErrBreached,
		}
	}
	return nil
}

// Generate returns a random password of 125 bits in five groups of five letters
// and digits: easy to read aloud, and never 0 or 1, which look like O and l.
func Generate() string {
	text := strings.ToLower(rand.Text()[:25])
	groups := make([]string, 0, 5)
	for ; text != ""; text = text[5:] {
		groups = append(groups, text[:5])
	}
	return strings.Join(groups, "-")
}
