package strict

import "strings"

// SameType compares media types as RFC 7515 §4.1.9 says: "application/" may be left out if there is no other slash,
// and letter case does not count (RFC 7519 §5.1).
func SameType(a, b string) bool { return a == b || strings.EqualFold(ShortType(a), ShortType(b)) }

// ShortType returns a media type without its "application/", if that may be left out.
func ShortType(typ string) string {
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) && !strings.Contains(typ[len(prefix):], "/") {
		return typ[len(prefix):]
	}
	return typ
}
