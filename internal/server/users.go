package server

import (
	"net/http"
	"regexp"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
)

func (s *Server) usersRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: "/admin/v1/users", Access: endpoint.AccessAdmin, Handle: s.users}
}

// usersAnswer lists users by name. Next, if there is one, goes into ?after= for the rest.
type usersAnswer struct {
	Users []userEntry `json:"users"`
	Next  string      `json:"next,omitzero"`
}

type userEntry struct {
	ID                string    `json:"id"`
	Username          string    `json:"username"`
	Roles             []string  `json:"roles"`
	Disabled          bool      `json:"disabled"`
	MustChange        bool      `json:"password_change_required"`
	CreatedAt         time.Time `json:"created_at"`
	PasswordChangedAt time.Time `json:"password_changed_at,omitzero"`
}

// nameForm holds every canonical name, and no text that a store would refuse.
var nameForm = regexp.MustCompile(`^[^\x00-\x1f\x7f\x{fffd}]{0,256}$`)

// users lists everybody who can log in.
func (s *Server) users(w http.ResponseWriter, r *http.Request) error {
	after := r.URL.Query().Get("after")
	if !nameForm.MatchString(after) {
		return endpoint.InvalidRequest("after must be what next said", nil)
	}
	list, err := s.cfg.People.List(r.Context(), account.Query{After: after, Limit: pageSize})
	if err != nil {
		return err
	}
	answer := usersAnswer{Users: make([]userEntry, 0, len(list))}
	for _, user := range list {
		answer.Users = append(answer.Users, userEntry{
			ID: user.ID, Username: user.Name, Roles: user.Roles, Disabled: user.Disabled,
			MustChange: user.AdminWaits(), CreatedAt: user.CreatedAt, PasswordChangedAt: user.PasswordChangedAt,
		})
	}
	if len(list) == pageSize {
		answer.Next = list[pageSize-1].Canonical
	}
	endpoint.WriteJSON(w, http.StatusOK, answer)
	return nil
}
