package admin

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/password"
)

// userEntry is what is shown of a user.
type userEntry struct {
	ID                string    `json:"id"`
	Username          string    `json:"username"`
	Email             string    `json:"email"`       // empty if none is known
	ExternalID        string    `json:"external_id"` // empty if there is none
	Roles             []string  `json:"roles"`
	Disabled          bool      `json:"disabled"`
	MustChange        bool      `json:"password_change_required"`
	CreatedAt         time.Time `json:"created_at"`
	PasswordChangedAt time.Time `json:"password_changed_at"`
	PasswordExpiresAt time.Time `json:"password_expires_at,omitzero"`
}

func showUser(u account.User) userEntry {
	return userEntry{
		ID: u.ID, Username: u.Name, Email: u.Email, ExternalID: u.ExternalID, Roles: u.Roles, Disabled: u.Disabled, MustChange: u.AdminWaits(),
		CreatedAt: u.CreatedAt, PasswordChangedAt: u.PasswordChangedAt, PasswordExpiresAt: u.PasswordExpiresAt,
	}
}

type usersAnswer struct {
	Users []userEntry `json:"users"`
	Next  string      `json:"next,omitzero"`
}

// users lists everybody who can log in, by name, or the one with a name or an external ID.
func (a *Admin) users(w http.ResponseWriter, r *http.Request) error {
	p, err := readPage(r, "username", "external_id")
	if err != nil {
		return err
	}
	var list []account.User
	name, named := p.filters["username"]
	id, numbered := p.filters["external_id"]
	switch {
	case named && numbered:
		return endpoint.InvalidRequest("username and external_id exclude each other", nil)
	case named:
		list, err = alone(a.People.ByName(r.Context(), name))
	case numbered:
		list, err = alone(a.People.ByExternalID(r.Context(), id))
	default:
		list, err = a.People.List(r.Context(), account.Query{After: p.after, Limit: p.limit + 1})
	}
	if err != nil {
		return err
	}
	list, next := cut(p, list, func(u account.User) string { return u.Canonical })
	endpoint.WriteJSON(w, http.StatusOK, usersAnswer{each(list, showUser), next})
	return nil
}

// alone is the list of one user, which is empty if there is no such user.
func alone(u account.User, err error) ([]account.User, error) {
	if errors.Is(err, account.ErrNotFound) {
		return nil, nil
	}
	return []account.User{u}, err
}

func (a *Admin) user(w http.ResponseWriter, r *http.Request) error {
	u, err := a.find(r)
	if err != nil {
		return err
	}
	writeTagged(w, http.StatusOK, showUser(u))
	return nil
}

// find is findUser for a request that takes no parameters.
func (a *Admin) find(r *http.Request) (account.User, error) {
	if _, err := readQuery(r); err != nil {
		return account.User{}, err
	}
	return a.findUser(r)
}

// findUser returns the user whose ID is in the path.
func (a *Admin) findUser(r *http.Request) (account.User, error) {
	if !isID(r.PathValue("id")) {
		return account.User{}, refuse(account.ErrNotFound)
	}
	u, err := a.People.ByID(r.Context(), r.PathValue("id"))
	if err != nil {
		return account.User{}, refuse(err)
	}
	return u, nil
}

type userAddRequest struct {
	Username   string   `json:"username"`
	Email      string   `json:"email"`
	ExternalID string   `json:"external_id"`
	Password   string   `json:"password"` // empty asks for one that is made here
	Roles      []string `json:"roles"`
}

// secretEntry is a user with the password that was made for them, which is shown once.
type secretEntry struct {
	userEntry

	Password string `json:"password,omitzero"`
}

// userAdd adds a user.
func (a *Admin) userAdd(w http.ResponseWriter, r *http.Request) error {
	var req userAddRequest
	if err := readBody(w, r, &req); err != nil {
		return err
	}
	if req.Username == "" {
		return endpoint.InvalidRequest("username is required", nil)
	}
	secret, err := choose(&req.Password)
	if err != nil {
		return err
	}
	n := account.NewUser{
		Name: req.Username, Email: req.Email, ExternalID: req.ExternalID, Roles: req.Roles, Password: req.Password, MustChange: secret != "",
	}
	if n.MustChange && slices.Contains(req.Roles, account.RoleAdmin) {
		n.Lifetime = account.InitialLifetime
	}
	u, err := a.People.Add(r.Context(), n, event(r))
	if err != nil {
		return refuse(err)
	}
	a.location(w, "/users/"+u.ID)
	w.Header().Set("ETag", tagOf(showUser(u)))
	endpoint.WriteJSON(w, http.StatusCreated, secretEntry{showUser(u), secret})
	return nil
}

