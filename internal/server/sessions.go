package server

import (
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/sid"
	"github.com/doorward/doorward/issuer"
)

// pageSize is how many entries one answer of a list has.
const pageSize = 100

func (s *Server) sessionsRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: "/sessions", Access: endpoint.AccessPerson, Handle: s.sessions}
}

// sessionsAnswer lists live sessions, newest first. Next, if there is one, goes
// into ?before= for the rest.
type sessionsAnswer struct {
	Sessions []sessionEntry `json:"sessions"`
	Next     string         `json:"next,omitzero"`
}

type sessionEntry struct {
	ID        string    `json:"id"`
	ClientID  string    `json:"client_id"`
	CreatedAt time.Time `json:"created_at"`
	// LastUsed is rounded down to the hour: to the minute it would tell a thief
	// when the owner is away.
	LastUsed  time.Time `json:"last_used"`
	ExpiresAt time.Time `json:"expires_at"`
	Current   bool      `json:"current"`
}

// sessions lists the caller's own sessions.
func (s *Server) sessions(w http.ResponseWriter, r *http.Request) error {
	query, err := endpoint.Query(r)
	if err != nil {
		return err
	}
	before := query.Get("before")
	if before != "" && !sid.Valid(before) || len(query["before"]) > 1 {
		return endpoint.InvalidRequest("before must be the id of a session", nil)
	}
	claims := endpoint.Claims(r)
	list, err := s.cfg.Issuer.Sessions(r.Context(), issuer.SessionQuery{
		Subject: claims.Subject, Live: true, Before: before, Limit: pageSize,
	})
	if err != nil {
		return err
	}
	answer := sessionsAnswer{Sessions: make([]sessionEntry, 0, len(list))}
	for _, session := range list {
		expires := session.IdleEnd
		if session.AbsoluteEnd.Before(expires) {
			expires = session.AbsoluteEnd
		}
		answer.Sessions = append(answer.Sessions, sessionEntry{
			ID: session.ID, ClientID: session.ClientID, CreatedAt: session.CreatedAt,
			LastUsed:  account.ShownUse(session.LastUsedAt, session.CreatedAt),
			ExpiresAt: expires, Current: session.ID == claims.SessionID,
		})
	}
	if len(list) == pageSize {
		answer.Next = list[pageSize-1].ID
	}
	endpoint.WriteJSON(w, http.StatusOK, answer)
	return nil
}

func (s *Server) sessionEndRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodDelete, Path: "/sessions/{id}", Access: endpoint.AccessPerson, Handle: s.sessionEnd}
}

var errNoSession = endpoint.NotFound("you have no such session")

// sessionEnd ends one of the caller's own sessions. A session of somebody else
// is answered like one that never was.
func (s *Server) sessionEnd(w http.ResponseWriter, r *http.Request) error {
	id, claims := r.PathValue("id"), endpoint.Claims(r)
	if !sid.Valid(id) {
		return errNoSession
	}
	list, err := s.cfg.Issuer.Sessions(r.Context(), issuer.SessionQuery{ID: id, Subject: claims.Subject, Limit: 1})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errNoSession
	}
	ev := endpoint.Event(r, claims.Subject)
	ev.Subject = claims.Subject
	if err := s.cfg.Issuer.RevokeSession(r.Context(), id, ev); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
