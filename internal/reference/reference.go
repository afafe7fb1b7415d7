// Package reference is the description of the HTTP API, written by hand as openapi.yaml, and the page that shows it to people.
package reference

import (
	_ "embed"
	"net/http"
	"sync"

	"github.com/doorward/doorward/internal/endpoint"
)

// File is openapi.yaml (OpenAPI 3.0.3).
//
//go:embed openapi.yaml
var File []byte

// Where the file and the page are, after the server's prefix.
const (
	filePath = "/openapi.yaml"
	pagePath = "/docs/api"
)

// Routes are the endpoints of the file and the page, for a server.
func Routes() []endpoint.Route {
	return []endpoint.Route{
		{Method: http.MethodGet, Path: filePath, Cached: true, Handle: serveFile},
		{Method: http.MethodGet, Path: pagePath, Cached: true, Handle: servePage},
	}
}

func serveFile(w http.ResponseWriter, r *http.Request) error {
	endpoint.WritePublic(w, r, "application/yaml", File, endpoint.Public)
	return nil
}

// rendered is made once, when somebody first asks: a program that nobody asks pays nothing.
var rendered = sync.OnceValues(render)

func servePage(w http.ResponseWriter, r *http.Request) error {
	p, err := rendered()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", p.policy)
	endpoint.WritePublic(w, r, "text/html; charset=utf-8", p.html, endpoint.Public)
	return nil
}
