package server

import (
	"net/http"

	"github.com/doorward/doorward/internal/endpoint"
)

// rootPath is the front door.
const rootPath = "/{$}"

func (s *Server) rootRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: rootPath, Handle: s.root}
}

// rootAnswer tells a person who came here by hand where to go. It holds no version.
type rootAnswer struct {
	Name     string `json:"name"`
	Login    string `json:"login"`
	Me       string `json:"me"`
	Metadata string `json:"metadata"`
	Keys     string `json:"keys"`
}

func (s *Server) root(w http.ResponseWriter, _ *http.Request) error {
	endpoint.WriteJSON(w, http.StatusOK, rootAnswer{
		Name:     "Doorward",
		Login:    "POST " + s.cfg.Prefix + loginPath,
		Me:       "GET " + s.cfg.Prefix + mePath,
		Metadata: "GET " + s.metadataPath(),
		Keys:     "GET " + s.cfg.Prefix + jwksPath,
	})
	return nil
}
