package gate

import (
	"context"
	"time"
)

// Sweep is one look at the open streams, as at a time of the test's own.
func (s *Streams) Sweep(ctx context.Context, now time.Time) { s.sweep(ctx, now) }
