package main

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

// welcome answers GET /, to anyone.
func (a *app) welcome(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"message": a.dialect.welcome})
}

// protected answers GET /protected, to everyone who is logged in.
func (a *app) protected(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"message": a.dialect.secret})
}

// admin answers GET /admin, to admins.
func (a *app) admin(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"foo": "admin"})
}

// fresh answers GET /fresh, to those who gave their password in the last minutes.
func (a *app) fresh(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"foo": "fresh"})
}

// me answers GET /me with what the table says of the caller, and what the token says.
func (a *app) me(w http.ResponseWriter, r *http.Request) error {
	u, claims := userFrom(r.Context())
	role := ""
	if slices.Contains(claims.Roles, u.role) {
		role = u.role
	}
	return writeJSON(w, http.StatusOK, map[string]string{"username": u.name, "role": u.role, "claims_role": role})
}

// optional answers GET /optional, to anyone who is logged in or says nothing.
func (a *app) optional(w http.ResponseWriter, r *http.Request) error {
	name := "anonymous user"
	if u, claims := userFrom(r.Context()); claims != nil {
		name = u.name
	}
	return writeJSON(w, http.StatusOK, map[string]string{"logged_in_as": name})
}

type userKey struct{}

// known reads the caller from the table of users, and refuses the token of someone who is
// not in it any more.
func (a *app) known(next step) http.Handler {
	return a.public(func(w http.ResponseWriter, r *http.Request) error {
		claims, ok := doorward.ClaimsFrom(r.Context())
		if !ok {
			return next(w, r)
		}
		u, err := a.users.byID(r.Context(), claims.Subject)
		if errors.Is(err, issuer.ErrNotFound) {
			return issuer.ErrInactive
		}
		if err != nil {
			return err
		}
		return next(w, r.WithContext(context.WithValue(r.Context(), userKey{}, u)))
	})
}

// userFrom returns the caller. The claims are nil if nobody is logged in.
func userFrom(ctx context.Context) (user, *doorward.Claims) {
	u, _ := ctx.Value(userKey{}).(user)
	claims, _ := doorward.ClaimsFrom(ctx)
	return u, claims
}
