package password

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of the least number of characters that [Check] asks for.
const (
	// DefaultMin is for a password that is the only factor (NIST SP 800-63B-4 §3.1.1.2).
	DefaultMin = 15
	// LeastMin is for a password beside a second factor. No setting goes below it.
	LeastMin = 8
)

// ErrTooShort says that the password has too few characters.
var ErrTooShort = errors.New("password: too short")

// RuleError says why a new password is refused and what to do. Both texts may be
// shown to the person; neither holds the password.
type RuleError struct {
	Reason string // "the password has 7 characters"
	Advice string // "choose a password of at least 15 characters; …"
	Err    error  // ErrTooShort, ErrTooLong or ErrText
}

// Error returns reason and advice.
func (e *RuleError) Error() string { return "password: " + e.Reason + ": " + e.Advice }

// Unwrap returns Err.
func (e *RuleError) Unwrap() error { return e.Err }

// Check reports whether a new password may be used. It needs at least
// least characters, counted as code points in NFC, and at most [MaxBytes] bytes; 0
// means [DefaultMin], and less than [LeastMin] means LeastMin. Every character is
// allowed and none is required. The error is a *[RuleError].
func Check(password string, least int) error {
	if least == 0 {
		least = DefaultMin
	}
	least = max(least, LeastMin)
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
