package endpoint

import "net/http"

// Handler answers the requests of one endpoint. An error that it returns is written by
// the server. If it has begun an answer by then the connection is cut, so that nobody takes
// half an answer for a whole one.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Access says which token an endpoint wants.
type Access int

// What an endpoint may want.
const (
	AccessPublic      Access = iota // none; the handler asks for credentials itself
	AccessAny                       // a live token of this issuer, whatever its audience
	AccessOwn                       // a live token whose audience is the issuer
	AccessPerson                    // as AccessOwn, from a login: not that of a client, and not of an API key
	AccessRecent                    // as AccessOwn, from a recent login
	AccessAdmin                     // as AccessOwn, with the role admin
	AccessAdminRecent               // as AccessAdmin, from a recent login
)

// Route is one method of one endpoint.
type Route struct {
	Method string
	// Path is where the endpoint is, in the form of http.ServeMux, after the prefix.
	Path   string
	Access Access
	// Fixed leaves out the prefix: a standard says where the endpoint is.
	Fixed bool
	// Cached says that the handler sets Cache-Control itself; else it is no-store.
	Cached bool
	// Quiet logs good answers at level debug: a machine asks every second.
	Quiet bool
	// Act is what the observer calls it: "login" or "refresh", and else nothing.
	Act    string
	Handle Handler
}
