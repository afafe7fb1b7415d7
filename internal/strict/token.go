package strict

import "strings"

// Token reports whether s is a token of HTTP (RFC 9110 §5.6.2): a name of a header or a cookie, a scheme.
func Token(s string) bool {
	for i := range len(s) {
		if !TokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// TokenByte reports whether b may stand in a [Token].
func TokenByte(b byte) bool { return tokenBytes[b] }

// Token68 reports whether s is what credentials are made of (RFC 9110 §11.2; b64token in RFC 6750 §2.1):
// 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=".
func Token68(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if !letters68[s[i]] {
			return false
		}
	}
	return s != ""
}

// maxHost is the greatest length of a name with a port, and more than that of an address.
const maxHost = 300

// Host reports whether s has only the characters of a host's name or address, perhaps with a port, and is not too long.
func Host(s string) bool {
	for i := range len(s) {
		if !hostBytes[s[i]] {
			return false
		}
	}
	return s != "" && len(s) <= maxHost
}

// Tables, since they are needed for every request.
var (
	tokenBytes = alphanumericOr("!#$%&'*+-.^_`|~")
	letters68  = alphanumericOr("-._~+/")
	hostBytes  = alphanumericOr("-._:[]")
)

func alphanumericOr(more string) (t [256]bool) {
	for i := range t {
		t[i] = alphanumeric(byte(i)) || strings.IndexByte(more, byte(i)) >= 0
	}
	return t
}

// Quotable reports whether s may stand between the quotes of a challenge's attribute without an escape (RFC 6750 §3:
// %x20-21 / %x23-5B / %x5D-7E).
func Quotable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

func alphanumeric(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z'
}
