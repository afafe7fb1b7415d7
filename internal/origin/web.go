package origin

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// CheckWeb refuses a text that no browser ever sends as Origin (RFC 6454 §6.2). In a setting it would
// allow nothing, unnoticed. The error completes a sentence that begins with the name of the setting.
func CheckWeb(origin string) error {
	u, err := url.Parse(origin)
	switch {
	case strings.Contains(origin, "*"):
		return errors.New("name each origin; there are no patterns")
	case err != nil || u.Host == "" || u.User != nil || !strings.EqualFold(u.Scheme+"://"+u.Host, origin):
		return errors.New("want scheme, host and port alone, such as https://app.example.com")
	case strings.ContainsFunc(origin, func(r rune) bool { return r > unicode.MaxASCII }):
		return errors.New("want the host in its xn-- form, as browsers send it")
	case strings.ToLower(origin) != origin:
		return errors.New("want lower case, as browsers send it")
	case u.Scheme == "ftp" || u.Scheme == "ws" || u.Scheme == "wss" || u.Scheme == "file":
		return errors.New("want origins of https or http, such as https://app.example.com, or of an app's own scheme")
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80", strings.HasSuffix(origin, ":"):
		return errors.New("want it without the port that its scheme implies, as browsers send it")
	}
	return CheckPort(u)
}

// CheckPort refuses the port of a URL to which nobody can connect. Its error is like that of [CheckWeb].
func CheckPort(u *url.URL) error {
	if port, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || port == 0) {
		return errors.New("want a port between 1 and 65535")
	}
	return nil
}
