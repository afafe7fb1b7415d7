package main

import (
	"errors"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

type joseClaims struct {
	jwt.Claims
	extra
}

// joseVerify asks for exp itself, since Validate does not.
func joseVerify(k *keys) (verify, error) {
	accepted := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.alg)}
	expected := jwt.Expected{Issuer: issuerURL, AnyAudience: jwt.Audience{audience}}
	return func(token string) error {
		t, err := jwt.ParseSigned(token, accepted)
		if err != nil {
			return err
		}
		var c joseClaims
		if err := t.Claims(k.public, &c); err != nil {
			return err
		}
		if c.Expiry == nil || c.SessionID == "" {
			return errors.New("a claim is missing")
		}
		return c.ValidateWithLeeway(expected, 0)
	}, nil
}

func joseSign(k *keys) (sign, error) {
	options := (&jose.SignerOptions{}).WithType(typ).WithHeader("kid", keyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.alg), Key: k.private}, options)
	if err != nil {
		return nil, err
	}
	return func(c *claims) (string, error) {
		return jwt.Signed(signer).Claims(c).Serialize()
	}, nil
}
