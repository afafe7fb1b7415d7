package endpoint_test

import (
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
