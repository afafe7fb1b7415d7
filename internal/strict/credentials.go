package strict

import "strings"

// Credentials returns what follows the scheme in the value of an Authorization header (RFC 9110 §11.4), or "" if the
// value has another scheme. The scheme's case does not matter, and more than one space may follow it. It returns
// ErrSingle if nothing follows, and ErrList for a list that holds the scheme after its first element, which has no
// place in this header (§11.6.2). Whether what follows is a [Token68] is not asked.
func Credentials(value, scheme string) (string, error) {
	if !hasScheme(value, scheme) {
		if listsScheme(value, scheme) {
			return "", ErrList
		}
		return "", nil
	}
	rest := value[len(scheme):]
	token := strings.TrimLeft(rest, " ")
	if token == "" || token == rest {
		return "", ErrSingle
	}
	return token, nil
}

func hasScheme(value, scheme string) bool {
	n := len(scheme)
	return len(value) >= n && strings.EqualFold(value[:n], scheme) && (len(value) == n || !TokenByte(value[n]))
}

func listsScheme(value, scheme string) bool {
	_, rest, more := strings.Cut(value, ",")
	for more {
		var element string
		element, rest, more = strings.Cut(rest, ",")
		if hasScheme(strings.Trim(element, " \t"), scheme) {
			return true
		}
	}
	return false
}