type userEditRequest struct {
	Email      *string   `json:"email"`
	ExternalID *string   `json:"external_id"`
	Disabled   *bool     `json:"disabled"`
	Roles      *[]string `json:"roles"`
}

// userEdit changes a user. Disabling ends their sessions. Other roles and another external ID count from their next refresh
// on, or at once with ?end_sessions=true, which ends their sessions.
func (a *Admin) userEdit(w http.ResponseWriter, r *http.Request) error {
	end, err := endSessions(r)
	if err != nil {
		return err
	}
	var req userEditRequest
	if err := endpoint.ReadJSON(w, r, &req); err != nil {
		return err
	}
	if req == (userEditRequest{}) {
		return errNothing
	}
	seen, err := a.findUser(r)
	if err != nil {
		return err
	}
	e := account.UserEdit{Seen: &seen, Email: req.Email, ExternalID: req.ExternalID, Disabled: req.Disabled, Roles: req.Roles, End: end}
	whatever, err := checkMatch(r, showUser(seen))
	if err != nil {
		return err
	}
	if whatever {
		e.Seen = nil
	}
	u, cutoff, err := a.People.Edit(r.Context(), seen.ID, e, event(r))
	if err != nil {
		return refuse(conflict(err))
	}
	if cutoff.Kind != "" {
		a.Issuer.Apply(cutoff)
	}
	writeTagged(w, http.StatusOK, showUser(u))
	return nil
}

// userDelete removes a user and ends their sessions.
func (a *Admin) userDelete(w http.ResponseWriter, r *http.Request) error {
	u, err := a.find(r)
	if err != nil {
		return err
	}
	cutoff, err := a.People.Delete(r.Context(), u.ID, event(r))
	if err != nil {
		return refuse(err)
	}
	a.Issuer.Apply(cutoff)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type passwordRequest struct {
	Password string `json:"password"` // empty asks for one that is made here
}

// userPassword sets a user's password and ends their sessions.
func (a *Admin) userPassword(w http.ResponseWriter, r *http.Request) error {
	var req passwordRequest
	if err := readOptionalBody(w, r, &req); err != nil {
		return err
	}
	u, err := a.findUser(r)
	if err != nil {
		return err
	}
	secret, err := choose(&req.Password)
	if err != nil {
		return err
	}
	cutoff, err := a.People.SetPassword(r.Context(), u.ID, req.Password, secret != "", event(r))
	if err != nil {
		return refuse(err)
	}
	a.Issuer.Apply(cutoff)
	if u, err = a.People.ByID(afterCommit(r), u.ID); err != nil {
		return refuse(err)
	}
	endpoint.WriteJSON(w, http.StatusOK, secretEntry{showUser(u), secret})
	return nil
}

// choose makes a password if none is given, and returns it. It will have been shown on a screen, so that an admin's
// works for one day only, and for nothing but its change.
func choose(given *string) (made string, err error) {
	if len(*given) > password.MaxBytes {
		return "", password.ErrTooLong
	}
	if *given != "" {
		return "", nil
	}
	*given = password.Generate()
	return *given, nil
}

type resetRequest struct {
	Lifetime *int `json:"expires_in"` // seconds
}

type resetAnswer struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
}

// userReset makes the token of a link with which the user sets a password, once.
func (a *Admin) userReset(w http.ResponseWriter, r *http.Request) error {
	var req resetRequest
	if err := readOptionalBody(w, r, &req); err != nil {
		return err
	}
	lifetime := account.ResetLifetime
	if req.Lifetime != nil {
		if *req.Lifetime < 60 || *req.Lifetime > int(account.MaxResetLifetime/time.Second) {
			return endpoint.InvalidRequest("expires_in must be 60 to 604800 seconds", nil)
		}
		lifetime = time.Duration(*req.Lifetime) * time.Second
	}
	u, err := a.findUser(r)
	if err != nil {
		return err
	}
	token, expires, err := a.People.StartReset(r.Context(), u.ID, lifetime, event(r))
	if err != nil {
		return refuse(err)
	}
	endpoint.WriteJSON(w, http.StatusOK, resetAnswer{token, expires})
	return nil
}

// userSessionsEnd ends every session of a user, and every login that has begun.
func (a *Admin) userSessionsEnd(w http.ResponseWriter, r *http.Request) error {
	u, err := a.find(r)
	if err != nil {
		return err
	}
	ev := event(r)
	ev.Reason = "admin"
	if err := a.Issuer.RevokeSubject(r.Context(), u.ID, ev); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
