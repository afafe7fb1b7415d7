package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/jwt"
)

const jwksPath = "/.well-known/jwks.json"

func (s *Server) jwksRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: jwksPath, Cached: true, Handle: s.jwks}
}

// jwks answers the public keys (RFC 7517 §5).
func (s *Server) jwks(w http.ResponseWriter, r *http.Request) error {
	keys, err := s.published()
	if err != nil {
		return err
	}
	body, err := json.Marshal(keys)
	if err != nil {
		return fmt.Errorf("write key set: %w", err)
	}
	endpoint.WritePublic(w, r, "application/json", body, s.keepKeys())
	return nil
}

// keepKeys is how long the key set may be cached: half of the time for which a new key is published before it signs at
// most, so that every verifier has the key by then.
func (s *Server) keepKeys() time.Duration {
	if s.cfg.PublishLead <= 0 {
		return endpoint.Public
	}
	return min(endpoint.Public, s.cfg.PublishLead/2)
}

// published is the key set, with the keys of assertions if somebody is to verify them.
func (s *Server) published() (*jwt.Set, error) {
	set := s.cfg.Issuer.JWKS()
	if !s.cfg.Assertions {
		return set, nil
	}
	assertions, err := s.cfg.Issuer.AssertionKeys()
	if err != nil {
		return nil, err
	}
	return jwt.NewSet(slices.Concat(set.Keys(), assertions)...)
}
