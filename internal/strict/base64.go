package strict

import (
	"encoding/binary"
	"slices"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// sextets maps a character to its six bits, and every character outside the alphabet to a value with bit 7 set,
// so that one OR over a group finds a stranger in it.
var sextets = func() (t [256]byte) {
	for i := range t {
		t[i] = 0x80
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	return t
}()

// AppendBase64 appends the decoding of s to dst. s is base64url without padding (RFC 4648 §5) in its canonical
// form: only the 64 letters, unused bits of the last one zero (§3.5), never one letter left over. Each byte
// string has therefore exactly one spelling. Anything else returns dst as it was and [ErrBase64].
// It allocates only when dst lacks room for [DecodedLen] more bytes.
func AppendBase64(dst []byte, s string) ([]byte, error) {
	start := len(dst)
	n := DecodedLen(len(s))
	if len(s)%4 == 1 {
		return dst, ErrBase64
	}
	dst = slices.Grow(dst, n)[:start+n]
	out := dst[start:]
	var bad byte
	for len(s) >= 8 && len(out) >= 8 { // writes two bytes too many, which the next group overwrites
		a, b, c, d := sextets[s[0]], sextets[s[1]], sextets[s[2]], sextets[s[3]]
		e, f, g, h := sextets[s[4]], sextets[s[5]], sextets[s[6]], sextets[s[7]]
		bad |= a | b | c | d | e | f | g | h
		binary.BigEndian.PutUint64(out, uint64(a)<<58|uint64(b)<<52|uint64(c)<<46|uint64(d)<<40|
			uint64(e)<<34|uint64(f)<<28|uint64(g)<<22|uint64(h)<<16)
		s, out = s[8:], out[6:]
	}
	for len(s) >= 4 && len(out) >= 3 {
		a, b, c, d := sextets[s[0]], sextets[s[1]], sextets[s[2]], sextets[s[3]]
		bad |= a | b | c | d
		out[0], out[1], out[2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
		s, out = s[4:], out[3:]
	}
	switch len(s) {
	case 2:
		a, b := sextets[s[0]], sextets[s[1]]
		bad |= a | b | tail(b&0x0f)
		out[0] = a<<2 | b>>4
	case 3:
		a, b, c := sextets[s[0]], sextets[s[1]], sextets[s[2]]
		bad |= a | b | c | tail(c&0x03)
		out[0], out[1] = a<<2|b>>4, b<<4|c>>2
	}
	if bad&0x80 != 0 {
		return dst[:start], ErrBase64
	}
	return dst, nil
}

// DecodedLen returns the number of bytes that n letters of base64url decode to.
func DecodedLen(n int) int { return n/4*3 + n%4*3/4 }

// tail is the error bit when unused bits of the last letter are set.
func tail(unused byte) byte {
	if unused != 0 {
		return 0x80
	}
	return 0
}
