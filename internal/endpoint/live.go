package endpoint

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/issuer"
)

var errRevoked = &Failure{
	Status: http.StatusUnauthorized, Code: "invalid_token", Description: "the token was revoked",
	Challenge: Challenge("invalid_token", "the token was revoked"), Cause: doorward.ErrRevoked,
}

// StillLive asks whether a token, with which a request was let in, was revoked since: a body may take its time to come, and an
// answer to go.
func StillLive(iss *issuer.Issuer, c *doorward.Claims) error {
	err := iss.Revocations().Check(c)
	switch {
	case errors.Is(err, doorward.ErrRevoked):
		return errRevoked
	case err != nil:
		return fmt.Errorf("%w: %w", issuer.ErrUnavailable, err)
	}
	return nil
}
