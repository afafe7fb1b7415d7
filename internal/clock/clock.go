// Package clock knows how far another clock is ahead of this machine's.
package clock

import (
	"sync/atomic"
	"time"
)

// Other is the clock of a store or of an issuer, as it was last read. The zero Other was never read. It may be used
// concurrently.
type Other struct{ last atomic.Pointer[reading] }

// reading is what the other clock said, and what the clock of this process said at that moment.
type reading struct{ said, at time.Time }

// Read notes what the other clock said. It was asked at asked and the answer is here now; the reading is taken to be of
// the middle between the two.
func (o *Other) Read(said, asked time.Time) {
	o.last.Store(&reading{said: said, at: asked.Add(time.Since(asked) / 2)})
}

// Ahead returns how far the other clock is ahead of this machine's; it is negative if the other is behind. The error is
// half the time that the answer took, at most. From its last reading the other clock is taken to go on as the monotonic
// clock does, so that Ahead changes at once when somebody sets the clock of this machine. It is 0 before the first
// reading.
func (o *Other) Ahead() time.Duration {
	last := o.last.Load()
	if last == nil {
		return 0
	}
	return time.Until(last.said.Add(time.Since(last.at)))
}
