package apikey

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

// self serves the endpoints at which people manage their own keys.
type self struct {
	keys   *account.APIKeys
	people *account.People
	issuer *issuer.Issuer
	prefix string
}

// Routes are the endpoints at which people list, add and revoke their own keys. A login is
// needed: a key alone cannot use them. prefix is the server's, for Location.
func Routes(keys *account.APIKeys, people *account.People, iss *issuer.Issuer, prefix string) []endpoint.Route {
	s := self{keys, people, iss, prefix}
	return []endpoint.Route{
		{Method: http.MethodGet, Path: "/keys/{id}", Access: endpoint.AccessPerson, Handle: s.show},
		{Method: http.MethodGet, Path: "/keys", Access: endpoint.AccessPerson, Handle: s.list},
		{Method: http.MethodPost, Path: "/keys", Access: endpoint.AccessRecent, Handle: s.add},
		{Method: http.MethodDelete, Path: "/keys/{id}", Access: endpoint.AccessPerson, Handle: s.revoke},
	}
}

// Entry is what is shown of a key to its owner.
type Entry struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scope      string     `json:"scope"`
	Everything bool       `json:"everything"`
	Audiences  []string   `json:"audiences"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"` // null: never
	// LastUsed is as exact as account.ShownUse; null: not yet.
	LastUsed  *time.Time `json:"last_used"`
	RevokedAt *time.Time `json:"revoked_at"` // null: not revoked
	// Key is its text, in the answer that makes it and in no other.
	Key string `json:"key,omitzero"`
}

// list lists the caller's keys, newest first. There are so few that one answer holds them all.
func (s self) list(w http.ResponseWriter, r *http.Request) error {
	list, err := s.keys.List(r.Context(), account.APIKeyQuery{Owner: endpoint.Claims(r).Subject, Limit: 2 * account.MaxAPIKeys})
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b account.APIKey) int { return b.CreatedAt.Compare(a.CreatedAt) })
	entries := make([]Entry, len(list))
	for i, key := range list {
		entries[i] = EntryOf(key)
	}
	endpoint.WriteJSON(w, http.StatusOK, struct {
		Keys []Entry `json:"keys"`
	}{entries})
	return nil
}

var errNoKey = endpoint.NotFound("you have no such API key")

// show shows one key of the caller's. A key of somebody else is answered as one that does not exist.
func (s self) show(w http.ResponseWriter, r *http.Request) error {
	key, err := s.keys.Find(r.Context(), r.PathValue("id"))
	if err == nil && key.Owner != endpoint.Claims(r).Subject {
		err = account.ErrNoAPIKey
	}
	if err != nil {
		return refused(err)
	}
	endpoint.WriteJSON(w, http.StatusOK, EntryOf(key))
	return nil
}

type addRequest struct {
	Name       string   `json:"name"`
	Scope      string   `json:"scope"`
	Everything bool     `json:"everything"`
	Audiences  []string `json:"audiences"`
	ExpiresIn  int64    `json:"expires_in"` // seconds; 0 means the default
}

// add makes a key for the caller, whose text is in this answer and nowhere else. The session is checked again after the
// body was read, since a client may be slow to send it: a key made for a session that has ended would outlive it by months.
func (s self) add(w http.ResponseWriter, r *http.Request) error {
	var req addRequest
	if err := endpoint.ReadJSON(w, r, &req); err != nil {
		return err
	}
	if err := s.issuer.CatchUp(r.Context()); err != nil {
		return err
	}
	if err := endpoint.StillLive(s.issuer, endpoint.Claims(r)); err != nil {
		return err
	}
	scope, err := doorward.ParseScope(req.Scope)
	if err != nil {
		return err
	}
	if req.ExpiresIn < 0 || req.ExpiresIn > int64(account.MaxAPIKeyLifetime/time.Second) {
		return refused(account.ErrAPIKeyLifetime)
	}
	if err := s.within(r, scope, req.Everything); err != nil {
		return refused(err)
	}
	subject := endpoint.Claims(r).Subject
	key, text, err := s.keys.Add(r.Context(), account.NewAPIKey{
		Owner: subject, Name: req.Name, Scope: scope, Everything: req.Everything, Audiences: req.Audiences,
		Lifetime: time.Duration(req.ExpiresIn) * time.Second,
	}, endpoint.Event(r, subject))
	if err != nil {
		return refused(err)
	}
	entry := EntryOf(key)
	entry.Key = text
	w.Header().Set("Location", s.prefix+"/keys/"+key.ID)
	endpoint.WriteJSON(w, http.StatusCreated, entry)
	return nil
}

// within returns account.ErrAPIKeyScope for a key that could do more than the caller's token, which may
// have less scope than its user.
func (s self) within(r *http.Request, scope doorward.Scope, everything bool) (err error) {
	claims := endpoint.Claims(r)
	if everything {
		if scope, err = s.people.ScopeOf(r.Context(), claims.Subject); err != nil {
			return err
		}
	}
	for _, word := range scope {
		if !claims.Scope.Has(word) {
			return account.ErrAPIKeyScope
		}
	}
	return nil
}

// revoke ends a key of the caller's.
func (s self) revoke(w http.ResponseWriter, r *http.Request) error {
	id, subject := r.PathValue("id"), endpoint.Claims(r).Subject
	if !account.IsAPIKeyID(id) {
		return errNoKey
	}
	cut, err := s.keys.Revoke(r.Context(), id, subject, endpoint.Event(r, subject))
	if err != nil {
		return refused(err)
	}
	if cut.Kind != "" {
		s.issuer.Apply(cut)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// EntryOf returns what is shown of a key. Its text is not in it.
func EntryOf(k account.APIKey) Entry {
	return Entry{
		ID: k.ID, Name: k.Name, Scope: k.Scope.String(), Everything: k.Everything, Audiences: append([]string{}, k.Audiences...),
		CreatedAt: k.CreatedAt, ExpiresAt: orNull(k.ExpiresAt), LastUsed: orNull(account.ShownUse(k.UsedAt, k.CreatedAt)), RevokedAt: orNull(k.RevokedAt),
	}
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// refused returns what the client reads for an error of account.
func refused(err error) error {
	invalid := func(status int, code, description string) error {
		return &endpoint.Failure{Status: status, Code: code, Description: description, Cause: err}
	}
	switch {
	case errors.Is(err, account.ErrNoAPIKey):
		return errNoKey
	case errors.Is(err, account.ErrAPIKeyScope):
		return invalid(http.StatusBadRequest, "invalid_scope", "a scope was asked for that the user, or this login, does not have")
	case errors.Is(err, account.ErrAPIKeyBounds):
		return invalid(http.StatusConflict, "conflict", "there are 50 API keys already; end one first")
	case errors.Is(err, account.ErrAPIKeyName):
		return invalid(http.StatusBadRequest, "invalid_request", "name must be 1 to 64 printable characters")
	case errors.Is(err, account.ErrAPIKeyGrant):
		return invalid(http.StatusBadRequest, "invalid_request", "want at most 64 words in scope, or everything, and at most 64 audiences of printable characters without spaces")
	case errors.Is(err, account.ErrAPIKeyLifetime):
		return invalid(http.StatusBadRequest, "invalid_request", "expires_in must be 60 to 31622400 seconds, or left out")
	}
	return err
}
