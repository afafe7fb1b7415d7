package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

// activeAnswer is the answer about a token (RFC 7662 §2.2). For a token that is not live it is the zero
// value, which says just that.
type activeAnswer struct {
	Active     bool     `json:"active"`
	TokenType  string   `json:"token_type,omitzero"`
	Issuer     string   `json:"iss,omitzero"`
	Subject    string   `json:"sub,omitzero"`
	Audience   string   `json:"aud,omitzero"`
	ClientID   string   `json:"client_id,omitzero"`
	Username   string   `json:"username,omitzero"`
	ExternalID string   `json:"external_id,omitzero"`
	Scope      string   `json:"scope,omitzero"`
	Roles      []string `json:"roles,omitzero"`
	ID         string   `json:"jti,omitzero"`
	SessionID  string   `json:"sid,omitzero"`
	IssuedAt   int64    `json:"iat,omitzero"` // seconds since 1970, as the next two
	ExpiresAt  int64    `json:"exp,omitzero"`
	AuthTime   int64    `json:"auth_time,omitzero"`
}

// introspect says whether a token is live now (RFC 7662). A client with the scope for it may ask about access
// tokens for its own audiences and about its own refresh tokens. Every other text gets the same answer, whether it
// is no token, another client's, expired or ended.
func (e *Endpoints) introspect(w http.ResponseWriter, r *http.Request) error {
	form, client, err := e.open(w, r)
	if err != nil {
		return err
	}
	if !client.Scope.Has(account.ScopeIntrospect) {
		return &endpoint.Failure{
			Status: http.StatusForbidden, Code: "insufficient_scope",
			Description: "the client does not have the scope " + account.ScopeIntrospect, Cause: doorward.ErrScope,
		}
	}
	token := form.Get("token")
	if token == "" {
		return endpoint.InvalidRequest("token is required", nil)
	}
	answer, err := e.look(r.Context(), client, token)
	if err != nil {
		return err
	}
	if !answer.Active {
		if wait := e.inactive.Take(client.ID, time.Now()); wait > 0 {
			return &endpoint.Failure{
				Status: http.StatusTooManyRequests, Code: "too_many_requests",
				Description: "too many tokens that are not active; wait, then ask again", RetryAfter: wait,
			}
		}
	}
	endpoint.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// look returns the answer about a token. It first reads from the store what other processes have revoked.
func (e *Endpoints) look(ctx context.Context, client account.Client, token string) (activeAnswer, error) {
	if err := e.cfg.Issuer.CatchUp(ctx); err != nil {
		return activeAnswer{}, err
	}
	if strings.HasPrefix(token, issuer.RefreshTokenPrefix) {
		return e.lookAtRefresh(ctx, client, token)
	}
	claims, err := e.judge(ctx, token, e.audiences(client))
	if err != nil || claims == nil {
		return activeAnswer{}, err
	}
	answer := activeAnswer{
		Active: true, TokenType: "Bearer", Issuer: claims.Issuer, Subject: claims.Subject, Audience: claims.Audience[0],
		ClientID: claims.ClientID, Scope: claims.Scope.String(), Roles: claims.Roles, ID: claims.ID, SessionID: claims.SessionID,
		IssuedAt: claims.IssuedAt.Unix(), ExpiresAt: claims.ExpiresAt.Unix(),
	}
	if !claims.AuthTime.IsZero() {
		answer.AuthTime = claims.AuthTime.Unix()
	}
	if _, err := claims.Extra("preferred_username", &answer.Username); err != nil {
		return answer, err
	}
	_, err = claims.Extra(account.ClaimExternalID, &answer.ExternalID)
	return answer, err
}

// lookAtRefresh returns the answer about a refresh token; its exp is when the session lapses. It has no
// token_type, since a refresh token is of none of the types of RFC 6749 §7.1.
func (e *Endpoints) lookAtRefresh(ctx context.Context, client account.Client, token string) (activeAnswer, error) {
	s, live, err := e.cfg.Issuer.SessionOf(ctx, token)
	if err != nil && !errors.Is(err, issuer.ErrToken) {
		return activeAnswer{}, err
	}
	if err != nil || !live || s.ClientID != client.ID {
		return activeAnswer{}, nil
	}
	end := s.IdleEnd
	if s.AbsoluteEnd.Before(end) {
		end = s.AbsoluteEnd
	}
	return activeAnswer{
		Active: true, Issuer: e.cfg.Issuer.URL(), Subject: s.Subject, Audience: s.Audience, ClientID: s.ClientID,
		Scope: s.Scope.String(), SessionID: s.ID, IssuedAt: s.CreatedAt.Unix(), ExpiresAt: end.Unix(), AuthTime: s.AuthTime.Unix(),
	}, nil
}
