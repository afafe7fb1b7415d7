package admin

import (
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/endpoint"
)

// apiKeyEntry is an API key as its owner sees it, and whose it is.
type apiKeyEntry struct {
	apikey.Entry

	Owner string `json:"owner"`
}

func showAPIKey(k account.APIKey) apiKeyEntry { return apiKeyEntry{apikey.EntryOf(k), k.Owner} }

type apiKeysAnswer struct {
	Keys []apiKeyEntry `json:"api_keys"`
	Next string        `json:"next,omitzero"`
}

// apiKeys lists API keys by ID: everybody's or an owner's, also those that work no more.
func (a *Admin) apiKeys(w http.ResponseWriter, r *http.Request) error {
	p, err := readPage(r, "owner")
	if err != nil {
		return err
	}
	owner, filtered := p.filters["owner"]
	if filtered && !isOwner(owner) {
		return errOwner
	}
	if p.after != "" && !account.IsAPIKeyID(p.after) {
		return errCursor
	}
	list, err := a.APIKeys.List(r.Context(), account.APIKeyQuery{Owner: owner, After: p.after, Limit: p.limit + 1})
	if err != nil {
		return err
	}
	list, next := cut(p, list, func(k account.APIKey) string { return k.ID })
	endpoint.WriteJSON(w, http.StatusOK, apiKeysAnswer{each(list, showAPIKey), next})
	return nil
}

func (a *Admin) apiKey(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	if !account.IsAPIKeyID(r.PathValue("id")) {
		return refuse(account.ErrNoAPIKey)
	}
	k, err := a.APIKeys.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		return refuse(err)
	}
	endpoint.WriteJSON(w, http.StatusOK, showAPIKey(k))
	return nil
}

type apiKeyAddRequest struct {
	Owner      string   `json:"owner"`
	Name       string   `json:"name"`
	Scope      string   `json:"scope"`
	Everything bool     `json:"everything"`
	Audiences  []string `json:"audiences"`
	Lifetime   *int     `json:"expires_in"` // seconds
}

var errOwner = endpoint.InvalidRequest("owner must be the id of a user, u_ and more, or of a client, dwc_ and more; a name is none", nil)

func isOwner(text string) bool { return isUserID(text) || isClientID(text) }

// newAPIKey checks what is asked for. A key that never expires cannot be had here, only at the command line.
func (req apiKeyAddRequest) newAPIKey() (n account.NewAPIKey, err error) {
	if !isOwner(req.Owner) {
		return n, errOwner
	}
	n = account.NewAPIKey{Owner: req.Owner, Name: req.Name, Everything: req.Everything, Audiences: req.Audiences}
	if n.Scope, err = words(req.Scope); err != nil || req.Lifetime == nil {
		return n, err
	}
	if *req.Lifetime < 60 || *req.Lifetime > int(account.MaxAPIKeyLifetime/time.Second) {
		return n, account.ErrAPIKeyLifetime
	}
	n.Lifetime = time.Duration(*req.Lifetime) * time.Second
	return n, nil
}

// apiKeyAdd makes an API key for a user or a client. It can do no more than its owner.
func (a *Admin) apiKeyAdd(w http.ResponseWriter, r *http.Request) error {
	var req apiKeyAddRequest
	if err := readBody(w, r, &req); err != nil {
		return err
	}
	n, err := req.newAPIKey()
	if err != nil {
		return refuse(err)
	}
	k, text, err := a.APIKeys.Add(r.Context(), n, event(r))
	if err != nil {
		return refuse(err)
	}
	a.location(w, "/api-keys/"+k.ID)
	entry := showAPIKey(k)
	entry.Key = text
	endpoint.WriteJSON(w, http.StatusCreated, entry)
	return nil
}

// apiKeyRevoke ends a key, whoever it belongs to, and every token made from it. Doing it again changes nothing.
func (a *Admin) apiKeyRevoke(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	if !account.IsAPIKeyID(r.PathValue("id")) {
		return refuse(account.ErrNoAPIKey)
	}
	cutoff, err := a.APIKeys.Revoke(r.Context(), r.PathValue("id"), "", event(r))
	if err != nil {
		return refuse(err)
	}
	if cutoff.Kind != "" {
		a.Issuer.Apply(cutoff)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// userAPIKeysEnd ends every API key of a user.
func (a *Admin) userAPIKeysEnd(w http.ResponseWriter, r *http.Request) error {
	u, err := a.find(r)
	if err != nil {
		return err
	}
	return a.apiKeysEnd(w, r, u.ID)
}

// clientAPIKeysEnd ends every API key of a client. Tokens that were granted for its secret live on.
func (a *Admin) clientAPIKeysEnd(w http.ResponseWriter, r *http.Request) error {
	c, err := a.findClient(r)
	if err != nil {
		return err
	}
	return a.apiKeysEnd(w, r, c.ID)
}

func (a *Admin) apiKeysEnd(w http.ResponseWriter, r *http.Request, owner string) error {
	cutoffs, err := a.APIKeys.RevokeAll(r.Context(), owner, event(r))
	if err != nil {
		return refuse(err)
	}
	a.Issuer.Apply(cutoffs...)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
