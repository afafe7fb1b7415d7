package admin

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/jwt"
)

// keyEntry is what is shown of a key. No key material is in it.
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

// purposeAudit is that of the keys that seal the audit record.
const purposeAudit = "audit"

// showAuditKeys shows the keys of the audit record, the newest first. Only the newest seals.
func showAuditKeys(stored []audit.StoredKey) []keyEntry {
	shown, state := make([]keyEntry, 0, len(stored)), issuer.KeyCurrent
	for _, k := range slices.Backward(stored) {
		shown = append(shown, keyEntry{
			ID: k.ID, Purpose: purposeAudit, Algorithm: string(jwt.HS256), State: string(state), CreatedAt: k.CreatedAt, UseFrom: k.CreatedAt,
		})
		state = issuer.KeyVerifying
	}
	return shown
}

// keys lists all keys, those that begin last first, and then those of the audit record. There are few, so there
// are no pages.
func (a *Admin) keys(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	list, err := a.keyList(r.Context())
	if err != nil {
		return err
	}
	endpoint.WriteJSON(w, http.StatusOK, keysAnswer{list})
	return nil
}

func (a *Admin) keyList(ctx context.Context) ([]keyEntry, error) {
	list, err := a.Issuer.KeyList(ctx)
	if err != nil {
		return nil, err
	}
	stored, err := a.Audit.AuditKeys(ctx)
	return append(each(list, showKey), showAuditKeys(stored)...), err
}

func (a *Admin) key(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	k, err := a.findKey(r.Context(), r.PathValue("kid"))
	if err != nil {
		return err
	}
	endpoint.WriteJSON(w, http.StatusOK, k)
	return nil
}

func (a *Admin) findKey(ctx context.Context, kid string) (keyEntry, error) {
	list, err := a.keyList(ctx)
	if err != nil {
		return keyEntry{}, err
	}
	at := slices.IndexFunc(list, func(k keyEntry) bool { return k.ID == kid })
	if at < 0 {
		return keyEntry{}, refuse(issuer.ErrNotFound)
	}
	return list[at], nil
}

type keyRotateRequest struct {
	Purpose string `json:"purpose"` // empty is sign
}

// keyRotate publishes a new signing key, or answers with the one that was published before and is not in use yet. A new
// key of the audit record seals from now on.
func (a *Admin) keyRotate(w http.ResponseWriter, r *http.Request) error {
	var req keyRotateRequest
	if err := readOptionalBody(w, r, &req); err != nil {
		return err
	}
	kid, err := a.rotate(r, req.Purpose)
	if err != nil {
		return err
	}
	k, err := a.findKey(afterCommit(r), kid)
	if err != nil {
		return err
	}
	a.location(w, "/keys/"+kid)
	endpoint.WriteJSON(w, http.StatusCreated, k)
	return nil
}

func (a *Admin) rotate(r *http.Request, purpose string) (kid string, err error) {
	switch purpose {
	case "", issuer.PurposeSign:
		return a.Issuer.RotateKey(r.Context(), event(r))
	case purposeAudit:
		sealer, err := audit.NewSealer(audit.Config{Store: a.Audit, MasterKey: a.MasterKey})
		if err != nil {
			return "", err
		}
		return sealer.Rotate(r.Context(), event(r))
	}
	return "", endpoint.InvalidRequest("purpose must be sign or audit, or left out", nil)
}

var errAuditKey = &endpoint.Failure{
	Status: http.StatusConflict, Code: "conflict", Description: "a key of the audit record stays as long as what it has sealed; make another one",
}

// keyRevoke revokes a key that was stolen. Every token that it has made is refused from now on.
func (a *Admin) keyRevoke(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	k, err := a.findKey(r.Context(), r.PathValue("kid"))
	if err != nil {
		return err
	}
	if k.Purpose == purposeAudit {
		return errAuditKey
	}
	if err := a.Issuer.RevokeKey(r.Context(), k.ID, event(r)); err != nil {
		return refuse(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
