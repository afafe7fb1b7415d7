package endpoint

import (
	"net/http"
	"net/url"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// Claims returns the claims of the token that the route wants. It panics on a route that wants none.
func Claims(r *http.Request) *doorward.Claims {
	claims, ok := doorward.ClaimsFrom(r.Context())
	if !ok {
		panic("endpoint: a handler that reads claims has no guard")
	}
	return claims
}

// Event says who asks for a change, for the audit record.
func Event(r *http.Request, actor string) issuer.Event {
	return issuer.Event{Actor: actor, Address: ExchangeOf(r).Origin().Address(), RequestID: doorward.RequestID(r.Context())}
}

// Query returns the parameters in the address of a request. It refuses one that cannot be read rather than leave it out:
// what was asked for with it would be done without.
func Query(r *http.Request) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, InvalidRequest("the query cannot be read", nil)
	}
	return values, nil
}

// SingleHeader returns the value of a header that may occur once, and whether it
// occurs once or not at all.
func SingleHeader(h http.Header, name string) (string, bool) {
	values := h.Values(name)
	if len(values) == 0 {
		return "", true
	}
	return values[0], len(values) == 1
}
