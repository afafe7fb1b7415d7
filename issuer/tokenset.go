package issuer

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/doorward/doorward"
)

// TokenSet is what a login or a refresh returns (RFC 6749 §5.1). Its two tokens
// are secrets; no fmt verb and no log handler prints them.
type TokenSet struct {
	AccessToken string
	TokenType   string // always "Bearer"
	ExpiresIn   time.Duration
	// RefreshToken is empty if the login asked for none.
	RefreshToken string
	// RefreshExpiresAt is when the session lapses unless it is refreshed again.
	RefreshExpiresAt time.Time
	Scope            doorward.Scope
	SessionID        string
	Subject          string
}

// Respond answers a login or a refresh with the token set in the form of RFC 6749
// §5.1, which no cache may keep. It returns the error of writing.
func (t TokenSet) Respond(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	return json.NewEncoder(w).Encode(struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    int64  `json:"expires_in"` // seconds
		RefreshToken string `json:"refresh_token,omitempty"`
		Scope        string `json:"scope"`
	}{t.AccessToken, t.TokenType, int64(t.ExpiresIn / time.Second), t.RefreshToken, t.Scope.String()})
}

// String names the session and holds neither token.
func (t TokenSet) String() string { return "[token set of session " + t.SessionID + "]" }

// Format prints String for every verb.
func (t TokenSet) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// LogValue logs String.
func (t TokenSet) LogValue() slog.Value { return slog.StringValue(t.String()) }
