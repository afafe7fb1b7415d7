package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/internal/oauth"
	"github.com/go-json-experiment/json"
)

const metadataPath = "/.well-known/oauth-authorization-server"

func (s *Server) metadataRoute() endpoint.Route {
	return endpoint.Route{Method: http.MethodGet, Path: s.metadataPath(), Fixed: true, Cached: true, Handle: s.metadata}
}

// metadataAnswer has the fields of RFC 8414 §2 that are true. There is no authorization endpoint, so
// response_types_supported would be empty: lists without an element are left out, as §3.2 wants.
type metadataAnswer struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri"`
	oauth.Metadata
}

func (s *Server) metadata(w http.ResponseWriter, r *http.Request) error {
	answer := metadataAnswer{Issuer: s.cfg.Issuer.URL(), JWKSURI: s.origin + s.cfg.Prefix + jwksPath}
	if s.cfg.Clients != nil {
		answer.Metadata = oauth.MetadataAt(s.origin+s.cfg.Prefix, s.cfg.APIKeys != nil)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("write metadata: %w", err)
	}
	endpoint.WritePublic(w, r, "application/json", body, endpoint.Public)
	return nil
}

// metadataPath puts the well-known part between the issuer's host and its path,
// and drops a slash at the end (RFC 8414 §3.1).
func (s *Server) metadataPath() string {
	_, rest, _ := strings.Cut(s.issuer, "://")
	_, path, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix(metadataPath+"/"+path, "/")
}
