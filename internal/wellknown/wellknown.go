// Package wellknown says what may be the URL of an issuer (RFC 8414 §2).
package wellknown

import (
	"errors"
	"net/netip"
	"net/url"
)

// CheckIssuer returns what is wrong with the URL of an issuer, as the rest of a sentence that begins with its name.
func CheckIssuer(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Opaque != "":
		return errors.New("must be a URL such as https://api.example.com")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("must have no query and no fragment")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("must be https; http is for loopback addresses alone")
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
