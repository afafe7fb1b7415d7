package main

import (
	"net"
	"net/http"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// refresh answers POST /refresh: a fresh access token, and the next refresh token.
func (a *app) refresh(w http.ResponseWriter, r *http.Request) error {
	token, err := oneToken(r, a.refreshPlaces)
	if err != nil {
		return err
	}
	tokens, err := a.issuer.Refresh(r.Context(), token, issuer.RefreshRequest{Event: eventOf(r)})
	if err != nil {
		return err
	}
	if cookie, _ := a.issuer.RefreshTokenFrom(r); cookie == token {
		http.SetCookie(w, a.issuer.RefreshCookie(tokens))
		http.SetCookie(w, newAccessCookie(tokens))
		tokens.RefreshToken = "" // A script that could read it could also steal it.
	}
	return a.writeTokens(w, tokens)
}

// logout answers DELETE /logout. Either token ends the session, so that one call is enough; an
// access token that has expired will do, and a second time is as good as the first.
func (a *app) logout(w http.ResponseWriter, r *http.Request) error {
	token, err := oneToken(r, a.refreshPlaces)
	if err != nil {
		return err
	}
	if err := a.issuer.Logout(r.Context(), token, eventOf(r)); err != nil {
		return err
	}
	text := "Access token successfully revoked"
	if strings.HasPrefix(token, issuer.RefreshTokenPrefix) {
		text = "Refresh token successfully revoked"
	}
	return a.writeText(w, text)
}

// loginCookie answers POST /login_cookie: the tokens come in two cookies that no script
// can read and no other site's page can make use of.
func (a *app) loginCookie(w http.ResponseWriter, r *http.Request) error {
	tokens, err := a.logIn(w, r)
	if err != nil {
		return err
	}
	http.SetCookie(w, newAccessCookie(tokens))
	http.SetCookie(w, a.issuer.RefreshCookie(tokens))
	return a.writeText(w, "login successful")
}

// logoutCookie answers POST /logout_cookie. It ends the session too, and not only the cookies.
func (a *app) logoutCookie(w http.ResponseWriter, r *http.Request) error {
	for _, place := range []doorward.Extractor{doorward.Cookie(accessCookie), doorward.Cookie(issuer.CookieName)} {
		token, err := place.Extract(r)
		if err == nil && token != "" {
			err = a.issuer.Logout(r.Context(), token, eventOf(r))
		}
		if err != nil {
			return err
		}
	}
	gone := newAccessCookie(issuer.TokenSet{})
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	http.SetCookie(w, a.issuer.ClearRefreshCookie())
	return a.writeText(w, "logout successful")
}

// newAccessCookie lasts as long as the browser's window; the token in it ends by itself.
func newAccessCookie(t issuer.TokenSet) *http.Cookie {
	return &http.Cookie{
		Name: accessCookie, Value: t.AccessToken, Path: "/",
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

// oneToken looks into every place and returns the only token.
func oneToken(r *http.Request, places []doorward.Extractor) (string, error) {
	var found string
	for _, place := range places {
		token, err := place.Extract(r)
		switch {
		case err != nil:
			return "", err
		case token != "" && found != "":
			return "", doorward.ErrTwoTokens
		case token != "":
			found = token
		}
	}
	if found == "" {
		return "", doorward.ErrNoToken
	}
	return found, nil
}

// eventOf returns what the record of logins and logouts says about the caller.
func eventOf(r *http.Request) issuer.Event {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return issuer.Event{Address: host}
}
