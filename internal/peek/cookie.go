package peek

import (
	"net/http"
	"strings"
)

// Cookie returns the value of the one cookie of a name, "" if there is none. It reports false if there are two, or one
// whose name on the wire has a space: net/http trims names, and the rules that browsers keep for __Host- are about the
// exact one (RFC 6265bis §4.1.3.2).
func Cookie(r *http.Request, name string) (value string, ok bool) {
	cookies := r.CookiesNamed(name)
	if len(cookies) == 0 {
		return "", true
	}
	exact := 0
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if strings.HasPrefix(strings.TrimLeft(pair, " \t"), name+"=") {
				exact++
			}
		}
	}
	return cookies[0].Value, len(cookies) == 1 && exact == 1
}
