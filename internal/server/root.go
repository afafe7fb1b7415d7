package server

import "net/http"

// rootPath is the front door.
const rootPath = "/{$}"

func (s *Server) rootRoute() route {
	return route{method: http.MethodGet, path: rootPath, handle: s.root}
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
	writeJSON(w, http.StatusOK, rootAnswer{
		Name:     "Doorward",
		Login:    "POST " + s.cfg.Prefix + loginPath,
		Me:       "GET " + s.cfg.Prefix + mePath,
		Metadata: "GET " + s.metadataPath(),
		Keys:     "GET " + s.cfg.Prefix + jwksPath,
	})
	return nil
}
