// Package inspect says what kind of token a text is, what is in it, and why it is refused. It keeps nothing, and no
// error repeats a part of the text.
package inspect

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what a text looks like. Anybody can have written it.
type Kind string

// The kinds of texts.
const (
	AccessToken  Kind = "access_token" // three parts with dots between them
	APIKey       Kind = "api_key"
	RefreshToken Kind = "refresh_token"
	Unknown      Kind = "unknown"
)

// ErrNoToken says that a text is no token that can be taken apart. Its text says why.
var ErrNoToken = errors.New("this is no token")

// KindOf looks at the form of a text alone.
func KindOf(text string) Kind {
	switch {
	case strings.HasPrefix(text, issuer.RefreshTokenPrefix):
		return RefreshToken
	case strings.HasPrefix(text, account.APIKeyPrefix):
		return APIKey
	case strings.Count(text, ".") == 2:
		return AccessToken
	}
	return Unknown
}

// Decode takes an access token apart without verifying it. header and claims are JSON objects in UTF-8 without duplicate
// names. The error is ErrNoToken.
func Decode(token string) (header, claims jsontext.Value, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, fmt.Errorf("%w: want three parts with dots between them, got %d", ErrNoToken, len(parts))
	}
	for i, part := range []*jsontext.Value{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if *part = raw; err != nil || !part.IsValid() || part.Kind() != '{' {
			return nil, nil, fmt.Errorf("%w: part %d is not one JSON object in base64url", ErrNoToken, i+1)
		}
	}
	return header, claims, nil
}

// Verify verifies an access token as a server for audience does: its key, times, issuer, audience and revocations. An
// empty audience means the issuer's own. [Reason] puts its error into words.
func Verify(ctx context.Context, iss *issuer.Issuer, audience, token string) error {
	if audience == "" {
		audience = iss.Audience()
	}
	v, err := doorward.NewVerifier(doorward.Config{
		Issuer: iss.URL(), Audience: audience, Keys: iss.Keys(), Revocations: iss.Revocations(),
	})
	if err != nil {
		return err
	}
	_, err = v.Verify(ctx, token)
	return err
}

// Reason says why something is refused, without the name of the package that refuses it.
func Reason(err error) string {
	text := err.Error()
	for _, name := range []string{"doorward: ", "jwt: ", "account: ", "issuer: "} {
		text = strings.TrimPrefix(text, name)
	}
	return text
}
