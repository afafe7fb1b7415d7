package admin

import (
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/sid"
	"github.com/doorward/doorward/issuer"
)

// sessionEntry is what is shown of a session.
type sessionEntry struct {
	ID        string    `json:"id"`
	Subject   string    `json:"subject"`
	ClientID  string    `json:"client_id"`
	Scope     string    `json:"scope"`
	Audience  string    `json:"audience"`
	AuthTime  time.Time `json:"auth_time"`
	CreatedAt time.Time `json:"created_at"`
	// LastUsed is as exact as account.ShownUse.
	LastUsed  time.Time `json:"last_used"`
	ExpiresAt time.Time `json:"expires_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// EndReason is why the session is over, also one that has lapsed.
	EndReason string `json:"end_reason,omitzero"`
}

func showSession(s issuer.Session) sessionEntry {
	expires := s.IdleEnd
	if s.AbsoluteEnd.Before(expires) {
		expires = s.AbsoluteEnd
	}
	return sessionEntry{
		ID: s.ID, Subject: s.Subject, ClientID: s.ClientID, Scope: s.Scope.String(), Audience: s.Audience, AuthTime: s.AuthTime,
		CreatedAt: s.CreatedAt, LastUsed: account.ShownUse(s.LastUsedAt, s.CreatedAt), ExpiresAt: expires,
		EndedAt: s.EndedAt, EndReason: s.OverFor(time.Now()),
	}
}

type sessionsAnswer struct {
	Sessions []sessionEntry `json:"sessions"`
	Next     string         `json:"next,omitzero"`
}

var errNoSession = endpoint.NotFound("there is no such session")

// sessions lists sessions, newest first: the live ones, and with ?ended=true those that are over too.
func (a *Admin) sessions(w http.ResponseWriter, r *http.Request) error {
	p, err := readPage(r, "user", "ended")
	if err != nil {
		return err
	}
	ended, err := flag(p.filters, "ended")
	if err != nil {
		return err
	}
	user, filtered := p.filters["user"]
	if filtered && !isUserID(user) {
		return endpoint.InvalidRequest("user must be the id of a user, u_ and more; /admin/v1/users?username= has it for a name", nil)
	}
	if p.after != "" && !sid.Valid(p.after) {
		return errCursor
	}
	list, err := a.Issuer.Sessions(r.Context(), issuer.SessionQuery{Subject: user, Live: !ended, Before: p.after, Limit: p.limit + 1})
	if err != nil {
		return err
	}
	list, next := cut(p, list, func(s issuer.Session) string { return s.ID })
	endpoint.WriteJSON(w, http.StatusOK, sessionsAnswer{each(list, showSession), next})
	return nil
}

func (a *Admin) session(w http.ResponseWriter, r *http.Request) error {
	s, err := a.findSession(r)
	if err != nil {
		return err
	}
	endpoint.WriteJSON(w, http.StatusOK, showSession(s))
	return nil
}

func (a *Admin) findSession(r *http.Request) (issuer.Session, error) {
	if _, err := readQuery(r); err != nil {
		return issuer.Session{}, err
	}
	if !sid.Valid(r.PathValue("id")) {
		return issuer.Session{}, errNoSession
	}
	list, err := a.Issuer.Sessions(r.Context(), issuer.SessionQuery{ID: r.PathValue("id"), Limit: 1})
	if err != nil {
		return issuer.Session{}, err
	}
	if len(list) == 0 {
		return issuer.Session{}, errNoSession
	}
	return list[0], nil
}

// sessionEnd ends one session, whoever it belongs to. Doing it again changes nothing.
func (a *Admin) sessionEnd(w http.ResponseWriter, r *http.Request) error {
	s, err := a.findSession(r)
	if err != nil {
		return err
	}
	ev := event(r)
	ev.Subject = s.Subject
	if err := a.Issuer.RevokeSession(r.Context(), s.ID, ev); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
