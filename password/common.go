package password

import (
	"cmp"
	"crypto/sha256"
	_ "embed" // common.bin
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// commonDigests holds, sorted, the first 5 bytes of the SHA-256 of each common
// password, as foldCommon makes it. A text that is not on the list is taken for one that is
// with a chance of one in 24 million. The lists are those of cry/nbp (the first 10,000 and, of
// the first 100,000, those of 8 characters or more) and of dropbox/zxcvbn (8 or
// more), both MIT. To make the file anew, run
//
//	DOORWARD_CORPORA=… go test ./password -run TestCommonFile -update
//
//go:embed common.bin
var commonDigests string

const (
	commonDigest = 5 // bytes
	// leastVariety is the least number of different characters of a password.
	leastVariety = 5
	// leastRow is the least number of characters of a keyboard row that count as a piece of it.
	leastRow = 3
	// leastName is the least number of characters of a word of a name that is looked for.
	leastName = 4
)

// foldCommon returns the form in which passwords are compared with common ones: NFKC, in
// lower case.
func foldCommon(password string) string {
	return strings.ToLower(norm.NFKC.String(password))
}

// isCommon reports whether a text is among the first that an attacker tries: it is on the
// list, perhaps with a few digits or signs around it, or it is plain, or it repeats such a text.
func isCommon(text string) bool {
	if isListed(text) || isPlain(text) {
		return true
	}
	core := strings.TrimFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
	if core != "" && core != text && isListed(core) && isLittle(strings.Replace(text, core, "", 1)) {
		return true
	}
	unit := period(text)
	return unit != text && isCommon(unit)
}

// isNamed reports whether little is left of a text without names that everybody knows.
func isNamed(text string, names []string) bool {
	rest := text
	for _, word := range wordsOf(names) {
		rest = strings.ReplaceAll(rest, word, "")
	}
	return rest != text && isLittle(rest)
}

// isLittle reports whether a rest of a password makes it no harder to guess.
func isLittle(rest string) bool {
	return utf8.RuneCountInString(rest) < LeastMin || isPlain(rest)
}

// isPlain reports whether a text has few different characters, repeats a short text, or is made
// of pieces of keyboard rows.
func isPlain(text string) bool {
	variety := map[rune]bool{}
	for _, r := range text {
		variety[r] = true
	}
	if len(variety) < leastVariety && utf8.RuneCountInString(text) >= LeastMin {
		return true
	}
	return utf8.RuneCountInString(period(text)) < LeastMin && period(text) != text || isRows(text)
}

func isListed(text string) bool {
	digest := sha256.Sum256([]byte(text))
	want := string(digest[:commonDigest])
	at := func(i int) string { return commonDigests[i*commonDigest:][:commonDigest] }
	n := len(commonDigests) / commonDigest
	i := sort.Search(n, func(i int) bool { return at(i) >= want })
	return i < n && at(i) == want
}

// period returns the text that, written twice or more, and the last time perhaps
// in part, is text; or text itself.
func period(text string) string {
	runes := []rune(text)
	border := make([]int, len(runes)+1) // border[n]: the longest other beginning of runes[:n] that it also ends with
	for i, k := 1, 0; i < len(runes); i++ {
		for k > 0 && runes[i] != runes[k] {
			k = border[k]
		}
		if runes[i] == runes[k] {
			k++
		}
		border[i+1] = k
	}
	if n := len(runes) - border[len(runes)]; 2*n <= len(runes) {
		return string(runes[:n])
	}
	return text
}

// rows are the characters that are neighbours on keyboards, in the alphabet and among the
// digits, in both directions.
var rows = func() []string {
	list := []string{
		"abcdefghijklmnopqrstuvwxyzabc", "012345678901234567890",
		"qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "qwertzuiop", "yxcvbnm,.-", "azertyuiop", "qsdfghjklm", "wxcvbn",
		"1234567890-=", "!@#$%^&*()_+", "1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik,", "9ol.", "0p;/",
		"йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю",
	}
	for _, row := range slices.Clone(list) {
		back := []rune(row)
		slices.Reverse(back)
		list = append(list, string(back))
	}
	return list
}()

// isRows reports whether all of a text is pieces of rows.
func isRows(text string) bool {
	if text == "" {
		return false
	}
	for text != "" {
		piece := rowPiece(text)
		if piece == 0 {
			return false
		}
		text = text[piece:]
	}
	return true
}

// rowPiece returns the number of bytes of the longest beginning of a text that is a piece
// of a row, or 0 if that has fewer than leastRow characters.
func rowPiece(text string) int {
	longest, count, end := 0, 0, 0
	for _, r := range text {
		end += utf8.RuneLen(r)
		if !slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row, text[:end]) }) {
			break
		}
		if count++; count >= leastRow {
			longest = end
		}
	}
	return longest
}

// wordsOf returns the words of names, the longest first, and the names themselves.
func wordsOf(names []string) []string {
	var words []string
	for _, name := range names {
		name = foldCommon(name)
		parts := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, word := range append(parts, name) {
			if utf8.RuneCountInString(word) >= leastName {
				words = append(words, word)
			}
		}
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	return slices.Compact(words)
}
