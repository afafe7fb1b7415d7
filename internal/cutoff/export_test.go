package cutoff

import (
	"time"
	"unsafe"
)

// SetClock makes a set believe that it began a minute ago, and that the wall clock was set by d since then, which
// package time has no means to do.
func (s *Set) SetClock(d time.Duration) {
	began := time.Now().Add(-time.Minute)
	s.swept = began
	s.started = began.Add(-d)
	(*[2]int64)(unsafe.Pointer(&s.started))[1] += int64(d) // the monotonic reading, as it was
}
