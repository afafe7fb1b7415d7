package server

import (
	"net/http"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

// tokenAnswer is the answer of /login, /refresh and /password (RFC 6749 §5.1).
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitzero"`
	Scope        string `json:"scope"`
	// Device is the secret that a new device has to show at its next login.
	Device string `json:"device,omitzero"`
	// Named is the access token once more, under Config.TokenField.
	Named map[string]string `json:",embed"`
}

// isTokenMember reports whether a tokenAnswer has the name already.
func isTokenMember(name string) bool {
	return slices.Contains([]string{"access_token", "token_type", "expires_in", "refresh_token", "scope", "device"}, name)
}

// writeTokens answers with a token set, and with the secret of a new device if there is
// one. In cookie mode the refresh token is in the cookie and nowhere else.
func (s *Server) writeTokens(w http.ResponseWriter, set issuer.TokenSet, cookie bool, device string) {
	answer := tokenAnswer{
		AccessToken:  set.AccessToken,
		TokenType:    set.TokenType,
		ExpiresIn:    int64(set.ExpiresIn / time.Second),
		RefreshToken: set.RefreshToken,
		Scope:        set.Scope.String(),
		Device:       device,
	}
	if cookie {
		answer.RefreshToken = ""
		http.SetCookie(w, s.cfg.Issuer.RefreshCookie(set))
	}
	if s.cfg.TokenField != "" {
		answer.Named = map[string]string{s.cfg.TokenField: set.AccessToken}
	}
	w.Header().Set("Pragma", "no-cache")
	endpoint.WriteJSON(w, http.StatusOK, answer)
}
