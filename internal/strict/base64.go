package strict

import (
	"encoding/binary"
	"slices"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// places maps a character to its six bits, at each of the four places in a group of 24 bits. A character outside the
// alphabet maps to a value with the bit stranger set, so that one OR over a group shows whether it holds such a one.
var places = func() (t [4][256]uint32) {
	for place := range t {
		for i := range t[place] {
			t[place][i] = stranger
		}
		for i := range len(alphabet) {
			t[place][alphabet[i]] = uint32(i) << (18 - 6*place)
		}
	}
	return t
}()

const stranger = 1 << 31

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
	var bad uint32
	for len(s) >= 8 && len(out) >= 8 { // writes two bytes too many, which the next group overwrites
		high, low := group(s[0], s[1], s[2], s[3]), group(s[4], s[5], s[6], s[7])
		bad |= high | low
		binary.BigEndian.PutUint64(out, uint64(high)<<40|uint64(low)<<16)
		s, out = s[8:], out[6:]
	}
	for len(s) >= 4 && len(out) >= 3 {
		g := group(s[0], s[1], s[2], s[3])
		bad |= g
		out[0], out[1], out[2] = byte(g>>16), byte(g>>8), byte(g)
		s, out = s[4:], out[3:]
	}
	switch len(s) {
	case 2:
		g := group(s[0], s[1], 'A', 'A')
		bad |= g | tail(g&0xffff)
		out[0] = byte(g >> 16)
	case 3:
		g := group(s[0], s[1], s[2], 'A')
		bad |= g | tail(g&0xff)
		out[0], out[1] = byte(g>>16), byte(g>>8)
	}
	if bad&stranger != 0 {
		return dst[:start], ErrBase64
	}
	return dst, nil
}

// DecodedLen returns the number of bytes that n letters of base64url decode to.
func DecodedLen(n int) int { return n/4*3 + n%4*3/4 }

// group returns the 24 bits of four characters.
func group(a, b, c, d byte) uint32 {
	return places[0][a] | places[1][b] | places[2][c] | places[3][d]
}

// tail returns the bit stranger if unused bits of the last letter are set.
func tail(unused uint32) uint32 {
	if unused != 0 {
		return stranger
	}
	return 0
}
