// Package rotation decides what a presented refresh token means: a client that goes on, another of
// its tabs, an answer that was lost, or a thief. It is one pure function.
package rotation

import "time"

// State is what a session remembers of its refresh tokens: issuer.State, field by field.
type State struct {
	Generation uint32    // the generation that is current: 0 is the one made by login
	HeldSince  time.Time // when it was made, or was given out again to a late caller; zero after login
	LateRun    int       // generations whose predecessor came late, since the last clean one
	Late       bool      // the predecessor of the current generation came late
	Mixed      bool      // the predecessor of the current generation came inside the window
	Quiet      int       // generations in a row without a late use
}

// Rule is what Decide judges by.
type Rule struct {
	Window time.Duration // how long two holders of a token count as two tabs of one client
	Budget int           // late generations in a row that end the session
}

// quietGenerations is how many generations without a late use take one off the run.
const quietGenerations = 16

// Outcome is what Decide says of a presented token.
type Outcome int

// The outcomes.
const (
	Again    Outcome = iota // answer with the current generation once more
	Rotate                  // answer with the next generation
	Reuse                   // two parties hold the session: end it
	Rollback                // the store has lost history: end it
)

// Decide is the whole rule of refresh, and the only code that decides: given
// what the session remembers, the generation presented with a good MAC, and the
// time of the store, it returns what the session remembers from now on and what the caller
// is answered. It depends on nothing else.
//
// RFC 9700 §4.14.2 asks that a replayed refresh token ends the session. Taken
// literally that logs out every client that lost one answer. Here a
// predecessor is forgiven, but counted; docs/refresh.md has the table and the promises.
func Decide(s State, presented uint32, now time.Time, rule Rule) (State, Outcome) {
	held := isHeld(s, now, rule.Window)
	switch current := s.Generation; {
	case presented > current:
		return s, Rollback
	case presented == current && held:
		return s, Again
	case presented == current:
		return rotate(s, now), Rotate
	case presented < current-1:
		return s, Reuse
	case held:
		s.Mixed = true
		return s, Again
	case s.Late:
		return s, Again
	default:
		return late(s, now, rule.Budget)
	}
}

// isHeld reports whether the current generation is younger than the window. A
// clock that went back counts as not held.
func isHeld(s State, now time.Time, window time.Duration) bool {
	age := now.Sub(s.HeldSince)
	return age >= 0 && age < window
}

// rotate begins the next generation. A clean generation, which outlived the
// window and whose predecessor nobody presented, forgives all late ones.
func rotate(s State, now time.Time) State {
	switch {
	case !s.Late && !s.Mixed:
		s.LateRun, s.Quiet = 0, 0
	case s.Late:
		s.Quiet = 0
	case s.Quiet+1 < quietGenerations:
		s.Quiet++
	default:
		s.LateRun, s.Quiet = max(0, s.LateRun-1), 0
	}
	s.Generation++
	s.HeldSince = now
	s.Late, s.Mixed = false, false
	return s
}

// late counts a predecessor that came outside the window: an answer that was
// lost, or a second holder.
func late(s State, now time.Time, budget int) (State, Outcome) {
	s.LateRun++
	if s.LateRun >= budget {
		return s, Reuse
	}
	s.Late, s.HeldSince, s.Quiet = true, now, 0
	return s, Again
}
