package strict

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Text decodes raw, the text of one JSON string with its quotes and nothing around them. The result shares memory
// with raw when raw holds no escapes. [ErrNotString] is returned for another kind of value.
func Text(raw []byte) ([]byte, error) {
	if !utf8.Valid(raw) {
		return nil, ErrUTF8
	}
	if len(raw) == 0 || raw[0] != '"' {
		return nil, ErrNotString
	}
	end, escaped, err := scanString(raw, 0)
	switch {
	case err != nil:
		return nil, err
	case end != len(raw):
		return nil, ErrTrailing
	}
	return inside(raw, escaped), nil
}

// inside returns the text between the quotes of a string that has been scanned.
func inside(quoted []byte, escaped bool) []byte {
	inner := quoted[1 : len(quoted)-1 : len(quoted)-1]
	if !escaped {
		return inner
	}
	return appendUnescaped(make([]byte, 0, len(inner)), inner)
}

// String is [Text], but returns a string that shares no memory with raw.
func String(raw []byte) (string, error) {
	text, err := Text(raw)
	return string(text), err
}

// AppendStrings appends the elements of an array of strings to dst and reports whether raw is one. They share memory
// with raw where they hold no escapes. raw is a value that [Object] has passed.
func AppendStrings(dst []string, raw []byte) ([]string, bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return dst, false
	}
	for i := 1; i < len(raw); {
		switch raw[i] {
		case ' ', '\t', '\n', '\r', ',':
			i++
		case ']':
			return dst, true
		case '"':
			end, escaped, err := scanString(raw, i)
			if err != nil {
				return dst, false
			}
			dst = append(dst, Share(inside(raw[i:end], escaped)))
			i = end
		default:
			return dst, false
		}
	}
	return dst, false
}

// Share returns the bytes as a string without copying them. The caller vouches that nobody changes b from now on.
func Share(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// scanString reads the string whose opening quote is at pos and returns the position after its closing quote.
func scanString(data []byte, pos int) (end int, escaped bool, err error) {
	for i := pos + 1; i < len(data); {
		if len(data)-i >= 8 {
			n := ordinary(binary.LittleEndian.Uint64(data[i:]))
			if i += n; n == 8 {
				continue
			}
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1, escaped, nil
		case c == '\\':
			n := escapeLen(data[i:])
			if n == 0 {
				return i, true, ErrEscape
			}
			escaped = true
			i += n
		case c < 0x20:
			return i, escaped, ErrControl
		default:
			i++
		}
	}
	return len(data), escaped, ErrSyntax
}

// ordinary returns how many of the eight bytes of v come before the first that a string may not hold as it is: a quote,
// a backslash, or a control character. A zero byte of v^quotes is found by the borrow of v-ones, which is exact up to the
// first one.
func ordinary(v uint64) int {
	const ones = 0x0101010101010101
	quote, slash := v^ones*'"', v^ones*'\\'
	found := (v-ones*0x20)&^v | (quote-ones)&^quote | (slash-ones)&^slash
	return bits.TrailingZeros64(found&(ones<<7)) / 8
}

// escapeLen returns the length of the escape at the start of b, a surrogate pair counting as one, or 0 when it is
// malformed or half a pair.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}
	r := hex4(b)
	switch {
	case r < 0:
		return 0
	case !utf16.IsSurrogate(r):
		return 6
	case utf16.DecodeRune(r, hex4(b[6:])) == utf8.RuneError:
		return 0
	}
	return 12
}

// hex4 reads \uXXXX at the start of b and returns -1 when there is none.
func hex4(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case digit(c):
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = (c | 0x20) - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendUnescaped appends raw, the inside of a string that has been scanned, without its escapes.
func appendUnescaped(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			continue
		}
		n := escapeLen(raw[i:])
		switch n {
		case 2:
			dst = append(dst, short(raw[i+1]))
		case 6:
			dst = utf8.AppendRune(dst, hex4(raw[i:]))
		case 12:
			dst = utf8.AppendRune(dst, utf16.DecodeRune(hex4(raw[i:]), hex4(raw[i+6:])))
		}
		i += n - 1
	}
	return dst
}

// short returns the character for which an escape of two characters stands.
func short(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}
