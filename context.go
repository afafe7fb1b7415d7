package doorward

import (
	"context"

	"github.com/doorward/doorward/internal/requestid"
)

type claimsKey struct{}

// ClaimsFrom returns the claims that Require or Optional has verified for this
// request. It reports false where nobody has proved who they are.
func ClaimsFrom(ctx context.Context) (*Claims, bool) {
	c, _ := ctx.Value(claimsKey{}).(*Claims)
	return c, c != nil
}

// WithClaims returns a context that carries claims which Verify has returned:
// for gRPC interceptors and frameworks with middleware of their own. Nil
// claims hide those of an outer context.
func WithClaims(ctx context.Context, c *Claims) context.Context {
	return context.WithValue(ctx, claimsKey{}, c)
}

// RequestID returns the name of the request that WithRequestID has set, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestid.Key{}).(string)
	return id
}

// WithRequestID returns a context that names the request. Refusals and their
// log records carry the name.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestid.Key{}, id)
}
