package issuer

import (
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/peek"
)

// CookieName is the cookie that holds the refresh token of a browser. The prefix makes browsers
// insist on Secure, on Path=/ and on this very host (RFC 6265bis §4.1.3.2).
const CookieName = "__Host-dw_refresh"

// RefreshCookie returns the cookie for a token set. The body of the same answer must then hold no
// refresh token.
func (i *Issuer) RefreshCookie(set TokenSet) *http.Cookie {
	cookie := refreshCookie(set.RefreshToken)
	cookie.MaxAge = max(1, int(time.Until(set.RefreshExpiresAt)/time.Second))
	return cookie
}

// ClearRefreshCookie returns the cookie that makes a browser forget its refresh token.
func (i *Issuer) ClearRefreshCookie() *http.Cookie {
	cookie := refreshCookie("")
	cookie.MaxAge = -1
	return cookie
}

// RefreshTokenFrom returns the refresh token in the request's cookie, or "" if there is none. It
// does not choose between two cookies, and takes none with a space in its name: both are
// [ErrTwoCookies].
//
// The caller must refuse requests that another site makes, as [http.CrossOriginProtection] does.
func (i *Issuer) RefreshTokenFrom(r *http.Request) (string, error) {
	value, ok := peek.Cookie(r, CookieName)
	if !ok {
		return "", ErrTwoCookies
	}
	return value, nil
}

func refreshCookie(value string) *http.Cookie {
	return &http.Cookie{
		Name: CookieName, Value: value, Path: "/",
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
