package cutoff

// uuid is the value of a UUID. Arrays of bytes compare as the texts do.
type uuid [16]byte

// parseUUID reads the one canonical form of a UUID: 36 characters, lower case
// (RFC 9562 §4). Any other spelling is refused.
func parseUUID(s string) (u uuid, ok bool) {
	if len(s) != 36 {
		return uuid{}, false
	}
	n := 0
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return uuid{}, false
			}
			continue
		}
		var nibble byte
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			nibble = c - '0'
		case 'a' <= c && c <= 'f':
			nibble = c - 'a' + 10
		default:
			return uuid{}, false
		}
		u[n/2] = u[n/2]<<4 | nibble
		n++
	}
	return u, true
}
