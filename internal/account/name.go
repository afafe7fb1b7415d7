package account

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// MaxName is the greatest length of a name in code points.
const MaxName = 64

// ErrName says that a text cannot be a name, and why.
var ErrName = errors.New("account: not a name")

// ParseName returns a name as it is shown, in NFC, and as it is compared: after
// NFKC and case folding (Unicode Standard §3.13, toNFKC_Casefold). Names that
// differ in case, in composition or in width are one name.
//
// A name has 1 to [MaxName] characters: letters, marks and decimal digits of any
// script, printing ASCII, and single spaces inside. As in the IdentifierClass
// of RFC 8264 there are no controls, no invisible characters, no symbols. All
// letters are of one script, or of those that are written together in Japanese,
// Chinese and Korean, with Latin or without. No name has the form of an ID: [ParseID].
// The error is ErrName.
func ParseName(text string) (name, canonical string, err error) {
	name, canonical, err = parseExistingName(text)
	if err == nil && idForm.MatchString(canonical) {
		return "", "", fmt.Errorf("%w: it has the form of an ID", ErrName)
	}
	return name, canonical, err
}

// parseExistingName is ParseName for a name that a user may have already. It accepts names in
// the form of an ID: who got such a name before that was refused still logs in with it.
func parseExistingName(text string) (name, canonical string, err error) {
	// NFC makes no text more than three times as short in code points.
	if len(text) > 3*MaxName*utf8.UTFMax {
		return "", "", fmt.Errorf("%w: longer than %d characters", ErrName, MaxName)
	}
	if !utf8.ValidString(text) {
		return "", "", fmt.Errorf("%w: not valid UTF-8", ErrName)
	}
	name = norm.NFC.String(text)
	if err := checkName(name); err != nil {
		return "", "", err
	}
	// The canonical form is checked too: NFKC makes spaces and symbols of some letters.
	canonical = fold(name)
	if err := checkName(canonical); err != nil {
		return "", "", err
	}
	return name, canonical, nil
}

// throttleKey is what tries of a login name are counted under. Spellings of one
// name are one key, whether the name can exist or not.
func throttleKey(text string) [32]byte {
	if _, canonical, err := parseExistingName(text); err == nil {
		return sha256.Sum256([]byte(canonical))
	}
	// The zero byte is in no canonical name, and what follows it keeps a text from being the key of tries of another kind.
	return sha256.Sum256([]byte("\x00name\x00" + text))
}

// fold brings a text into the form that no further folding changes.
func fold(text string) string {
	text = norm.NFD.String(text)
	for range 4 { // two are enough for every text known; the bound ends it anyway
		next := norm.NFKC.String(cases.Fold().String(text))
		if next == text {
			break
		}
		text = next
	}
	return text
}

func checkName(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case utf8.RuneCountInString(s) > MaxName:
		return fmt.Errorf("%w: longer than %d characters", ErrName, MaxName)
	case s[0] == ' ' || s[len(s)-1] == ' ' || strings.Contains(s, "  "):
		return fmt.Errorf("%w: a space at an end, or two together", ErrName)
	}
	var scripts scriptSet
	last := ' '
	for _, r := range s {
		if !nameRune(r) {
			return fmt.Errorf("%w: the character %U is not allowed", ErrName, r)
		}
		if last == ' ' && unicode.IsMark(r) {
			return fmt.Errorf("%w: the mark %U has no letter before it", ErrName, r)
		}
		scripts.add(r)
		last = r
	}
	if !scripts.together() {
		return fmt.Errorf("%w: letters of several scripts (%s)", ErrName, strings.Join(scripts.names, ", "))
	}
	if !oneDirection(s) {
		return fmt.Errorf("%w: right-to-left and left-to-right characters together", ErrName)
	}
	return nil
}

// oneDirection reports whether each word looks the same wherever it stands: the
// Bidi Rule (RFC 5893 §2), asked only where there is something right-to-left.
func oneDirection(s string) bool {
	if bidirule.DirectionString(s) == bidi.LeftToRight {
		return true
	}
	for word := range strings.SplitSeq(s, " ") {
		if !bidirule.ValidString(word) {
			return false
		}
	}
	return true
}

func nameRune(r rune) bool {
	if r < utf8.RuneSelf {
		return ' ' <= r && r <= '~'
	}
	// Some letters and marks are invisible.
	if unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
		return false
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd)
}

// scriptSet is the scripts of the letters of a name, as Unicode's Script property has them.
type scriptSet struct {
	names []string
}

func (s *scriptSet) add(r rune) {
	if r < utf8.RuneSelf && !unicode.IsLetter(r) || unicode.In(r, unicode.Common, unicode.Inherited) {
		return
	}
	for _, name := range s.names {
		if unicode.Is(unicode.Scripts[name], r) {
			return
		}
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			s.names = append(s.names, name)
			return
		}
	}
	s.names = append(s.names, "unknown")
}

// together reports whether the scripts are written in one word somewhere: the
// level "highly restrictive" of UTS 39 §5.2.
func (s *scriptSet) together() bool {
	if len(s.names) <= 1 {
		return true
	}
	for _, mix := range [...]string{"Latin Han Hiragana Katakana", "Latin Han Bopomofo", "Latin Han Hangul"} {
		if subset(s.names, strings.Fields(mix)) {
			return true
		}
	}
	return false
}

func subset(names, of []string) bool {
	for _, name := range names {
		found := false
		for _, other := range of {
			found = found || name == other
		}
		if !found {
			return false
		}
	}
	return true
}
