package admin

import (
	"net/http"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
)

// roleEntry is what is shown of a role.
type roleEntry struct {
	Name  string `json:"name"`
	Scope string `json:"scope"`
	Users int    `json:"users"`
	// CreatedAt is left out for a role that users have but that was never defined.
	CreatedAt time.Time `json:"created_at,omitzero"`
}

func showRole(r account.Role) roleEntry {
	return roleEntry{Name: r.Name, Scope: r.Scope.String(), Users: r.Users, CreatedAt: r.CreatedAt}
}

type rolesAnswer struct {
	Roles []roleEntry `json:"roles"`
	Next  string      `json:"next,omitzero"`
}

// roles lists the roles that are defined or that somebody has, by name.
func (a *Admin) roles(w http.ResponseWriter, r *http.Request) error {
	p, err := readPage(r)
	if err != nil {
		return err
	}
	list, err := a.People.ListRoles(r.Context(), account.Query{After: p.after, Limit: p.limit + 1})
	if err != nil {
		return err
	}
	list, next := cut(p, list, func(r account.Role) string { return r.Name })
	endpoint.WriteJSON(w, http.StatusOK, rolesAnswer{each(list, showRole), next})
	return nil
}

func (a *Admin) role(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	role, err := a.People.RoleByName(r.Context(), r.PathValue("name"))
	if err != nil {
		return refuse(err)
	}
	writeTagged(w, http.StatusOK, showRole(role))
	return nil
}

type roleAddRequest struct {
	Name  string `json:"name"`
	Scope string `json:"scope"`
}

// roleAdd defines a role. A user who has a role of this name already gets its scopes with the next refresh.
func (a *Admin) roleAdd(w http.ResponseWriter, r *http.Request) error {
	var req roleAddRequest
	if err := readBody(w, r, &req); err != nil {
		return err
	}
	if req.Name == "" {
		return endpoint.InvalidRequest("name is required", nil)
	}
	scope, err := words(req.Scope)
	if err != nil {
		return err
	}
	role, err := a.People.AddRole(r.Context(), req.Name, scope, event(r))
	if err != nil {
		return refuse(err)
	}
	a.location(w, "/roles/"+role.Name)
	writeTagged(w, http.StatusCreated, showRole(role))
	return nil
}

type roleEditRequest struct {
	Scope *string `json:"scope"`
}

// roleEdit changes the scopes of a role. Users who have it get them with their next refresh. With
// ?end_sessions=true their sessions are ended; this node learns of that from the store, as all others do.
func (a *Admin) roleEdit(w http.ResponseWriter, r *http.Request) error {
	end, err := endSessions(r)
	if err != nil {
		return err
	}
	var req roleEditRequest
	if err := endpoint.ReadJSON(w, r, &req); err != nil {
		return err
	}
	if req.Scope == nil {
		return errNothing
	}
	scope, err := words(*req.Scope)
	if err != nil {
		return err
	}
	role, err := a.People.RoleByName(r.Context(), r.PathValue("name"))
	if err != nil {
		return refuse(err)
	}
	whatever, err := checkMatch(r, showRole(role))
	if err != nil {
		return err
	}
	seen := &role
	if whatever {
		seen = nil
	}
	role, _, err = a.People.SetRole(r.Context(), role.Name, seen, account.Change{Replace: true, To: scope}, end, event(r))
	if err != nil {
		return refuse(conflict(err))
	}
	writeTagged(w, http.StatusOK, showRole(role))
	return nil
}

// roleDelete removes a role and takes it from whoever has it.
func (a *Admin) roleDelete(w http.ResponseWriter, r *http.Request) error {
	end, err := endSessions(r)
	if err != nil {
		return err
	}
	if _, err := a.People.RemoveRole(r.Context(), r.PathValue("name"), end, event(r)); err != nil {
		return refuse(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// words reads a scope as it is written in JSON: words with one space between them.
func words(text string) (doorward.Scope, error) {
	if strings.TrimSpace(text) == "" && text != "" {
		return nil, doorward.ErrScopeSyntax
	}
	return doorward.ParseScope(text)
}
