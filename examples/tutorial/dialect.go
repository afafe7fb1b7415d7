package main

import (
	"fmt"
	"net/http"

	"github.com/doorward/doorward"
)

// dialect is how one tutorial's API speaks.
type dialect struct {
	index   int
	token   string // member that holds the access token
	message string // member that holds a text
	notJSON int    // status of a body that is not JSON by its content type
	welcome string // of GET /
	secret  string // of GET /protected
	places  []doorward.Extractor
	people  []person
}

// person is one of the first users.
type person struct{ name, password, role string }

// The roles. Only roleAdmin opens a route.
const (
	roleUser  = "user"
	roleAdmin = "admin"
)

var first = dialect{
	index: 0, token: "access_token", message: "msg", notJSON: http.StatusBadRequest,
	welcome: "Log in at /login, then call /protected.",
	secret:  "This is a protected endpoint.",
	places:  []doorward.Extractor{doorward.BearerHeader()},
	people:  []person{{"test", "test", roleUser}, {"root", "toor", roleAdmin}},
}

var second = dialect{
	index: 1, token: "token", message: "message", notJSON: http.StatusUnsupportedMediaType,
	welcome: "Welcome to the Flask JWT API!", // The clients' text, whatever serves it.
	secret:  "This is a protected route!",
	places:  []doorward.Extractor{doorward.Header("x-access-token"), doorward.BearerHeader()},
	people:  []person{{"user1", "password123", roleUser}, {"root", "toor", roleAdmin}},
}

func dialectNamed(name string) (dialect, error) {
	switch name {
	case "first":
		return first, nil
	case "second":
		return second, nil
	}
	return dialect{}, fmt.Errorf("-as %q is neither first nor second", name)
}
