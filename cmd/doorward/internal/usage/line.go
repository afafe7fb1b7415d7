package usage

import (
	"regexp"
	"strings"
)

// passwords are those in the URL of a database: before its host, and as a parameter.
var passwords = []*regexp.Regexp{regexp.MustCompile(`(://[^:/?#]*:).*(@)`), regexp.MustCompile(`([?&](?:ssl)?password=)[^&#]*()`)}

// Line repeats a command line for a hint, quoted for sh. A hint may end up in a log: passwords in URLs are left out.
func Line(args []string) string {
	words := []string{"doorward"}
	for _, arg := range args {
		for _, p := range passwords {
			arg = p.ReplaceAllString(arg, "${1}PASSWORD${2}")
		}
		if arg == "" || strings.ContainsFunc(arg, func(r rune) bool {
			return !strings.ContainsRune("@%+=:,./-_", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}
