package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

const mePath = "/me"

func (s *Server) meRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: mePath, Access: endpoint.AccessAny, Handle: s.me}
}

// meAnswer is who the caller is, as their token has it.
type meAnswer struct {
	Subject    string    `json:"subject"`
	Username   string    `json:"username,omitzero"`
	Email      string    `json:"email,omitzero"`
	ExternalID string    `json:"external_id,omitzero"`
	Roles      []string  `json:"roles"`
	Scope      string    `json:"scope"`
	Session    string    `json:"session"`
	ClientID   string    `json:"client_id"`
	Audience   []string  `json:"audience"`
	AuthTime   time.Time `json:"auth_time,omitzero"`
	ExpiresAt  time.Time `json:"expires_at"`
	// MustChange says that the initial password must be changed before the
	// roles that the user has count.
	MustChange bool `json:"password_change_required,omitzero"`
}

func (s *Server) me(w http.ResponseWriter, r *http.Request) error {
	claims := endpoint.Claims(r)
	name, err := s.username(r, claims)
	if err != nil {
		return err
	}
	var externalID string
	if _, err := claims.Extra(account.ClaimExternalID, &externalID); err != nil {
		return err
	}
	endpoint.WriteJSON(w, http.StatusOK, meAnswer{
		Subject: claims.Subject, Username: name, Email: s.email(r, claims), ExternalID: externalID,
		Roles: claims.Roles, Scope: claims.Scope.String(),
		Session: claims.SessionID, ClientID: claims.ClientID, Audience: claims.Audience,
		AuthTime: claims.AuthTime, ExpiresAt: claims.ExpiresAt,
		MustChange: mustChange(claims),
	})
	return nil
}

// username is the name in the token or, where tokens carry none, the store's.
func (s *Server) username(r *http.Request, claims *doorward.Claims) (string, error) {
	var name string
	if found, err := claims.Extra("preferred_username", &name); found && err == nil {
		return name, nil
	}
	subject, err := s.cfg.People.Subject(r.Context(), claims.Subject)
	if errors.Is(err, issuer.ErrNotFound) {
		return "", nil
	}
	return subject.Name, err
}

// emailWait is how long an answer waits for the store, if it needs only the address from there.
const emailWait = time.Second

// email is the user's address. It is for users who have logged in and have a token for this server itself: a
// service that a token was sent to, or a script with an API key, learns no more of the user than the token
// says. While the store does not answer, the address is left out and the rest of the answer is given.
func (s *Server) email(r *http.Request, claims *doorward.Claims) string {
	if !slices.Contains(claims.Audience, s.cfg.Issuer.URL()) || claims.AuthTime.IsZero() {
		return ""
	}
	ctx, cancel := context.WithTimeout(r.Context(), emailWait)
	defer cancel()
	user, err := s.cfg.People.ByID(ctx, claims.Subject)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		s.log.LogAttrs(r.Context(), slog.LevelWarn, "the e-mail address was not read",
			slog.String("request_id", doorward.RequestID(r.Context())), slog.String("reason", capped(err.Error())))
	}
	return user.Email
}
