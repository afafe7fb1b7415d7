package main

import (
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

// jwxVerify is jwt.Parse with the checks as options, and Get for the claims that have no method.
func jwxVerify(k *keys) (verify, error) {
	alg, err := jwxAlgorithm(k)
	if err != nil {
		return nil, err
	}
	return func(token string) error {
		t, err := jwt.ParseString(token, jwt.WithKey(alg, k.public),
			jwt.WithIssuer(issuerURL), jwt.WithAudience(audience), jwt.WithRequiredClaim(jwt.ExpirationKey))
		if err != nil {
			return err
		}
		var c extra
		var roles []any
		if err := t.Get("sid", &c.SessionID); err != nil {
			return err
		}
		if err := t.Get("scope", &c.Scope); err != nil {
			return err
		}
		return t.Get("roles", &roles)
	}, nil
}

func jwxSign(k *keys) (sign, error) {
	alg, err := jwxAlgorithm(k)
	if err != nil {
		return nil, err
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.KeyIDKey, keyID); err != nil {
		return nil, err
	}
	if err := headers.Set(jws.TypeKey, typ); err != nil {
		return nil, err
	}
	return func(c *claims) (string, error) {
		t, err := jwt.NewBuilder().Issuer(c.Issuer).Subject(c.Subject).Audience([]string{c.Audience}).JwtID(c.ID).
			IssuedAt(seconds(c.IssuedAt)).NotBefore(seconds(c.NotBefore)).Expiration(seconds(c.ExpiresAt)).
			Claim("sid", c.SessionID).Claim("scope", c.Scope).Claim("roles", c.Roles).Build()
		if err != nil {
			return "", err
		}
		token, err := jwt.Sign(t, jwt.WithKey(alg, k.private, jws.WithProtectedHeaders(headers)))
		return string(token), err
	}, nil
}

func jwxAlgorithm(k *keys) (jwa.SignatureAlgorithm, error) {
	alg, ok := jwa.LookupSignatureAlgorithm(string(k.alg))
	if !ok {
		return alg, errUnknown
	}
	return alg, nil
}

func seconds(unix int64) time.Time { return time.Unix(unix, 0) }
