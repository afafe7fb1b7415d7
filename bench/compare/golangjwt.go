package main

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// golangClaims is "parse with custom claims" of the documentation.
type golangClaims struct {
	jwt.RegisteredClaims
	extra
}

// golangVerify has the options that the documentation names for a pinned algorithm, issuer, audience and expiry.
func golangVerify(k *keys) (verify, error) {
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{string(k.alg)}), jwt.WithIssuer(issuerURL), jwt.WithAudience(audience), jwt.WithExpirationRequired(),
	)
	find := func(*jwt.Token) (any, error) { return k.public, nil }
	return func(token string) error {
		t, err := parser.ParseWithClaims(token, &golangClaims{}, find)
		if err != nil {
			return err
		}
		if c, ok := t.Claims.(*golangClaims); !ok || c.SessionID == "" {
			return errors.New("claims of another type")
		}
		return nil
	}, nil
}

func golangSign(k *keys) (sign, error) {
	method := jwt.GetSigningMethod(string(k.alg))
	return func(c *claims) (string, error) {
		t := jwt.NewWithClaims(method, golangClaims{
			RegisteredClaims: jwt.RegisteredClaims{
				Issuer: c.Issuer, Subject: c.Subject, Audience: jwt.ClaimStrings{c.Audience}, ID: c.ID,
				IssuedAt: numeric(c.IssuedAt), NotBefore: numeric(c.NotBefore), ExpiresAt: numeric(c.ExpiresAt),
			},
			extra: extra{c.SessionID, c.Scope, c.Roles},
		})
		t.Header["kid"], t.Header["typ"] = keyID, typ
		return t.SignedString(k.private)
	}, nil
}

func numeric(unix int64) *jwt.NumericDate { return jwt.NewNumericDate(time.Unix(unix, 0)) }
