package server_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/doorward/doorward/issuer"
)

// Standard_S01: /login is a session of the operator's own users. A password is no OAuth grant, and
// nothing says that it is.
func TestNoPasswordGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {aliceWord}, "scope": {""}}.Encode()
	for _, path := range []string{"/oauth/token", "/token", "/login"} {
		a := w.do("POST", path, form, media("application/x-www-form-urlencoded"))
		if a.status < 400 || a.text("access_token") != "" {
			t.Errorf("%s gives a token for a password: %d %s", path, a.status, a.body)
		}
	}
	grants, _ := w.do("GET", "/.well-known/oauth-authorization-server", nil).want(t, 200, "").object["grant_types_supported"].([]any)
	for _, grant := range grants {
		if grant == "password" {
			t.Error("the metadata offer the grant of a password")
		}
	}
}

// Standard_S15: no name that somebody chooses makes a subject out of a client's id.
func TestSubjectsAreNoClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{issuer.FirstPartyClient, "dwc_1"} {
		w.addUser(name, aliceWord)
		claims := w.claims(w.login(name, aliceWord).text("access_token"), issuerURL)
		if claims.ClientID != issuer.FirstPartyClient || claims.Subject == name || strings.HasPrefix(claims.Subject, "dwc_") {
			t.Errorf("user %q: sub %q, client_id %q", name, claims.Subject, claims.ClientID)
		}
	}
}
