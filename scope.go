package doorward

import (
	"errors"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/strict"
)

// ErrScopeSyntax says that a text is no scope of RFC 6749 §3.3.
var ErrScopeSyntax = errors.New("doorward: not a scope: words of printable ASCII without quote and backslash, separated by single spaces")

// Scope is a list of permission words (RFC 6749 §3.3). Its text form, which
// JSON uses too, is the words separated by single spaces.
type Scope []string

// ParseScope reads the text form. The empty text is the empty scope. Tabs,
// double, leading and trailing spaces and all bytes outside
// %x21 / %x23-5B / %x5D-7E are refused with ErrScopeSyntax.
func ParseScope(s string) (Scope, error) {
	words, ok := strict.AppendScope(nil, s)
	if !ok {
		return nil, ErrScopeSyntax
	}
	return words, nil
}

// Has reports whether word is one of the scope's words. The comparison is
// exact: no prefixes, no wildcards, no folding of case.
func (s Scope) Has(word string) bool {
	return slices.Contains(s, word)
}

// String returns the text form.
func (s Scope) String() string {
	return strings.Join(s, " ")
}

// MarshalText returns the text form, or ErrScopeSyntax if a word could not be
// read back.
func (s Scope) MarshalText() ([]byte, error) {
	if slices.ContainsFunc(s, func(word string) bool { return !strict.ScopeWord(word) }) {
		return nil, ErrScopeSyntax
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads the text form as ParseScope does.
func (s *Scope) UnmarshalText(text []byte) error {
	parsed, err := ParseScope(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}
