package endpoint_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/endpoint"
	"github.com/doorward/doorward/issuer"
)

// A client whose tokens are ended while it asks reads the code of RFC 6749 §5.2, and not that of a login.
func TestFailureOfClient(t *testing.T) {
	t.Parallel()
	f := endpoint.FailureOf(fmt.Errorf("%w: %w", account.ErrClient, issuer.ErrEpoch))
	if f.Status != 401 || f.Code != "invalid_client" || f.Challenge == "" {
		t.Errorf("%d %s, challenge %q", f.Status, f.Code, f.Challenge)
	}
}

// What an error of issuer says of itself is what the client of this server reads.
func TestFailureOfIssuer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err                 error
		status              int
		code, reason, retry string
	}{
		{issuer.ErrTooMany, 429, "too_many_requests", "", "60"},
		{fmt.Errorf("read: %w", issuer.ErrUnavailable), 503, "unavailable", "", "5"},
		{fmt.Errorf("refresh: %w", issuer.ErrInactive), 400, "invalid_grant", "subject_inactive", ""},
		{fmt.Errorf("%w: %w", issuer.ErrCredentials, issuer.ErrInactive), 401, "invalid_credentials", "", ""},
		{issuer.ErrClaims, 500, "server_error", "", ""},
	} {
		f := endpoint.FailureOf(tt.err)
		if f.Status != tt.status || f.Code != tt.code || f.Reason != tt.reason || f.Header.Get("Retry-After") != tt.retry || !errors.Is(f, tt.err) {
			t.Errorf("%v: %+v, want %+v", tt.err, f, tt)
		}
	}
}
