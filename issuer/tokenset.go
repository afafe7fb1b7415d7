package issuer

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/doorward/doorward/doorward"
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

// String names the session and holds neither token.
func (t TokenSet) String() string { return "[token set of session " + t.SessionID + "]" }

// Format prints String for every verb.
func (t TokenSet) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// LogValue logs String.
func (t TokenSet) LogValue() slog.Value { return slog.StringValue(t.String()) }
