// Package clock knows how far another clock is ahead of this machine's.
package clock

import (
	"sync/atomic"
	"time"
)

// Other is the clock of a store or of an issuer, as it was last read. The zero Other was never read. It may be used
// concurrently.
type Other struct{ last atomic.Pointer[reading] }

// reading is what the other clock said, and when that was by this process's.
type reading struct{ said, at time.Time }

// Read notes what the clock said, which was asked for at that time and is known now: the answer is taken for that of the
// middle of the two.
func (o *Other) Read(said, asked time.Time) {
	o.last.Store(&reading{said: said, at: asked.Add(time.Since(asked) / 2)})
}

// Ahead is how far the other clock is ahead of this process's, to half of what its answer took; below zero where this
// process's is fast. The other is taken to go on from its last reading as the monotonic clock does: when somebody sets the
// clock of this machine, that shows at once, whether the other answers or not. It is 0 before the first reading.
func (o *Other) Ahead() time.Duration {
	last := o.last.Load()
	if last == nil {
		return 0
	}
	return time.Until(last.said.Add(time.Since(last.at)))
}
