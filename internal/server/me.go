package server

import (
	"errors"
	"net/http"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

const mePath = "/me"

func (s *Server) meRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: mePath, Access: endpoint.AccessAny, Handle: s.me}
}

// meAnswer is who the caller is, as their token has it.
type meAnswer struct {
	Subject   string    `json:"subject"`
	Username  string    `json:"username,omitzero"`
	Roles     []string  `json:"roles"`
	Scope     string    `json:"scope"`
	Session   string    `json:"session"`
	ClientID  string    `json:"client_id"`
	Audience  []string  `json:"audience"`
	AuthTime  time.Time `json:"auth_time,omitzero"`
	ExpiresAt time.Time `json:"expires_at"`
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
	endpoint.WriteJSON(w, http.StatusOK, meAnswer{
		Subject: claims.Subject, Username: name,
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
