// Package challenge writes WWW-Authenticate for Bearer tokens (RFC 6750 §3).
package challenge

import "strings"

// Bearer returns a challenge with attributes: names and values in turn, of which those with an empty value are left
// out. The values, and the realm, must be strict.Quotable, so that none needs an escape.
func Bearer(realm string, pairs ...string) string {
	var b strings.Builder
	b.WriteString(`Bearer realm="` + realm + `"`)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			b.WriteString(`, ` + pairs[i] + `="` + pairs[i+1] + `"`)
		}
	}
	return b.String()
}
