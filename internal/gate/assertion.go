package gate

import (
	"crypto/rand"
	"time"
)

// assertion is what the upstream can verify instead of trusting headers: signed by a
// key of its own, for this upstream alone, for a minute. No endpoint of Doorward's
// accepts it, since its type is none of theirs.
type assertion struct {
	Issuer     string   `json:"iss"`
	Subject    string   `json:"sub"`
	Audience   string   `json:"aud"`
	IssuedAt   int64    `json:"iat"`
	ExpiresAt  int64    `json:"exp"`
	ID         string   `json:"jti"`
	ClientID   string   `json:"client_id,omitzero"`
	Session    string   `json:"sid,omitzero"`
	AuthTime   int64    `json:"auth_time,omitzero"`
	Scope      string   `json:"scope,omitzero"`
	Roles      []string `json:"roles,omitzero"`
	Username   string   `json:"preferred_username,omitzero"`
	ExternalID string   `json:"external_id,omitzero"`
}

func (i *identities) assertionClaims(c caller, now time.Time) assertion {
	a := assertion{
		Issuer: c.Issuer, Subject: c.Subject, Audience: i.audience,
		IssuedAt: begun(now), ExpiresAt: begun(now) + int64(assertionLifetime/time.Second), ID: rand.Text(),
		ClientID: c.ClientID, Session: c.SessionID,
		Scope: c.Scope.String(), Roles: c.Roles, Username: c.username, ExternalID: c.externalID,
	}
	if !c.AuthTime.IsZero() {
		a.AuthTime = c.AuthTime.Unix()
	}
	return a
}

// begun is when a token made at now begins: a moment earlier, for upstreams whose clocks are slow.
func begun(now time.Time) int64 { return now.Add(-5 * time.Second).Unix() }
