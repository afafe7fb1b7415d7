package admin

import (
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
)

// clientEntry is what is shown of a client.
type clientEntry struct {
	ID        string    `json:"client_id"`
	Name      string    `json:"name"`
	Scope     string    `json:"scope"`
	Audiences []string  `json:"audiences"`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
}

func showClient(c account.Client) clientEntry {
	return clientEntry{
		ID: c.ID, Name: c.Name, Scope: c.Scope.String(), Audiences: c.Audiences, Disabled: c.Disabled, CreatedAt: c.CreatedAt,
	}
}

type clientsAnswer struct {
	Clients []clientEntry `json:"clients"`
	Next    string        `json:"next,omitzero"`
}

// clients lists the programs with a credential of their own, by name.
func (a *Admin) clients(w http.ResponseWriter, r *http.Request) error {
	p, err := readPage(r)
	if err != nil {
		return err
	}
	list, err := a.Clients.List(r.Context(), account.Query{After: p.after, Limit: p.limit + 1})
	if err != nil {
		return err
	}
	list, next := cut(p, list, func(c account.Client) string { return c.Name })
	endpoint.WriteJSON(w, http.StatusOK, clientsAnswer{each(list, showClient), next})
	return nil
}

func (a *Admin) client(w http.ResponseWriter, r *http.Request) error {
	c, err := a.findClient(r)
	if err != nil {
		return err
	}
	writeTagged(w, http.StatusOK, showClient(c))
	return nil
}

// findClient returns the client whose ID is in the path. Its name will not do.
func (a *Admin) findClient(r *http.Request) (account.Client, error) {
	if _, err := readQuery(r); err != nil {
		return account.Client{}, err
	}
	if !isClientID(r.PathValue("id")) {
		return account.Client{}, refuse(account.ErrNoClient)
	}
	c, err := a.Clients.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		return account.Client{}, refuse(err)
	}
	return c, nil
}

type clientAddRequest struct {
	Name      string   `json:"name"`
	Scope     string   `json:"scope"`
	Audiences []string `json:"audiences"`
}

// credentialEntry is a client with its secret, which is shown once.
type credentialEntry struct {
	clientEntry

	Secret string `json:"client_secret"`
}

// clientAdd adds a client.
func (a *Admin) clientAdd(w http.ResponseWriter, r *http.Request) error {
	var req clientAddRequest
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
	c, secret, err := a.Clients.Add(r.Context(), account.NewClient{Name: req.Name, Scope: scope, Audiences: req.Audiences}, event(r))
	if err != nil {
		return refuse(err)
	}
	a.location(w, "/clients/"+c.ID)
	w.Header().Set("ETag", tagOf(showClient(c)))
	endpoint.WriteJSON(w, http.StatusCreated, credentialEntry{showClient(c), secret})
	return nil
}

type clientEditRequest struct {
	Disabled  *bool     `json:"disabled"`
	Scope     *string   `json:"scope"`
	Audiences *[]string `json:"audiences"`
}

// clientEdit changes a client. A client that is disabled is refused at every node, and its tokens end.
func (a *Admin) clientEdit(w http.ResponseWriter, r *http.Request) error {
	var req clientEditRequest
	if err := readBody(w, r, &req); err != nil {
		return err
	}
	if req == (clientEditRequest{}) {
		return errNothing
	}
	seen, err := a.findClient(r)
	if err != nil {
		return err
	}
	e := account.ClientEdit{Seen: &seen, Disabled: req.Disabled, Audiences: req.Audiences}
	if req.Scope != nil {
		scope, err := words(*req.Scope)
		if err != nil {
			return err
		}
		e.Scope = &scope
	}
	whatever, err := checkMatch(r, showClient(seen))
	if err != nil {
		return err
	}
	if whatever {
		e.Seen = nil
	}
	c, cutoffs, err := a.Clients.Edit(r.Context(), seen.ID, e, event(r))
	if err != nil {
		return refuse(conflict(err))
	}
	a.Issuer.Apply(cutoffs...)
	writeTagged(w, http.StatusOK, showClient(c))
	return nil
}

// clientDelete removes a client for good and ends its tokens.
func (a *Admin) clientDelete(w http.ResponseWriter, r *http.Request) error {
	c, err := a.findClient(r)
	if err != nil {
		return err
	}
	cutoffs, err := a.Clients.Remove(r.Context(), c.ID, event(r))
	if err != nil {
		return refuse(err)
	}
	a.Issuer.Apply(cutoffs...)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
