package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/doorward/doorward/jwt"
)

const jwksPath = "/.well-known/jwks.json"

func (s *Server) jwksRoute() route {
	return route{method: http.MethodGet, path: jwksPath, cached: true, handle: s.jwks}
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
	writePublic(w, r, body)
	return nil
}

// writePublic answers a document that anyone may keep for five minutes. That is
// half of the time for which a new key is published before it signs.
func writePublic(w http.ResponseWriter, r *http.Request, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", tag)
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	_, _ = w.Write(body) // The client may be gone; nobody is left to tell.
}

// matches compares entity tags weakly (RFC 9110 §13.1.2).
func matches(lines []string, tag string) bool {
	for _, line := range lines {
		for candidate := range strings.SplitSeq(line, ",") {
			candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
			if candidate == tag || candidate == "*" {
				return true
			}
		}
	}
	return false
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
