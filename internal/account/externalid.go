package account

import (
	"errors"
	"strings"
)

// MaxExternalID is the greatest length of an external ID in bytes.
const MaxExternalID = 128

// ClaimExternalID is the claim with the external ID of a user who has one.
const ClaimExternalID = "external_id"

// Errors of external IDs.
var (
	// ErrExternalID says that a text cannot be an external ID.
	ErrExternalID = errors.New("account: an external ID is 1 to 128 printable ASCII characters without spaces")
	// ErrExternalIDTaken says that another user has this external ID.
	ErrExternalIDTaken = errors.New("account: another user has this external ID")
)

// checkExternalID returns ErrExternalID for a text that is neither empty nor an external ID. Two of them are the same
// only if all their bytes are.
func checkExternalID(text string) error {
	if len(text) > MaxExternalID || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ErrExternalID
	}
	return nil
}

// claims are what every token of the user says of them beside their name, also one that an API key stands for.
func (u User) claims() map[string]any {
	if u.ExternalID == "" {
		return nil
	}
	return map[string]any{ClaimExternalID: u.ExternalID}
}
