package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/doorward/doorward/jwt"
)

const (
	issuerURL = "https://id.example.com"
	audience  = "https://api.example.com"
	keyID     = "2026-11"
	typ       = "at+jwt"
)

// claims is what a service wants of a token, and what an issuer puts into it.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	ExpiresAt int64    `json:"exp"`
	ID        string   `json:"jti"`
	SessionID string   `json:"sid"`
	Scope     string   `json:"scope"`
	Roles     []string `json:"roles"`
}

// extra are the claims that are not in the registry of RFC 7519, as libraries want them beside their own struct.
type extra struct {
	SessionID string   `json:"sid"`
	Scope     string   `json:"scope"`
	Roles     []string `json:"roles"`
}

func newClaims() claims {
	now := time.Now().Unix()
	return claims{
		Issuer: issuerURL, Subject: "01963fd2b2c87e5d9fd42e0a3f1f7d44", Audience: audience,
		IssuedAt: now, NotBefore: now, ExpiresAt: now + 12*3600,
		ID: "3VQYH5ZV2L5N6NQWJ7", SessionID: "01963fd2-b2c8-7e5d-9fd4-2e0a3f1f7d44",
		Scope: "orders:read orders:write", Roles: []string{"admin", "staff", "ops"},
	}
}

// keys are one algorithm's: private and public are of the standard library, a []byte for HMAC.
type keys struct {
	alg     jwt.Algorithm
	private any
	public  any
	own     *jwt.Key // the private key as Doorward has it
	token   string
}

var algorithms = []jwt.Algorithm{jwt.HS256, jwt.ES256, jwt.EdDSA, jwt.RS256}

// field is what all rows share: the keys, and one token of each.
type field struct{ keys map[jwt.Algorithm]*keys }

// newField makes keys and tokens of some algorithms.
func newField(algorithms ...jwt.Algorithm) (*field, error) {
	f := &field{keys: make(map[jwt.Algorithm]*keys)}
	for _, alg := range algorithms {
		private, err := newPrivate(alg)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", alg, err)
		}
		k := &keys{alg: alg, private: private, public: private}
		if signer, ok := private.(crypto.Signer); ok {
			k.public = signer.Public()
		}
		if k.own, err = jwt.NewKey(alg, private); err != nil {
			return nil, err
		}
		if k.own, err = k.own.WithID(keyID); err != nil {
			return nil, err
		}
		if k.token, err = k.sign(newClaims()); err != nil {
			return nil, err
		}
		f.keys[alg] = k
	}
	return f, nil
}

func newPrivate(alg jwt.Algorithm) (any, error) {
	switch alg {
	case jwt.HS256:
		secret := make([]byte, 32)
		_, err := rand.Read(secret)
		return secret, err
	case jwt.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jwt.EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case jwt.RS256:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, errors.ErrUnsupported
}

// sign makes a token of claims.
func (k *keys) sign(c claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return jwt.Sign(k.own, typ, json.RawMessage(payload))
}
