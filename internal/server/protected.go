package server

import "net/http"

func (s *Server) protectedRoute() route {
	return route{method: http.MethodGet, path: "/protected", access: accessOwn, handle: s.protected}
}

// protectedAnswer is the sample resource: what the first call with a token shows.
type protectedAnswer struct {
	Message string `json:"message"`
	Subject string `json:"subject"`
}

func (s *Server) protected(w http.ResponseWriter, r *http.Request) error {
	writeJSON(w, http.StatusOK, protectedAnswer{
		Message: "your token is good; an API of yours would answer here",
		Subject: claimsOf(r).Subject,
	})
	return nil
}
