package accounttest

import (
	"context"

	"github.com/doorward/doorward/password"
)

// Plain is an account.Hasher that costs nothing, where thousands of hashes are needed. It keeps no password secret.
type Plain struct{}

// Hash returns the text itself, marked.
func (Plain) Hash(_ context.Context, text string) (string, error) { return "plain:" + text, nil }

// Verify returns password.ErrMismatch for any other text than that of Hash.
func (Plain) Verify(_ context.Context, hash, text string) (rehash bool, err error) {
	if hash != "plain:"+text {
		return false, password.ErrMismatch
	}
	return false, nil
}

// VerifyNothing returns password.ErrMismatch.
func (Plain) VerifyNothing(context.Context, string) error { return password.ErrMismatch }
