package strict

import "strings"

// AppendScope appends the words of a scope (RFC 6749 §3.3) to dst. It reports false if a word is not a [ScopeWord], or
// if they are not separated by single spaces. The empty text has no words.
func AppendScope(dst []string, s string) ([]string, bool) {
	for rest, more := s, s != ""; more; {
		var word string
		word, rest, more = strings.Cut(rest, " ")
		if !ScopeWord(word) {
			return nil, false
		}
		dst = append(dst, word)
	}
	return dst, true
}

// ScopeWord reports whether a scope can hold the word: 1*( %x21 / %x23-5B / %x5D-7E ).
func ScopeWord(word string) bool {
	return word != "" && Quotable(word) && strings.IndexByte(word, ' ') < 0
}
