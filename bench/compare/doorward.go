package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// verifier is ours, with a set of revocations that is not empty, as a service has it.
func verifier(k *keys, cacheSize int) (*doorward.Verifier, error) {
	public := k.own
	if !k.alg.Symmetric() {
		var err error
		if public, err = k.own.Public(); err != nil {
			return nil, err
		}
	}
	set, err := jwt.NewSet(public)
	if err != nil {
		return nil, err
	}
	revocations := doorward.NewRevocationSet(time.Hour)
	revocations.Add(doorward.Revocation{Kind: doorward.KindSession, ID: "01963fd2-0000-7000-8000-000000000000"})
	revocations.Confirm(time.Now())
	return doorward.NewVerifier(doorward.Config{
		Issuer: issuerURL, Audience: audience, Keys: set, Revocations: revocations, CacheSize: cacheSize,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

func doorwardVerify(k *keys, cacheSize int) (verify, error) {
	v, err := verifier(k, cacheSize)
	if err != nil {
		return nil, err
	}
	return func(token string) error {
		_, err := v.Verify(context.Background(), token)
		return err
	}, nil
}

func doorwardCold(k *keys) (verify, error)   { return doorwardVerify(k, -1) }
func doorwardCached(k *keys) (verify, error) { return doorwardVerify(k, 0) }

func doorwardSign(k *keys) (sign, error) {
	return func(c *claims) (string, error) { return jwt.Sign(k.own, typ, c) }, nil
}

func doorwardMiddleware(cacheSize int) func(*keys) (http.Handler, error) {
	return func(k *keys) (http.Handler, error) {
		v, err := verifier(k, cacheSize)
		if err != nil {
			return nil, err
		}
		return v.Require()(http.HandlerFunc(hello)), nil
	}
}
