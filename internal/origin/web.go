package origin

import (
	"fmt"
	"net/url"
	"strings"
)

// CheckWeb refuses what no browser would ever send as Origin (RFC 6454 §6.2): a setting with it
// allows nothing, and somebody believes that it does.
func CheckWeb(origin string) error {
	u, err := url.Parse(origin)
	switch {
	case strings.Contains(origin, "*"):
		return fmt.Errorf("origin %q: name each origin; there are no patterns", origin)
	case err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || u.Scheme+"://"+u.Host != origin:
		return fmt.Errorf("origin %q must look like https://app.example.com, without a slash at its end", origin)
	case strings.ToLower(origin) != origin:
		return fmt.Errorf("origin %q must be in lower case, as browsers send it", origin)
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80", strings.HasSuffix(origin, ":"):
		return fmt.Errorf("origin %q must be without the port that its scheme implies, as browsers send it", origin)
	}
	return nil
}
