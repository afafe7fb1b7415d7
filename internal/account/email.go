package account

import (
	"errors"
	"strings"
)

// MaxEmail is the greatest length of an e-mail address in bytes: what SMTP carries (RFC 5321
// §4.5.3.1.3, without the angle brackets).
const MaxEmail = 254

// ErrEmail says that a text is no e-mail address that is taken here.
var ErrEmail = errors.New("account: an e-mail address is written name@host.example, in ASCII, with at most 64 characters before the @ and 254 together")

// parseEmail returns an address as it is stored: with its domain in lower case. What stands
// before the @ is for the receiving host alone to compare (RFC 5321 §2.4) and stays as it is.
//
// Taken is a Mailbox of RFC 5321 §4.1.2 whose local part is a Dot-string and whose domain has
// two labels or more: no quoted text, no comment, no address literal, and no character outside
// ASCII, so that an address means the same to every program that reads it here. Empty is no address.
func parseEmail(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	local, domain, _ := strings.Cut(text, "@")
	if len(text) > MaxEmail || len(local) > 64 || !allAtoms(local, isAtomByte) || !isDomain(domain) {
		return "", ErrEmail
	}
	return local + "@" + strings.ToLower(domain), nil
}

// isDomain reports whether a text is a name of hosts (RFC 1123 §2.1). The last label is no number,
// which would make it an IP address.
func isDomain(text string) bool {
	labels := strings.Split(text, ".")
	for _, label := range labels {
		if len(label) > 63 || label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(labels) > 1 && allAtoms(text, isLabelByte) && strings.Trim(last, "0123456789") != ""
}

// allAtoms reports whether a text is made of words of such characters, with one dot between two.
func allAtoms(text string, is func(byte) bool) bool {
	for atom := range strings.SplitSeq(text, ".") {
		if atom == "" {
			return false
		}
		for i := range len(atom) {
			if !is(atom[i]) {
				return false
			}
		}
	}
	return true
}

// isAtomByte is atext of RFC 5322 §3.2.3.
func isAtomByte(c byte) bool {
	return isLabelByte(c) || strings.IndexByte("!#$%&'*+/=?^_`{|}~", c) >= 0
}

func isLabelByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-'
}
