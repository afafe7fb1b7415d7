package challenge_test

import (
	"testing"

	"github.com/doorward/doorward/internal/challenge"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		`Bearer realm="api"`:                             challenge.Bearer("api"),
		`Bearer realm="", error="a b", max_age="0"`:      challenge.Bearer("", "error", "a b", "max_age", "0"),
		`Bearer realm="api", error="invalid_token"`:      challenge.Bearer("api", "scope", "", "error", "invalid_token", "x", ""),
		`Bearer realm="api", error="insufficient_scope"`: challenge.Bearer("api", "error", "insufficient_scope", "odd"),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
