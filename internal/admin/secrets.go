package admin

import (
	"net/http"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
)

// clientSecretEntry is what is shown of a client's secret. The secret is not in it.
type clientSecretEntry struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// LastUsed is as exact as account.ShownUse, and left out for a secret that was never used.
	LastUsed time.Time `json:"last_used,omitzero"`
}

type clientSecretsAnswer struct {
	Secrets []clientSecretEntry `json:"secrets"`
}

// secrets lists the secrets of a client that work. There are two at most.
func (a *Admin) secrets(w http.ResponseWriter, r *http.Request) error {
	c, err := a.findClient(r)
	if err != nil {
		return err
	}
	endpoint.WriteJSON(w, http.StatusOK, clientSecretsAnswer{each(c.Secrets, showSecret)})
	return nil
}

func showSecret(s account.ClientSecret) clientSecretEntry {
	return clientSecretEntry{ID: s.ID, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, LastUsed: account.ShownUse(s.UsedAt, s.CreatedAt)}
}

type secretAddRequest struct {
	Keep *int `json:"expire_others_in"` // seconds
}

// maxKeep is how long the other secret of a client may be kept at most.
const maxKeep = 30 * 24 * time.Hour

// secretAdd gives a client another secret. Both work, until the old one is dropped or its time is over.
func (a *Admin) secretAdd(w http.ResponseWriter, r *http.Request) error {
	var req secretAddRequest
	if err := readOptionalBody(w, r, &req); err != nil {
		return err
	}
	var keep time.Duration
	if req.Keep != nil {
		if *req.Keep < 1 || *req.Keep > int(maxKeep/time.Second) {
			return endpoint.InvalidRequest("expire_others_in must be 1 to 2592000 seconds", nil)
		}
		keep = time.Duration(*req.Keep) * time.Second
	}
	c, err := a.findClient(r)
	if err != nil {
		return err
	}
	c, secret, err := a.Clients.Rotate(r.Context(), c.ID, keep, event(r))
	if err != nil {
		return refuse(err)
	}
	a.location(w, "/clients/"+c.ID+"/secrets")
	endpoint.WriteJSON(w, http.StatusCreated, credentialEntry{showClient(c), secret})
	return nil
}

// secretDrop ends a secret of a client at once. Tokens that were granted for it live on.
func (a *Admin) secretDrop(w http.ResponseWriter, r *http.Request) error {
	c, err := a.findClient(r)
	if err != nil {
		return err
	}
	if r.PathValue("secret") == account.OldSecret { // a word for the command line alone
		return refuse(account.ErrNoSecret)
	}
	if _, err := a.Clients.DropSecret(r.Context(), c.ID, r.PathValue("secret"), event(r)); err != nil {
		return refuse(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// clientTokensEnd ends every token that a client was granted so far, those of its API keys included.
func (a *Admin) clientTokensEnd(w http.ResponseWriter, r *http.Request) error {
	c, err := a.findClient(r)
	if err != nil {
		return err
	}
	cutoffs, err := a.Clients.Revoke(r.Context(), c.ID, event(r))
	if err != nil {
		return refuse(err)
	}
	a.Issuer.Apply(cutoffs...)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
