package server

import (
	"net/http"

	"github.com/doorward/doorward/internal/endpoint"
)

func (s *Server) protectedRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: "/protected", Access: endpoint.AccessOwn, Handle: s.protected}
}

// protectedAnswer is the sample resource: what the first call with a token shows.
type protectedAnswer struct {
	Message string `json:"message"`
	Subject string `json:"subject"`
}

func (s *Server) protected(w http.ResponseWriter, r *http.Request) error {
	endpoint.WriteJSON(w, http.StatusOK, protectedAnswer{
		Message: "your token is good; an API of yours would answer here",
		Subject: endpoint.Claims(r).Subject,
	})
	return nil
}
