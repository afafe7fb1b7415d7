package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

// login answers POST /login with the tokens of a new session.
func (a *app) login(w http.ResponseWriter, r *http.Request) error {
	tokens, err := a.logIn(w, r)
	if err != nil {
		return err
	}
	return a.writeTokens(w, tokens)
}

// logIn reads the name and the password from the body, and makes a session if they are right.
func (a *app) logIn(w http.ResponseWriter, r *http.Request) (issuer.TokenSet, error) {
	var req struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return issuer.TokenSet{}, err
	}
	if req.Username == "" || req.Password == "" {
		return issuer.TokenSet{}, errFields
	}
	if !a.throttle.reserve(req.Username) {
		return issuer.TokenSet{}, errThrottled
	}
	attempt, err := a.authenticate(r.Context(), req.Username, req.Password)
	if err != nil {
		return issuer.TokenSet{}, err
	}
	a.throttle.clear(req.Username)
	return a.issuer.Login(r.Context(), attempt, issuer.LoginRequest{Event: eventOf(r)})
}

// authenticate checks a password. The login begins before the hash is read, so that it
// comes to nothing if the password is changed meanwhile. An unknown name costs as
// much time as a wrong password, and both have one answer.
func (a *app) authenticate(ctx context.Context, name, text string) (issuer.Attempt, error) {
	u, err := a.users.byName(ctx, name)
	if errors.Is(err, issuer.ErrNotFound) {
		return issuer.Attempt{}, a.hasher.VerifyNothing(ctx, text)
	}
	if err != nil {
		return issuer.Attempt{}, err
	}
	attempt, err := a.issuer.Begin(ctx, u.id)
	if err != nil {
		return issuer.Attempt{}, err
	}
	hash, err := a.users.hash(ctx, u.id)
	if err != nil {
		return issuer.Attempt{}, err
	}
	weak, err := a.hasher.Verify(ctx, hash, text)
	if err == nil && weak {
		err = a.rehash(ctx, u.id, hash, text)
	}
	return attempt, err
}

// rehash replaces a hash that was made with less effort than is usual today.
func (a *app) rehash(ctx context.Context, id, old, text string) error {
	hash, err := a.hasher.Hash(ctx, text)
	if errors.Is(err, password.ErrBusy) {
		return nil // The next login will do.
	}
	if err != nil {
		return err
	}
	return a.users.replaceHash(ctx, id, old, hash)
}
