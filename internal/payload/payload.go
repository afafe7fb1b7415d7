// Package payload is what an access token says: the claims of RFC 9068 §2.2, and those that a program adds.
package payload

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/doorward/doorward/jwt"
)

// Type is the typ of access tokens (RFC 9068 §2.1).
const Type = "at+jwt"

// reserved are the claims that only the issuer sets.
var reserved = map[string]bool{
	"iss": true, "sub": true, "aud": true, "exp": true, "nbf": true, "iat": true, "jti": true,
	"client_id": true, "sid": true, "auth_time": true, "scope": true, "roles": true,
	"preferred_username": true, "cnf": true, "act": true,
}

// checkExtra returns an error if claims that a program adds name one that only the issuer sets.
func checkExtra(claims map[string]any) error {
	for name := range claims {
		if reserved[name] {
			return fmt.Errorf("%q is set by the issuer", name)
		}
	}
	return nil
}

// EncodeExtra checks the claims that a program adds, and returns them as JSON, or nil if there are none.
func EncodeExtra(claims map[string]any) (json.RawMessage, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	if err := checkExtra(claims); err != nil {
		return nil, err
	}
	return json.Marshal(claims)
}

// Token is the issuer's own claims. A zero AuthTime, and what is empty from Scope on, is left out.
type Token struct {
	Issuer, Subject, Audience, ID string
	ClientID, SessionID           string
	IssuedAt, ExpiresAt, AuthTime time.Time
	Scope                         string
	Roles                         []string
	Username                      string
}

// Check returns an error if no token can say what t does, or if the subject's claims name one that only the issuer sets. It
// is asked before anything is written for the token, also before there is a SessionID. A signature of key is made only
// where the token is so long that its length matters.
func (t Token) Check(key *jwt.Key, session json.RawMessage, subject map[string]any) error {
	if err := checkExtra(subject); err != nil {
		return err
	}
	t.ID = cmp.Or(t.ID, "JTIJTIJTIJTIJTIJTIJTIJTIJT") // as long as that of rand.Text
	t.SessionID = cmp.Or(t.SessionID, "00000000-0000-7000-8000-000000000000")
	token, err := t.Sign(quick(), session, subject)
	if err == nil && len(token) > jwt.MaxSize/2 {
		_, err = t.Sign(key, session, subject)
	}
	return err
}

// quick returns a key whose signatures cost little and are no longer than those of an issuer's key.
var quick = sync.OnceValue(func() *jwt.Key {
	key, err := jwt.GenerateKey(jwt.HS256)
	if err != nil {
		panic(err) // only for an algorithm that is not known
	}
	return key
})

// Sign returns the access token that says t and what [Token.Claims] adds. Its errors are none of package jwt: those say
// something about a token that came, and would be answered so.
func (t Token) Sign(key *jwt.Key, session json.RawMessage, subject map[string]any) (string, error) {
	claims, err := t.Claims(session, subject)
	if err != nil {
		return "", err
	}
	token, err := jwt.Sign(key, Type, claims)
	if err != nil {
		return "", fmt.Errorf("sign access token: %s", err.Error())
	}
	return token, nil
}

// Claims returns the claims of t together with those that the program has added: to the session, as [EncodeExtra] wrote
// them, and to the subject. The subject's count before the session's, and the issuer's own before both.
func (t Token) Claims(session json.RawMessage, subject map[string]any) (map[string]any, error) {
	claims := make(map[string]any, 16)
	if len(session) > 0 {
		if err := json.Unmarshal(session, &claims); err != nil {
			return nil, err
		}
	}
	maps.Copy(claims, subject)
	maps.Copy(claims, map[string]any{
		"iss": t.Issuer, "sub": t.Subject, "aud": t.Audience,
		"iat": t.IssuedAt.Unix(), "exp": t.ExpiresAt.Unix(), "jti": t.ID,
		"client_id": t.ClientID, "sid": t.SessionID,
	})
	if !t.AuthTime.IsZero() {
		claims["auth_time"] = t.AuthTime.Unix()
	}
	if t.Scope != "" {
		claims["scope"] = t.Scope
	}
	if len(t.Roles) > 0 {
		claims["roles"] = t.Roles
	}
	if t.Username != "" {
		claims["preferred_username"] = t.Username
	}
	return claims, nil
}

// Spread varies a lifetime by ±5 %, so that tokens made together do not all expire together. How much depends on id,
// which is random already and has at least four bytes.
func Spread(ttl time.Duration, id string) time.Duration {
	const steps = 1 << 10
	step := 0
	for _, c := range []byte(id[:4]) {
		step = (step*31 + int(c)) % steps
	}
	return ttl - ttl/20 + ttl/10*time.Duration(step)/steps
}
