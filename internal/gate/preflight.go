package gate

import (
	"net/http"
	"strings"
)

// isPreflight reports whether r is a preflight as browsers make it (Fetch §4.8):
// OPTIONS, no body, no credentials. One that names a method in its query is none.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Origin"]) == 1 &&
		len(r.Header["Access-Control-Request-Method"]) == 1 && r.ContentLength == 0 &&
		len(r.Header["Authorization"]) == 0 && len(r.Header["Cookie"]) == 0 && !namesMethod(r.URL.RawQuery)
}

// namesMethod reports whether a query has a parameter _method, by which some frameworks take another method, WordPress
// that of any request. PHP takes .method for it too, and ignores what follows a bracket or NUL.
func namesMethod(query string) bool {
	for name := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ = strings.Cut(name, "=")
		name, _ = decoded(strings.ReplaceAll(name, "+", " "))
		name = strings.TrimLeft(name, " ")
		if end := strings.IndexAny(name[min(1, len(name)):], "[\x00"); end >= 0 {
			name = name[:end+1]
		}
		if foldName(name) == "-method" {
			return true
		}
	}
	return false
}
