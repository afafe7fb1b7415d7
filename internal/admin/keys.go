package admin

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

// keyEntry is what is shown of a key: nothing of it.
type keyEntry struct {
	ID        string    `json:"kid"`
	Purpose   string    `json:"purpose"`
	Algorithm string    `json:"algorithm"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	UseFrom   time.Time `json:"use_from"`
	// KeepUntil is left out while the key makes tokens, or will.
	KeepUntil time.Time `json:"keep_until,omitzero"`
}

func showKey(k issuer.KeyInfo) keyEntry {
	return keyEntry{
		ID: k.ID, Purpose: k.Purpose, Algorithm: string(k.Algorithm), State: string(k.State),
		CreatedAt: k.CreatedAt, UseFrom: k.UseFrom, KeepUntil: k.KeepUntil,
	}
}

type keysAnswer struct {
	Keys []keyEntry `json:"keys"`
}

// keys lists all keys, those that begin last first. There are few, so there are no pages.
func (a *Admin) keys(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	list, err := a.Issuer.KeyList(r.Context())
	if err != nil {
		return err
	}
	endpoint.WriteJSON(w, http.StatusOK, keysAnswer{each(list, showKey)})
	return nil
}

func (a *Admin) key(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	k, err := a.findKey(r.Context(), r.PathValue("kid"))
	if err != nil {
		return err
	}
	endpoint.WriteJSON(w, http.StatusOK, showKey(k))
	return nil
}

func (a *Admin) findKey(ctx context.Context, kid string) (issuer.KeyInfo, error) {
	list, err := a.Issuer.KeyList(ctx)
	if err != nil {
		return issuer.KeyInfo{}, err
	}
	at := slices.IndexFunc(list, func(k issuer.KeyInfo) bool { return k.ID == kid })
	if at < 0 {
		return issuer.KeyInfo{}, endpoint.ErrNotFound
	}
	return list[at], nil
}

// keyRotate publishes a new signing key, or answers with the one that waits for its turn already.
func (a *Admin) keyRotate(w http.ResponseWriter, r *http.Request) error {
	if err := readOptionalBody(w, r, &struct{}{}); err != nil {
		return err
	}
	kid, err := a.Issuer.RotateKey(r.Context(), event(r))
	if err != nil {
		return err
	}
	k, err := a.findKey(afterCommit(r), kid)
	if err != nil {
		return err
	}
	a.location(w, "/keys/"+kid)
	endpoint.WriteJSON(w, http.StatusCreated, showKey(k))
	return nil
}

// keyRevoke is for a key that was stolen: all that it has made is refused from now on.
func (a *Admin) keyRevoke(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	k, err := a.findKey(r.Context(), r.PathValue("kid"))
	if err != nil {
		return err
	}
	if err := a.Issuer.RevokeKey(r.Context(), k.ID, event(r)); err != nil {
		return refuse(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
